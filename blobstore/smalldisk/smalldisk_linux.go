// Package smalldisk gives tests a file system of their own that is soon full.
// It takes root; without it such a test is skipped, or fails in CI.
package smalldisk

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// Mount mounts one of a size, such as 8m, on a directory, which it makes if it
// is missing. It is gone when the test ends.
func Mount(t *testing.T, dir, size string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=0700,size="+size, "tmpfs", dir).CombinedOutput()
	if err != nil && os.Getenv("CI") == "true" && os.Geteuid() == 0 {
		t.Fatalf("mount tmpfs as root: got %v: %s", err, out)
	}
	if err != nil {
		t.Skipf("needs root and CAP_SYS_ADMIN to mount a tmpfs: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount %s: got %v: %s", dir, err, out)
		}
	})
}

// Remount lets a file system be written to or not: rw, ro.
func Remount(t *testing.T, dir, mode string) {
	t.Helper()
	if out, err := exec.Command("mount", "-o", "remount,"+mode, dir).CombinedOutput(); err != nil {
		t.Fatalf("remount %s %s: got %v: %s", dir, mode, err, out)
	}
}

// Fill takes all the room on a file system but for so many bytes, with a file
// that makes room again once it is removed.
func Fill(t *testing.T, path string, leave int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := int64(0)
	for err == nil {
		var n int
		n, err = f.Write(make([]byte, 4<<10))
		size += int64(n)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: got %v, want ENOSPC", err)
	}
	if err := f.Truncate(size - leave); err != nil {
		t.Fatal(err)
	}
}
