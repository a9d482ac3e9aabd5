package tilelog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Prove proves that a leaf is in the tree of a checkpoint, the newest or an
// older one. The same checkpoint gives the same proof for ever. Who signed the
// checkpoint is for the caller.
func (l *Log) Prove(index int64, at Head) (*Proof, error) {
	p, err := l.prove(index, at)
	if err != nil {
		return nil, fmt.Errorf("prove leaf %d in size %d of %s: %w", index, at.Size, l.Origin(), err)
	}
	return p, nil
}

func (l *Log) prove(index int64, at Head) (*Proof, error) {
	if index < 0 || index >= at.Size {
		return nil, fmt.Errorf("the tree has %d leaves", at.Size)
	}
	if err := l.covers(at); err != nil {
		return nil, err
	}
	path, err := tlog.ProveRecord(at.Size, index, l.disk.hashes(l.head.Load().Checkpoint))
	return &Proof{Index: index, Path: path, Signed: at.Signed, Checkpoint: at.Checkpoint}, err
}

// Consistency proves that the tree of a checkpoint begins with that of an
// older size.
func (l *Log) Consistency(old int64, at Head) (*Consistency, error) {
	c, err := l.consistency(old, at)
	if err != nil {
		return nil, fmt.Errorf("prove consistency of sizes %d and %d of %s: %w", old, at.Size, l.Origin(), err)
	}
	return c, nil
}

func (l *Log) consistency(old int64, at Head) (*Consistency, error) {
	if old < 0 || old > at.Size {
		return nil, fmt.Errorf("the tree has %d leaves", at.Size)
	}
	if err := l.covers(at); err != nil {
		return nil, err
	}
	c := &Consistency{Old: old, Signed: at.Signed, Checkpoint: at.Checkpoint}
	if old == 0 {
		return c, nil
	}
	var err error
	c.Path, err = tlog.ProveTree(at.Size, old, l.disk.hashes(l.head.Load().Checkpoint))
	return c, err
}

// covers refuses a checkpoint of which no proof of this log would hold.
func (l *Log) covers(at Head) error {
	if at.Origin != l.Origin() {
		return fmt.Errorf("the checkpoint is of log %s", at.Origin)
	}
	return l.Continues(at.Checkpoint)
}

// HeadAt is the checkpoint of a size up to today's. Signing it again says
// nothing that today's checkpoint does not; a closed log signs none, and gives
// its last one only. Errors: [ErrClosed].
func (l *Log) HeadAt(size int64) (Head, error) {
	now := l.head.Load()
	switch {
	case size == now.Size:
		return *now, nil
	case size < 0 || size > now.Size:
		return Head{}, fmt.Errorf("checkpoint %d of %s: the log has %d leaves", size, l.Origin(), now.Size)
	case l.key == nil:
		return Head{}, fmt.Errorf("checkpoint %d of %s, which ends at %d: %w", size, l.Origin(), now.Size, ErrClosed)
	}
	root, err := tlog.TreeHash(size, l.disk.hashes(now.Checkpoint))
	if err != nil {
		return Head{}, fmt.Errorf("checkpoint %d of %s: %w", size, l.Origin(), err)
	}
	return l.sign(Checkpoint{now.Origin, size, root})
}
