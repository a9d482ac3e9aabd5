package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Blob is an open blob whose bytes were verified; see the package doc for what
// that means. It reads, seeks and reads at an offset; ReadAt is safe for
// concurrent use. The caller closes it.
type Blob struct {
	file *os.File
	size int64
}

// Open opens a blob for reading, hashing it first unless this process has done
// so and the file has not changed since: ctx ends that early. Errors:
// fs.ErrNotExist, *[CorruptError].
func (s *Store) Open(ctx context.Context, ref Ref) (*Blob, error) {
	file, info, err := s.openFile(ref)
	if err == nil && !s.verified.has(ref, info) {
		err = s.verifyOnce(ctx, ref, file)
	}
	if err != nil {
		if file != nil {
			file.Close()
		}
		return nil, fmt.Errorf("open blob %s: %w", ref, err)
	}
	return &Blob{file: file, size: info.Size()}, nil
}

// Has tells whether there is a blob, and not what its bytes are.
func (s *Store) Has(ref Ref) (bool, error) {
	info, err := s.root.Lstat(ref.path())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for blob %s: %w", ref, err)
	}
	return info.Mode().IsRegular(), nil
}

// openFile opens the blob's file, unverified. The type is looked at first: to
// open a pipe would wait for ever.
func (s *Store) openFile(ref Ref) (*os.File, fs.FileInfo, error) {
	info, err := s.root.Lstat(ref.path())
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is not a regular file: %s", ref.path(), info.Mode())
	}
	file, err := s.root.Open(ref.path())
	if err != nil {
		return nil, nil, err
	}
	if info, err = file.Stat(); err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// Size is the length of the blob in bytes.
func (b *Blob) Size() int64 { return b.size }

// Read reads on from the current offset.
func (b *Blob) Read(p []byte) (int, error) { return b.file.Read(p) }

// ReadAt reads at an offset and leaves the current one alone.
func (b *Blob) ReadAt(p []byte, off int64) (int, error) { return b.file.ReadAt(p, off) }

// Seek sets the offset of the next Read.
func (b *Blob) Seek(offset int64, whence int) (int64, error) { return b.file.Seek(offset, whence) }

// Close closes the blob.
func (b *Blob) Close() error { return b.file.Close() }

// SyscallConn lets net/http hand the file to the kernel's sendfile.
func (b *Blob) SyscallConn() (syscall.RawConn, error) { return b.file.SyscallConn() }
