//go:build !windows

package exporter

import "golang.org/x/sys/unix"

// room is the free room of the file system that a path is on, in bytes.
func room(path string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
