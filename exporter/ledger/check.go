package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
)

// Check walks everything in one state of the ledger: every checksum, sequences
// without gaps, blocks that encode to the same bytes again, every id found
// through the index at its own sequence and nothing else in it, records under
// their ids, and the counts. It returns the first fault.
func (l *Ledger) Check(ctx context.Context) error {
	encoder := newEncoder()
	return l.check(ctx, func(s *Snapshot, b *block) error { return s.checkBlock(b, encoder) })
}

// CheckStored is a Check that takes what stands behind a good checksum for
// right, and is many times as quick: it finds damage, and what is of several
// states of the ledger.
func (l *Ledger) CheckStored(ctx context.Context) error {
	return l.check(ctx, func(_ *Snapshot, b *block) error { return b.checkColumns() })
}

func (l *Ledger) check(ctx context.Context, block func(*Snapshot, *block) error) error {
	err := l.View(ctx, func(s *Snapshot) error {
		if err := s.checkFacts(ctx, block); err != nil {
			return err
		}
		if err := s.checkIndex(ctx); err != nil {
			return err
		}
		return s.checkRecords(ctx)
	})
	if err != nil {
		return fmt.Errorf("check the ledger: %w", err)
	}
	return nil
}

func (s *Snapshot) checkFacts(ctx context.Context, check func(*Snapshot, *block) error) error {
	// blocks may take the tail from memory.
	if _, err := readTail(s.shelf.tail, int64(s.shelf.state.Tail), s.Sequence()); err != nil {
		return err
	}
	next := int64(1)
	for b, err := range s.blocks(0) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if b.first != next {
			return s.damagedBlock(b, fmt.Errorf("expected sequence %d", next))
		}
		if err := check(s, b); err != nil {
			return s.damagedBlock(b, err)
		}
		next += int64(b.rows)
	}
	if next != s.Sequence()+1 {
		return damage(bucketState, keyState, fmt.Errorf("%d activities are there, not %d", next-1, s.Sequence()))
	}
	return nil
}

var errNotSame = errors.New("encoding it again gives other bytes")

func (s *Snapshot) checkBlock(b *block, encoder *encoder) error {
	rows := make([]report.Activity, b.rows)
	queries := make([]entry, b.rows)
	for i := range rows {
		var err error
		if rows[i], err = b.activity(i); err != nil {
			return err
		}
		queries[i] = entry{s.ledger.hash(rows[i].Text[report.FieldID]), uint64(i)}
	}
	if !bytes.Equal(encoder.encode(b.first, storedRows(rows)), b.data) {
		return errNotSame
	}
	queries = sortByKey(queries, make([]entry, len(queries)))
	found := 0
	err := s.shelf.index.find(queries, func(row, sequence uint64) {
		if int64(sequence) == rows[row].Sequence {
			found++
		}
	})
	if err == nil && found != len(rows) {
		err = fmt.Errorf("the id index finds %d of %d activities", found, len(rows))
	}
	return err
}

// checkIndex counts the entries. As every activity was found, having as many
// entries as activities means that there are no others.
func (s *Snapshot) checkIndex(ctx context.Context) error {
	x := s.shelf.index
	recent, err := x.readRecent()
	if err != nil {
		return err
	}
	total, inChunks := uint64(len(recent)), 0
	for _, r := range x.known {
		entries, chunks, err := x.checkRun(ctx, r.number)
		if err != nil {
			return err
		}
		if entries != r.entries {
			return damage(bucketRuns, number(int64(r.number)), fmt.Errorf("%d entries are there, not %d", entries, r.entries))
		}
		total, inChunks = total+entries, inChunks+chunks
	}
	if total != s.shelf.state.Last {
		return damage(bucketState, keyState, fmt.Errorf("the id index has %d entries for %d activities", total, s.shelf.state.Last))
	}
	return countKeys(x.chunks, bucketChunks, inChunks)
}

func (x *index) checkRun(ctx context.Context, number uint64) (entries uint64, chunks int, err error) {
	previous := uint64(0)
	cursor := x.chunks.Cursor()
	for key, value := cursor.Seek(chunkKey(number, 0, 0)); inRun(key, number); key, value = cursor.Next() {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		c, err := openChunk(value)
		var list []entry
		if err == nil {
			list, err = c.appendTo(nil, 0, c.count)
		}
		if err == nil && (!isSorted(list) || list[0].key < previous || list[c.count-1].key != lastHash(key)) {
			err = errMalformed
		}
		if err != nil {
			return 0, 0, damage(bucketChunks, key, err)
		}
		previous = lastHash(key)
		entries, chunks = entries+uint64(c.count), chunks+1
	}
	return entries, chunks, nil
}

// countKeys finds keys that nothing refers to.
func countKeys(bucket *bbolt.Bucket, name []byte, want int) error {
	count := 0
	cursor := bucket.Cursor()
	for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
		count++
	}
	if count != want {
		return fmt.Errorf("bucket %s: %d keys are there, not %d", name, count, want)
	}
	return nil
}

func (s *Snapshot) checkRecords(ctx context.Context) error {
	for _, object := range report.Objects {
		count := int64(0)
		for _, err := range s.Records(ctx, object, report.Match{}) {
			if err != nil {
				return err
			}
			count++
		}
		if want := s.Count(object); count != want {
			return damage(bucketState, keyState, fmt.Errorf("%d %s are there, not %d", count, object, want))
		}
	}
	return nil
}
