package tilelog

import (
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// write makes leaves durable, and does beside it what belongs to them; then it
// publishes the checkpoint that covers them. Until that has its name nothing
// has happened, and whatever fails may be tried again. Errors: those of beside,
// where nothing else failed.
func (l *Log) write(leaves [][]byte, beside ...func() error) error {
	if err := l.anchor.unmoved(); err != nil {
		return err
	}
	old := l.head.Load()
	tree := &growing{base: l.disk.hashes(old.Checkpoint), fresh: map[int64]tlog.Hash{}}
	next := Checkpoint{Origin: old.Origin, Size: old.Size}
	for _, leaf := range leaves {
		if err := tree.add(next.Size, leaf); err != nil {
			return err
		}
		next.Size++
	}
	var err error
	if next.Root, err = tlog.TreeHash(next.Size, tree); err != nil {
		return err
	}
	head, err := l.sign(next)
	if err != nil {
		return err
	}
	drafts := drafts{disk: &l.disk}
	defer drafts.close()
	tiles := tlog.NewTiles(height, old.Size, next.Size)
	if err := l.addEntries(&drafts, tiles, old.Size, leaves); err != nil {
		return err
	}
	if err := addHashes(&drafts, tiles, tree); err != nil {
		return err
	}
	if err := drafts.add(checkpointName, head.write); err != nil {
		return err
	}
	beside = append(beside, func() error { l.prune(old.Size); return nil })
	if err := drafts.flush(beside...); err != nil {
		return err
	}
	last := len(drafts.list) - 1
	if err := l.disk.place(drafts.list[:last]); err != nil {
		return fmt.Errorf("write tiles: %w", err)
	}
	if err := l.disk.place(drafts.list[last:]); err != nil {
		l.broken = fmt.Errorf("%w: it is unknown whether checkpoint %d was published: %w", ErrBroken, next.Size, err)
		return l.broken
	}
	if l.anchor != nil {
		if err := l.anchor.Hold(head); err != nil { // it must not be spoken of, and is on the disk
			l.broken = fmt.Errorf("%w: checkpoint %d is not in its anchor: %w", ErrBroken, next.Size, err)
			return l.broken
		}
	}
	l.head.Store(&head)
	return nil
}

// addEntries writes the leaves, each tile with what it held before.
func (l *Log) addEntries(drafts *drafts, tiles []tlog.Tile, size int64, leaves [][]byte) error {
	for _, t := range tiles {
		if t.L != 0 {
			continue
		}
		t.L = entries
		start := t.N * width
		err := drafts.add(tilePath(t), func(w io.Writer) error {
			if start < size {
				if err := l.disk.copyTile(w, entryTile(start, size)); err != nil {
					return err
				}
			}
			for _, leaf := range leaves[max(start-size, 0) : start+int64(t.W)-size] {
				if err := writeEntry(w, leaf); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("write %s: %w", tilePath(t), err)
		}
	}
	return nil
}

func addHashes(drafts *drafts, tiles []tlog.Tile, tree tlog.HashReader) error {
	for _, t := range tiles {
		data, err := tlog.ReadTileData(t, tree)
		if err == nil {
			err = drafts.add(tilePath(t), func(w io.Writer) error { _, err := w.Write(data); return err })
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", tilePath(t), err)
		}
	}
	return nil
}

// prune removes the partial tiles of leaves and of their hashes that are
// [keepPartial] leaves old in a log of a size. What can't be removed is only in
// the way. It is done while the next tiles are flushed: a disk may take as long
// for it as for those, and nobody has to wait for it.
func (l *Log) prune(size int64) {
	for ; l.pruned < size-keepPartial; l.pruned++ {
		s := l.pruned + 1
		for _, level := range []int{entries, 0} {
			t := edge(level, s)
			if t.W > 0 {
				_ = l.disk.remove(tilePath(t))
			}
			if t.W == width-1 {
				_ = l.disk.remove(partialDir(t))
			}
		}
	}
}
