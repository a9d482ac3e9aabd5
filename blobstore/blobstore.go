// Package blobstore keeps files that never change, each named by the SHA-256
// of its own content.
//
// # Layout
//
//	<dir>/sha256/ab/<64 hex>   blobs, mode 0400, in 256 shards by first byte
//	<dir>/tmp/                 staged blobs, where the OS needs a name for them
//	<dir>/quarantine/          damaged blobs that lost their name, <name>.<digest>
//	<dir>/condemned/<64 hex>   marks of collection: not needed since the mark's mtime
//	<dir>/trash/<64 hex>       collected blobs, until their second grace is over
//
// # Promises
//
//   - A name under sha256/ appears at once and whole: a copier of the directory
//     never sees half a blob under it.
//   - When [Writer.Commit] has returned, the blob survives a power cut. An
//     fsync that failed is never tried again: the blob is discarded, and where
//     a directory was concerned the store takes no more blobs ([ErrFault]).
//   - Nothing replaces a good blob. One that a Commit finds under its name is
//     hashed, never trusted; a bad one is kept in quarantine/ and the good
//     bytes take its place.
//   - Verified reads: no byte of a blob is served before all of them were
//     hashed, in this process, through the file that serves them. That the
//     hash was right is remembered for as long as the file keeps its inode,
//     size and mtime, so a range request does not hash again. Damage that
//     comes after that is found by [Store.Verify], by the next process, or
//     when one of the three changes; a writer that keeps them all (or a disk
//     that rots between the hashing and the reading) is not seen until then.
//     A Commit is not remembered: the first read hashes what the disk holds.
//
// # Refusals
//
// A name is 64 lower-case hex digits or it is refused, and files are reached
// through an [os.Root], so nothing outside of the directory can be named. One
// process at a time may have a directory open; the caller sees to that. The
// file system must have hard links.
package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// The directories of a store; see the package's layout.
const (
	blobDir       = "sha256"
	tmpDir        = "tmp"
	quarantineDir = "quarantine"
	condemnedDir  = "condemned"
	trashDir      = "trash"
)

// ErrFault reports a store that takes no more blobs because an fsync of one of
// its directories failed: what the disk holds is unknown until it is reopened.
var ErrFault = errors.New("blob store is out of service after a failed fsync")

// Store is a directory of blobs. It is safe for concurrent use.
type Store struct {
	root     *os.Root
	unnamed  bool // staged files need no name (O_TMPFILE works here)
	locks    locks
	verified verified

	faultMu sync.Mutex
	fault   error // first failed fsync of a directory, guarded by faultMu
}

// Open opens the store in dir, making it and its shards durably if they are
// not there, and empties its tmp/.
func Open(dir string) (*Store, error) {
	s, err := open(dir)
	if err != nil {
		return nil, fmt.Errorf("open blob store %s: %w", dir, err)
	}
	s.unnamed = canLinkUnnamed(s.root)
	return s, nil
}

func open(dir string) (*Store, error) {
	if err := makeDurable(dir); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{root: root}
	if err := errors.Join(s.makeDirs(), s.emptyTmp()); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

// Close lets go of the directory. Open blobs stay readable.
func (s *Store) Close() error { return s.root.Close() }

// makeDurable makes dir and its missing parents, each fsynced into its own.
func makeDurable(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := makeDurable(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(parent)
	if err != nil {
		return err
	}
	defer d.Close()
	return syncDir(d)
}

// makeDirs makes what is missing below the root and makes the names durable,
// even when nothing was missing: a process that made them may have died before
// it came to that. A new shard itself is fsynced with its first blob.
func (s *Store) makeDirs() error {
	dirs := []string{blobDir, tmpDir, quarantineDir, condemnedDir, trashDir}
	for i := range 256 {
		dirs = append(dirs, shard(byte(i)))
	}
	for _, dir := range dirs {
		if err := s.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return errors.Join(s.syncDir(blobDir), s.syncDir("."))
}

func (s *Store) emptyTmp() error {
	leftovers, err := fs.ReadDir(s.root.FS(), tmpDir)
	for _, leftover := range leftovers {
		err = errors.Join(err, s.root.RemoveAll(tmpDir+"/"+leftover.Name()))
	}
	return err
}

// syncDir makes the names in a directory durable. After an error the kernel
// may have dropped what it could not write, and a later fsync would succeed
// without it; so the store stops taking blobs.
func (s *Store) syncDir(name string) error {
	d, err := s.root.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return s.stopOn(syncDir(d))
}

// stopOn passes on the error of an fsync whose loss can't be made good.
func (s *Store) stopOn(err error) error {
	if err == nil {
		return nil
	}
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	if s.fault == nil {
		s.fault = fmt.Errorf("%w: %w", ErrFault, err)
	}
	return s.fault
}

// usable tells whether blobs may be added: ctx is live, and no fsync failed.
func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	return s.fault
}
