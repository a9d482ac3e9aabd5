package tilelog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"
)

// CheckPartials compares the partial tiles, which are kept for copies, with the
// tiles that they were the beginning of. What these hold is for [Log.Walk] to
// check.
func (l *Log) CheckPartials(ctx context.Context) error {
	size, files := l.Size(), l.disk.root.FS()
	err := fs.WalkDir(files, "tile", func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			return ctx.Err()
		}
		if err != nil || entry.IsDir() {
			return err
		}
		t, err := parseTilePath(name)
		if err != nil || t.W == width {
			return ctx.Err() // not a tile, or not a partial one
		}
		return errors.Join(l.checkPartial(files, t, size), ctx.Err())
	})
	if err != nil {
		return fmt.Errorf("check partial tiles: %w", err)
	}
	return nil
}

// checkPartial compares a partial tile with the one that a log of a size has.
// Beyond that size there may be what an append that failed has left.
func (l *Log) checkPartial(files fs.FS, t tlog.Tile, size int64) error {
	now := t
	now.W = int(min(count(t.L, size)-t.N*width, width))
	if t.W >= now.W {
		return nil
	}
	got, err := fs.ReadFile(files, tilePath(t))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := l.disk.openTile(now)
	if err != nil {
		return err
	}
	defer f.Close()
	var want bytes.Buffer
	if err := copyPart(&want, f, t); err != nil {
		return err
	}
	if !bytes.Equal(got, want.Bytes()) {
		return fmt.Errorf("%w: %s is not the beginning of %s", ErrMismatch, tilePath(t), tilePath(now))
	}
	return nil
}
