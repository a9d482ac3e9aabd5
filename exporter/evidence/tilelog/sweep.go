package tilelog

import (
	"errors"
	"io"
	"io/fs"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// sweep removes what stands beyond the checkpoint. A write covers at most
// [maxBatch] leaves, so that is within the last tile of each level and the one
// after it. In a copy that was made during an append the last tile may be there
// as a wider one only; the part of it that the checkpoint covers is kept.
func (l *Log) sweep(size int64) error {
	for level := entries; level < 0 || count(level, size+maxBatch) > 0; level++ {
		last := edge(level, size)
		next := last
		next.N, next.W = last.N+1, 0
		for _, t := range []tlog.Tile{last, next} {
			if err := l.sweepTile(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepTile removes whatever is wider than a tile that is not full.
func (l *Log) sweepTile(t tlog.Tile) error {
	widths, err := l.disk.partials(t)
	if err != nil {
		return err
	}
	if t.W > 0 && !slices.Contains(widths, t.W) {
		err := l.disk.publish(tilePath(t), func(w io.Writer) error { return l.disk.copyTile(w, t) })
		if err != nil {
			return err
		}
	}
	for _, w := range append(widths, width) {
		if w <= t.W {
			continue
		}
		wider := t
		wider.W = w
		if err := l.disk.remove(tilePath(wider)); err != nil {
			return err
		}
	}
	return nil
}

// sweepAll removes all tiles beyond a size, however far: in a copy they may be
// those of many appends.
func (l *Log) sweepAll(size int64) error {
	if err := l.sweep(size); err != nil {
		return err
	}
	return l.disk.walkTiles(func(t tlog.Tile) error {
		if t.N*width+int64(t.W) > count(t.L, size) {
			return l.disk.remove(tilePath(t))
		}
		return nil
	})
}

// beyond is how many leaves the tiles show the log to have had, going by the
// last leaf of the last tile of leaves.
func (l *Log) beyond() (size int64) {
	last := int64(-1)
	l.disk.walkTiles(func(t tlog.Tile) error {
		if t.L == entries {
			last = max(last, t.N)
		}
		return nil
	})
	if last < 0 {
		return 0
	}
	tile := l.disk.readAll(last)
	end := last*width + int64(len(tile))
	if len(tile) == 0 || !l.recall.Ours(end-1, tile[len(tile)-1]) {
		return 0
	}
	return end
}

// walkTiles gives the tiles that are there. Other files are passed over.
func (d *disk) walkTiles(each func(tlog.Tile) error) error {
	err := fs.WalkDir(d.root.FS(), "tile", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		t, err := parseTilePath(name)
		if err != nil {
			return nil
		}
		return each(t)
	})
	if errors.Is(err, fs.ErrNotExist) { // there is none
		return nil
	}
	return err
}
