package tilelog

import (
	"io"
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
