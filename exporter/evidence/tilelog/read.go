package tilelog

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"
)

// Entry reads a leaf. Errors: fs.ErrNotExist where the log has no such leaf,
// [ErrMismatch] where the disk has another one.
func (l *Log) Entry(index int64) ([]byte, error) {
	size := l.Size()
	if index < 0 || index >= size {
		return nil, fmt.Errorf("leaf %d of %s, which has %d: %w", index, l.Origin(), size, fs.ErrNotExist)
	}
	var found []byte
	err := l.read(context.Background(), index, index+1, func(_ int64, leaf []byte) error {
		found = bytes.Clone(leaf)
		return nil
	})
	return found, err
}

// Walk reads the leaves from an index up to the newest at the time of the call,
// and makes sure of each that it is the one that the checkpoint covers. Each
// leaf is given in memory that is used again for the next. Errors: those of
// each, and [ErrMismatch].
func (l *Log) Walk(ctx context.Context, from int64, each func(index int64, leaf []byte) error) error {
	return l.read(ctx, max(from, 0), l.Size(), each)
}

// read gives the leaves from an index up to another, tile by tile.
func (l *Log) read(ctx context.Context, from, to int64, each func(index int64, leaf []byte) error) error {
	head := l.head.Load()
	for from < to {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		t := entryTile(from, head.Size)
		end := min(t.N*width+int64(t.W), to)
		if err := l.readTile(head.Checkpoint, t, from, end, each); err != nil {
			return err
		}
		from = end
	}
	return nil
}

// readTile gives the leaves of a range within a tile, each checked.
func (l *Log) readTile(tree Checkpoint, t tlog.Tile, from, to int64, each func(index int64, leaf []byte) error) error {
	indexes := make([]int64, 0, to-from)
	for i := from; i < to; i++ {
		indexes = append(indexes, tlog.StoredHashIndex(0, i))
	}
	want, err := l.disk.hashes(tree).ReadHashes(indexes)
	if err != nil {
		return err
	}
	f, err := l.disk.openTile(t)
	if err != nil {
		return err
	}
	defer f.Close()
	start := t.N * width
	return readEntries(f, int(to-start), func(i int, leaf []byte) error {
		index := start + int64(i)
		if index < from {
			return nil
		}
		if tlog.RecordHash(leaf) != want[index-from] {
			return fmt.Errorf("%w: leaf %d in %s is another one", ErrMismatch, index, tilePath(t))
		}
		return each(index, leaf)
	})
}
