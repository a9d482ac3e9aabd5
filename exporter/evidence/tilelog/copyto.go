package tilelog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// CopyTo copies the log, as its checkpoint has it, to another directory, which
// may hold an earlier state of it: full tiles that are there are not written
// again, and cosigned checkpoints of the sizes that are named as damaged do not
// take the place of any that is there. The checkpoint comes last, and then every
// leaf of the copy is read and verified. each is told of the leaves that stand in
// it.
func (l *Log) CopyTo(ctx context.Context, dir string, damaged []int64, each func(index int64, leaf []byte) error) error {
	if err := l.copyTo(ctx, dir, damaged, each); err != nil {
		return fmt.Errorf("copy log %s to %s: %w", l.Origin(), dir, err)
	}
	return nil
}

func (l *Log) copyTo(ctx context.Context, dir string, damaged []int64, each func(index int64, leaf []byte) error) error {
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
	if err := errors.Join(l.copyCosigned(to, damaged), l.copyAhead(to)); err != nil {
		return err
	}
	if err := to.publish(checkpointName, head.write); err != nil {
		return err
	}
	return verifyCopy(ctx, dir, l.verifier, each)
}

func (l *Log) copyCosigned(to *disk, damaged []int64) error {
	sizes, err := l.CosignedSizes()
	if err != nil {
		return err
	}
	for _, size := range sizes {
		name := cosignedName(size)
		if _, err := to.root.Lstat(name); err == nil && slices.Contains(damaged, size) {
			continue
		}
		signed, err := l.disk.readSmall(name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrUnsound) { // just set aside, or too long
			continue
		}
		if err == nil {
			err = to.publish(name, (&Head{Signed: signed}).write)
		}
		if err != nil {
			return err
		}
	}
	return nil
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

// copyAhead copies what is missing nearly always.
func (l *Log) copyAhead(to *disk) error {
	signed, err := l.disk.readSmall(aheadName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return to.remove(aheadName)
	case err != nil:
		return err
	}
	return to.publish(aheadName, (&Head{Signed: signed}).write)
}

func verifyCopy(ctx context.Context, dir string, verifier note.Verifier, each func(index int64, leaf []byte) error) error {
	copied, err := OpenClosed(dir, verifier)
	if err != nil {
		return err
	}
	return errors.Join(copied.Walk(ctx, 0, each), copied.Close())
}
