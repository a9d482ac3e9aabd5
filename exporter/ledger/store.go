package ledger

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// rowFunc gives one of the rows to be stored. It is called from several
// goroutines; what it gives is not changed afterwards.
type rowFunc func(i int) row

// store appends count activities. What doesn't fill
// a block goes to the tail. Once the tail and what comes make at least one
// block, all of it is cut into blocks of about equal size: none has fewer than
// half of BlockRows, however bulk loads and single rows alternate.
func (s *shelf) store(ctx context.Context, count int, at rowFunc) error {
	if int(s.state.Tail)+count < BlockRows {
		return s.storeInTail(count, at)
	}
	tail, err := readTail(s.tail, int64(s.state.Tail), int64(s.state.Last))
	if err != nil {
		return err
	}
	blocks, err := encodeAll(ctx, s.sealed()+1, len(tail)+count, func(i int) row {
		if i < len(tail) {
			return storedRow(&tail[i])
		}
		return at(i - len(tail))
	})
	if err != nil {
		return err
	}
	return s.storeBlocks(blocks, count)
}

func (s *shelf) storeInTail(count int, at rowFunc) error {
	for i := range count {
		r := at(i)
		sequence := int64(s.state.Last) + int64(i) + 1
		if err := s.tail.Put(number(sequence), appendRow(nil, &r)); err != nil {
			return fmt.Errorf("store in bucket %s: %w", bucketTail, err)
		}
	}
	s.state.Tail += uint64(count)
	s.state.Last += uint64(count)
	return nil
}

func (s *shelf) storeBlocks(blocks []sealedBlock, added int) (err error) {
	for _, b := range blocks {
		if err := s.facts.Put(number(b.first), b.data); err != nil {
			return fmt.Errorf("store in bucket %s: %w", bucketFacts, err)
		}
	}
	if s.state.Tail > 0 {
		s.tail, err = emptyBucket(s.tx, bucketTail)
	}
	s.state.Tail = 0
	s.state.Last += uint64(added)
	return err
}

type sealedBlock struct {
	first int64
	data  []byte
}

// encodeAll cuts rows into blocks of about equal size and encodes these on all
// processors.
func encodeAll(ctx context.Context, first int64, count int, at rowFunc) ([]sealedBlock, error) {
	blocks := make([]sealedBlock, (count+BlockRows-1)/BlockRows)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(runtime.GOMAXPROCS(0), len(blocks)) {
		group.Go(func() error {
			encoder, rows := encoders.Get().(*encoder), make([]row, 0, BlockRows)
			defer encoders.Put(encoder)
			for n := int(next.Add(1)) - 1; n < len(blocks); n = int(next.Add(1)) - 1 {
				if err := ctx.Err(); err != nil {
					return err
				}
				from, to := n*count/len(blocks), (n+1)*count/len(blocks)
				rows = rows[:0]
				for i := from; i < to; i++ {
					rows = append(rows, at(i))
				}
				blocks[n] = sealedBlock{first + int64(from), encoder.encode(first+int64(from), rows)}
			}
			return nil
		})
	}
	return blocks, group.Wait()
}
