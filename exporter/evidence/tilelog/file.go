package tilelog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"
)

// File is a file of the log for others to read.
type File struct {
	io.ReadSeeker
	Size    int64 // bytes
	Entries bool  // it holds leaves, which may not be for everybody
	Mutable bool  // it is the checkpoint; all others never change
	close   func() error
}

// Close lets go of the file.
func (f *File) Close() error { return f.close() }

// File opens a file by its name in C2SP tlog-tiles: "checkpoint" or a tile
// within the newest durable checkpoint. A partial tile that was removed is cut
// from a wider one. Errors: fs.ErrNotExist, also where the name is none.
func (l *Log) File(name string) (*File, error) {
	head := l.head.Load()
	if name == checkpointName {
		return &File{bytes.NewReader(head.Signed), int64(len(head.Signed)), false, true, func() error { return nil }}, nil
	}
	t, err := parseTilePath(name)
	if err != nil {
		return nil, err
	}
	if t.L > 5 || t.N < 0 || t.N > MaxSize || t.N*width+int64(t.W) > count(t.L, head.Size) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	f, err := l.disk.openTile(t)
	if err != nil {
		return nil, err
	}
	size := int64(t.W * tlog.HashSize)
	if t.L == entries {
		size = 0
		err = readEntries(f, t.W, func(_ int, leaf []byte) error { size += 2 + int64(len(leaf)); return nil })
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", name, err), f.Close())
	}
	return &File{io.NewSectionReader(f, 0, size), size, t.L == entries, false, f.Close}, nil
}
