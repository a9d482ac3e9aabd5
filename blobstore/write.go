package blobstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"
)

// ErrTooLarge reports a blob that went past the limit given to [Store.Create].
var ErrTooLarge = errors.New("blob exceeds its size limit")

// Writer is a staged blob. It is an [io.Writer] that hashes what passes; each
// Write is a system call, so write in large pieces. It becomes a blob by
// Commit and vanishes by Abort; a caller defers Abort. Not for concurrent use.
type Writer struct {
	ctx   context.Context // the request that the blob is written for; its end fails the writer
	store *Store
	file  *staged // nil once committed or aborted
	hash  hash.Hash
	size  int64
	begun int64 // bytes that the disk was set to work on
	flush flusher
	limit int64
	err   error // what made the first Write fail; all later calls repeat it
}

const (
	// sideBySide is the size, in bytes, from which on a piece is hashed while it
	// is written; handing a smaller one to another processor does not pay.
	sideBySide = 64 << 10

	// writebackStep is how many bytes the disk is set to work on at a time, so
	// that the fsync of a large blob finds little left to do.
	writebackStep = 8 << 20
)

// Create begins a blob of at most limit bytes. It costs no lock and no name.
func (s *Store) Create(ctx context.Context, limit int64) (*Writer, error) {
	if err := s.usable(ctx); err != nil {
		return nil, fmt.Errorf("create blob: %w", err)
	}
	file, err := s.stage()
	if err != nil {
		return nil, fmt.Errorf("create blob: %w", err)
	}
	return &Writer{ctx: ctx, store: s, file: file, hash: sha256.New(), flush: flusher{file: file.File}, limit: limit}, nil
}

// Write adds to the blob. After an error the writer can only be aborted.
// Errors: [ErrTooLarge], the end of the context, and the system's (a full disk
// is syscall.ENOSPC).
func (w *Writer) Write(p []byte) (int, error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	if int64(len(p)) > w.limit-w.size {
		w.err = fmt.Errorf("write blob: %w of %d bytes", ErrTooLarge, w.limit)
		return 0, w.err
	}
	n, err := w.put(p)
	w.size += int64(n)
	if err != nil {
		w.err = fmt.Errorf("write blob: %w", err)
	}
	return n, w.err
}

// put writes and hashes a piece. After an error the hash is of no use.
func (w *Writer) put(p []byte) (int, error) {
	if len(p) < sideBySide {
		n, err := w.file.Write(p)
		w.hash.Write(p[:n])
		return n, err
	}
	hashed := make(chan struct{})
	go func() {
		defer close(hashed)
		w.hash.Write(p)
	}()
	n, err := w.file.Write(p)
	if whole := (w.size + int64(n)) / writebackStep * writebackStep; err == nil && whole > w.begun {
		startWriteback(w.file.File, w.begun, whole-w.begun)
		w.begun = whole
		err = w.flush.wrote(whole)
	}
	<-hashed
	return n, err
}

func (w *Writer) ready() error {
	switch {
	case w.file == nil:
		return fmt.Errorf("write blob: %w", os.ErrClosed)
	case w.err != nil:
		return w.err
	}
	if err := w.store.usable(w.ctx); err != nil {
		w.err = fmt.Errorf("write blob: %w", err)
	}
	return w.err
}

// Abort drops the blob, once a flush that is at work has ended. After Commit or
// another Abort it does nothing.
func (w *Writer) Abort() error {
	if w.file == nil {
		return nil
	}
	file := w.file
	w.file = nil
	w.flush.wait() // whatever it met, the bytes are not wanted
	if err := file.discard(); err != nil {
		return fmt.Errorf("abort blob: %w", err)
	}
	return nil
}
