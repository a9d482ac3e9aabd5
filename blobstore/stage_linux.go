package blobstore

import (
	"crypto/rand"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// openUnnamed opens a new file without a name on the store's file system.
func openUnnamed(root *os.Root) (*os.File, error) {
	return root.OpenFile(tmpDir, unix.O_TMPFILE|unix.O_RDWR, 0o600)
}

// linkUnnamed names an unnamed file. It goes by /proc because linkat's
// AT_EMPTY_PATH needs a privilege on kernels before 6.10.
func linkUnnamed(f *os.File, root *os.Root, name string) error {
	dir, err := root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	from := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	err = unix.Linkat(unix.AT_FDCWD, from, int(dir.Fd()), path.Base(name), unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return &os.LinkError{Op: "linkat", Old: from, New: name, Err: err}
	}
	return nil
}

// canLinkUnnamed tries it out: some file systems lack O_TMPFILE, and some
// sandboxes lack /proc.
func canLinkUnnamed(root *os.Root) bool {
	f, err := openUnnamed(root)
	if err != nil {
		return false
	}
	defer f.Close()
	name := tmpDir + "/" + rand.Text()
	return linkUnnamed(f, root, name) == nil && root.Remove(name) == nil
}

// startWriteback has the kernel write a range of a file to the disk without
// waiting for it. It is a hint: whether the range got there, fsync tells.
func startWriteback(f *os.File, offset, size int64) {
	_ = unix.SyncFileRange(int(f.Fd()), offset, size, unix.SYNC_FILE_RANGE_WRITE)
}

// flush makes the bytes of a file durable.
func flush(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// forgetPages has the kernel drop what it holds of a file in memory, so that it
// is read from the disk. It is a hint, which leaves what was not written yet.
func forgetPages(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }
