package tilelog

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// maxBatch is how many leaves one checkpoint may add.
const maxBatch = width

// Entry is where a leaf was put.
type Entry struct {
	Index int64
	Head  // the checkpoint that was the first to cover it
}

// pending is a leaf that waits for its turn.
type pending struct {
	ctx    context.Context
	leaf   func(index int64) ([]byte, error)
	beside []func() error
	done   chan struct{} // closed once entry or err is known
	entry  Entry
	err    error
}

// errBeside says that what was to be done beside some leaf has failed, and
// nothing else: those leaves know why, and the others can do without them.
var errBeside = errors.New("what belongs to a leaf could not be made durable")

// Append puts a leaf at the end of the log, and returns once a checkpoint that
// covers it is durable. Appends at the same time share their writes.
//
// leaf is told the index and makes the leaf, which may hold it; it runs while
// no other leaf is appended, maybe on the goroutine of another caller, and must
// not append itself. If it fails, its error is returned and the index goes to
// the next one.
//
// beside runs after leaf and makes durable what belongs to it, while the log's
// own files are written; the checkpoint is not published before. If it fails,
// its error is returned too. The appends that share the checkpoint are then
// tried without it: their leaf and beside run again, with the index that counts.
//
// After any other error but that of ctx, the entry may be in the log or not.
func (l *Log) Append(ctx context.Context, leaf func(index int64) ([]byte, error), beside ...func() error) (Entry, error) {
	p := &pending{ctx: ctx, leaf: leaf, beside: beside, done: make(chan struct{})}
	l.mu.Lock()
	l.waiting = append(l.waiting, p)
	l.mu.Unlock()
	for {
		select {
		case <-p.done:
			return p.entry, p.err
		case l.turn <- struct{}{}:
			l.lead()
		}
	}
}

// lead writes for all that wait, and gives the turn back.
func (l *Log) lead() {
	defer func() { <-l.turn }()
	l.writeBatch(l.take())
}

// take gives those that wait, up to a batch, in their order.
func (l *Log) take() []*pending {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.waiting), maxBatch)
	batch := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	return batch
}

func (l *Log) writeBatch(batch []*pending) {
	err := errors.New("append: it was abandoned") // where a leaf function panics
	defer func() {
		for _, p := range batch {
			if p.err = cmp.Or(p.err, err); p.err == nil {
				p.entry.Head = l.Head()
			}
			close(p.done)
		}
	}()
	if err = l.writeWhole(batch); err != nil {
		err = fmt.Errorf("append to log %s: %w", l.Origin(), err)
	}
}

// writeWhole writes the leaves for which all succeeds that is to be done beside
// them.
func (l *Log) writeWhole(batch []*pending) error {
	if err := l.writable(); err != nil {
		return err
	}
	for {
		leaves, beside := gather(batch, l.Size())
		if len(leaves) == 0 {
			return nil
		}
		if err := l.write(leaves, beside...); !errors.Is(err, errBeside) {
			return err
		}
	}
}

// writable tells whether anything can be appended now.
func (l *Log) writable() error {
	if l.key == nil {
		return ErrClosed
	}
	return cmp.Or(l.behind, l.broken)
}

// gather makes the leaves, and lists what is to be done beside them. Those that
// fail, or have failed before, get no index.
func gather(batch []*pending, index int64) (leaves [][]byte, beside []func() error) {
	for _, p := range batch {
		if p.err != nil {
			continue
		}
		leaf, err := p.make(index)
		if err != nil {
			p.err = err
			continue
		}
		p.entry.Index = index
		leaves = append(leaves, leaf)
		if len(p.beside) > 0 {
			beside = append(beside, p.doBeside)
		}
		index++
	}
	return leaves, beside
}

// doBeside does all that is to be done beside a leaf, at the same time.
func (p *pending) doBeside() error {
	var group errgroup.Group
	for _, do := range p.beside {
		group.Go(do)
	}
	if p.err = group.Wait(); p.err != nil {
		return errBeside
	}
	return nil
}

func (p *pending) make(index int64) ([]byte, error) {
	if err := context.Cause(p.ctx); err != nil {
		return nil, err
	}
	leaf, err := p.leaf(index)
	switch {
	case err != nil:
		return nil, err
	case len(leaf) > MaxLeaf:
		return nil, fmt.Errorf("leaf %d has %d bytes; the limit is %d", index, len(leaf), MaxLeaf)
	case index >= MaxSize:
		return nil, fmt.Errorf("the log is full: %d leaves", index)
	}
	return leaf, nil
}
