package tilelog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Prove proves that a leaf is in the tree of a size, which may be smaller than
// that of today. The same log gives the same proof for ever.
func (l *Log) Prove(index, size int64) (*Proof, error) {
	now := l.head.Load().Checkpoint
	if index < 0 || index >= size || size > now.Size {
		return nil, fmt.Errorf("prove leaf %d in size %d of %s: the log has %d leaves", index, size, l.Origin(), now.Size)
	}
	path, err := tlog.ProveRecord(size, index, l.disk.hashes(now))
	if err != nil {
		return nil, fmt.Errorf("prove leaf %d in size %d of %s: %w", index, size, l.Origin(), err)
	}
	head, err := l.headAt(size)
	return &Proof{Index: index, Path: path, Signed: head.Signed, Checkpoint: head.Checkpoint}, err
}

// Consistency proves that the tree of a size begins with that of an older one.
func (l *Log) Consistency(old, size int64) (*Consistency, error) {
	now := l.head.Load().Checkpoint
	if old < 0 || old > size || size > now.Size {
		return nil, fmt.Errorf("prove consistency of sizes %d and %d of %s: the log has %d leaves", old, size, l.Origin(), now.Size)
	}
	var path []tlog.Hash
	var err error
	if old > 0 {
		if path, err = tlog.ProveTree(size, old, l.disk.hashes(now)); err != nil {
			return nil, fmt.Errorf("prove consistency of sizes %d and %d of %s: %w", old, size, l.Origin(), err)
		}
	}
	head, err := l.headAt(size)
	return &Consistency{Old: old, Path: path, Signed: head.Signed, Checkpoint: head.Checkpoint}, err
}

// headAt is the checkpoint of a size up to today's. Signing it again says
// nothing that today's checkpoint does not.
func (l *Log) headAt(size int64) (Head, error) {
	now := l.head.Load()
	if size == now.Size {
		return *now, nil
	}
	root, err := tlog.TreeHash(size, l.disk.hashes(now.Checkpoint))
	if err != nil {
		return Head{}, fmt.Errorf("checkpoint %d of %s: %w", size, l.Origin(), err)
	}
	return l.sign(Checkpoint{now.Origin, size, root})
}
