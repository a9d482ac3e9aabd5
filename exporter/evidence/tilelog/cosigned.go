package tilelog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
)

// cosignedDir holds checkpoints that others have signed too, each named by its
// size.
const cosignedDir = "cosigned"

// ErrUnsound says that a kept file is no checkpoint of the log's, or not that of
// its size: it was damaged after it was kept.
var ErrUnsound = errors.New("the cosigned checkpoint is damaged")

func cosignedName(size int64) string { return cosignedDir + "/" + strconv.FormatInt(size, 10) }

// KeepCosigned keeps a checkpoint that others have signed too, durably, in the
// place of an earlier one of that size. It must be of this log's tree and
// signed by its key; who else signed it is for the caller. Errors:
// [ErrNotSigned], [ErrRolledBack] for one that this log does not continue.
func (l *Log) KeepCosigned(signed []byte) error {
	head, err := l.own(signed)
	if err == nil {
		l.turn <- struct{}{} // there is one file to write in
		defer func() { <-l.turn }()
		err = l.disk.publish(cosignedName(head.Size), head.write)
	}
	if err != nil {
		return fmt.Errorf("keep cosigned checkpoint of %s: %w", l.Origin(), err)
	}
	return nil
}

// own reads a checkpoint that the log's key signed and whose tree the log
// begins with.
func (l *Log) own(signed []byte) (Head, error) {
	c, err := VerifyCheckpoint(signed, l.verifier)
	if err != nil {
		return Head{}, err
	}
	if err := l.Continues(c); err != nil {
		return Head{c, signed}, fmt.Errorf("%w: %w", ErrRolledBack, err)
	}
	return Head{c, signed}, nil
}

// CosignedSizes are the sizes of the checkpoints that were kept, the smallest
// first.
func (l *Log) CosignedSizes() (sizes []int64, err error) {
	names, err := l.disk.list(cosignedDir)
	for _, name := range names {
		if size, err := parseNumber(name); err == nil {
			sizes = append(sizes, size)
		}
	}
	slices.Sort(sizes)
	return sizes, err
}

// Cosigned is the kept checkpoint of a size. Errors: fs.ErrNotExist,
// [ErrUnsound], and [ErrRolledBack] with the checkpoint that the log does not
// continue.
func (l *Log) Cosigned(size int64) (Head, error) {
	head, err := l.readCosigned(size)
	if err != nil {
		return head, fmt.Errorf("cosigned checkpoint %d of %s: %w", size, l.Origin(), err)
	}
	return head, nil
}

func (l *Log) readCosigned(size int64) (Head, error) {
	signed, err := l.disk.readSmall(cosignedName(size))
	if err != nil {
		return Head{}, err
	}
	head, err := l.own(signed)
	switch {
	case err != nil && !errors.Is(err, ErrRolledBack):
		err = fmt.Errorf("%w: %w", ErrUnsound, err)
	case head.Size != size:
		err = fmt.Errorf("%w: it is that of size %d", ErrUnsound, head.Size)
	}
	return head, err
}

// SetCosignedAside gives a damaged checkpoint another name, which ends in
// .damaged, so that a good one of that size can take its place.
func (l *Log) SetCosignedAside(size int64) error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	name := cosignedName(size)
	err := l.disk.change("rename", name, func() error { return l.disk.root.Rename(name, name+".damaged") })
	if err == nil {
		err = l.disk.syncDir(cosignedDir)
	}
	if err != nil {
		return fmt.Errorf("set cosigned checkpoint %d of %s aside: %w", size, l.Origin(), err)
	}
	return nil
}

// NewestCosigned is the largest kept checkpoint, fs.ErrNotExist if there is
// none. Errors: as those of [Log.Cosigned].
func (l *Log) NewestCosigned() (Head, error) {
	sizes, err := l.CosignedSizes()
	if err != nil {
		return Head{}, err
	}
	if len(sizes) == 0 {
		return Head{}, fmt.Errorf("cosigned checkpoint of %s: %w", l.Origin(), fs.ErrNotExist)
	}
	return l.Cosigned(sizes[len(sizes)-1])
}

// readSmall reads a file that holds a checkpoint.
func (d *disk) readSmall(name string) ([]byte, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxCheckpoint+1))
	if err == nil && len(text) > MaxCheckpoint {
		err = fmt.Errorf("%w: more than %d bytes, so it is no checkpoint", ErrUnsound, MaxCheckpoint)
	}
	return text, err
}
