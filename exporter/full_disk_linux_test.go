package exporter

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"licensekit/exporter/report"
)

// mountSmall mounts an 8 MiB file system of its own on a directory.
func mountSmall(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", dir).CombinedOutput()
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

// fillDisk takes all the room on a file system but for so many bytes.
func fillDisk(t *testing.T, path string, leave int64) {
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

func TestFullDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	blobs := filepath.Join(path, blobsDir)
	mountSmall(t, blobs)
	h := openHouse(t, path, Options{Workers: 1})
	h.fill(500)
	before := h.freeze(report.UsageLedger, "json")
	filler := filepath.Join(blobs, "filler")
	for _, leave := range []int64{0, 4 << 10, 16 << 10} {
		fillDisk(t, filler, leave)
		for _, format := range []string{"json", "csv"} {
			x := h.await(h.create(ask(t, report.UsageLedger, format)).ID, Failed)
			if x.Error == nil || x.Error.Code != "STORAGE_FULL" {
				t.Errorf("%s with %d bytes left: got failure %+v, want STORAGE_FULL", format, leave, x.Error)
			}
		}
	}
	if got := report.DigestOf(h.artifact(before.ID)); got != *before.ArtifactDigest {
		t.Errorf("an artifact of before: got %v, want %v", got, *before.ArtifactDigest)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"json", "csv"} {
		h.bundle(h.freeze(report.UsageLedger, format).ID)
	}
}
