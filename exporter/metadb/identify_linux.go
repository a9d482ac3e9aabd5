package metadb

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// identify tells which file has a name. Inodes are given again, and devices
// have other numbers after a restart; a birth to the nanosecond is one file's.
func identify(path string) (file, error) {
	var s unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &s)
	if err != nil {
		return file{}, fmt.Errorf("stat %s: %w", path, err)
	}
	f := file{
		Identity: fmt.Sprintf("inode %d on device %d:%d", s.Ino, s.Dev_major, s.Dev_minor),
		Changed:  s.Ctime.Sec*1e9 + int64(s.Ctime.Nsec), Size: int64(s.Size),
	}
	if s.Mask&unix.STATX_BTIME != 0 {
		f.Identity = fmt.Sprintf("inode %d born %d.%09d", s.Ino, s.Btime.Sec, s.Btime.Nsec)
	}
	return f, nil
}
