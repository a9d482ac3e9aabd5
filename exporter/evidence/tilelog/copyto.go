package tilelog

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// CopyTo copies the log, as its checkpoint has it, to another directory, which
// may hold an earlier state of it: full tiles that are there are not written
// again. The checkpoint comes last, and then every leaf of the copy is read and
// verified. each is told of the leaves that stand in it.
func (l *Log) CopyTo(ctx context.Context, dir string, each func(index int64, leaf []byte) error) error {
	if err := l.copyTo(ctx, dir, each); err != nil {
		return fmt.Errorf("copy log %s to %s: %w", l.Origin(), dir, err)
	}
	return nil
}

func (l *Log) copyTo(ctx context.Context, dir string, each func(index int64, leaf []byte) error) error {
	root, err := openRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	to, head := &disk{root: root}, l.Head()
	for level := entries; level < 0 || count(level, head.Size) > 0; level++ {
		if err := l.copyLevel(ctx, to, level, head.Size); err != nil {
			return err
		}
	}
	sizes, err := l.CosignedSizes()
	if err != nil {
		return err
	}
	for _, name := range append(cosignedNames(sizes), aheadName, checkpointName) {
		if err := l.copyCheckpoint(to, name, head); err != nil {
			return err
		}
	}
	return verifyCopy(ctx, dir, l.verifier, each)
}

func cosignedNames(sizes []int64) (names []string) {
	for _, size := range sizes {
		names = append(names, cosignedName(size))
	}
	return names
}

func (l *Log) copyLevel(ctx context.Context, to *disk, level int, size int64) error {
	total := count(level, size)
	for start := int64(0); start < total; start += width {
		if err := ctx.Err(); err != nil {
			return err
		}
		t := tlog.Tile{H: height, L: level, N: start / width, W: int(min(total-start, width))}
		if t.W == width && to.has(t) {
			continue
		}
		if err := to.publish(tilePath(t), func(w io.Writer) error { return l.disk.copyTile(w, t) }); err != nil {
			return err
		}
	}
	return nil
}

// copyCheckpoint copies the file of a checkpoint; the log's own is the one that
// the tiles are of.
func (l *Log) copyCheckpoint(to *disk, name string, head Head) error {
	if name == checkpointName {
		return to.publish(name, head.write)
	}
	signed, err := l.disk.readSmall(name)
	if err != nil { // ahead is missing nearly always
		return to.remove(name)
	}
	return to.publish(name, (&Head{Signed: signed}).write)
}

func verifyCopy(ctx context.Context, dir string, verifier note.Verifier, each func(index int64, leaf []byte) error) error {
	copied, err := OpenClosed(dir, verifier)
	if err != nil {
		return err
	}
	return errors.Join(copied.Walk(ctx, 0, each), copied.Close())
}
