//go:build linux

package blobstore

import (
	"errors"
	"io"
	"math"
	"path/filepath"
	"syscall"
	"testing"

	"licensekit/blobstore/smalldisk"
)

// smallDisk gives the directory of a file system of 8 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	smalldisk.Mount(t, dir, "8m")
	return dir
}

func TestFullDisk(t *testing.T) {
	for name, open := range stagings {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(smallDisk(t), "blobs")
			s := open(t, dir)
			defer s.Close()
			before := put(t, s, "before")
			w := create(t, t.Context(), s, math.MaxInt64)
			var err error
			for range 200 {
				if _, err = w.Write(make([]byte, 100_001)); err != nil {
					break
				}
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("write on a full disk: got %v, want ENOSPC", err)
			}
			if _, _, err := w.Commit(); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("commit after that: got %v, want ENOSPC", err)
			}
			wantTree(t, s, dir, before.path())
			after := put(t, s, "room again")
			wantContent(t, s, before, "before")
			wantTree(t, s, dir, before.path(), after.path())
		})
	}
}

// TestReadOnly opens a store on a disk that nobody can write to, as an
// auditor's mount is.
func TestReadOnly(t *testing.T) {
	mount := smallDisk(t)
	dir := filepath.Join(mount, "blobs")
	writable, err := Open(dir)
	s := opened(t, writable, err)
	ref := put(t, s, "to be read")
	s.Close()
	smalldisk.Remount(t, mount, "ro")
	readOnly, err := Open(dir)
	s = opened(t, readOnly, err)
	defer s.Close()
	wantContent(t, s, ref, "to be read")
	if err := s.Verify(t.Context(), ref); err != nil {
		t.Errorf("verify: got %v, want no error", err)
	}
	if _, err := s.Create(t.Context(), 1); !errors.Is(err, syscall.EROFS) {
		t.Errorf("create: got %v, want EROFS", err)
	}
}

// tryPut commits content and gives the error of the first step that failed.
func tryPut(t *testing.T, s *Store, content string) error {
	t.Helper()
	w, err := s.Create(t.Context(), 100)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.WriteString(w, content); err != nil {
		return err
	}
	_, _, err = w.Commit()
	return err
}
