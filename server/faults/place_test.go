//go:build linux

package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// placeName is the file by which a data directory is told from its copies. After
// a power cut it is the same directory, and what a replay makes is not, so the
// file is made to say what it would.
const placeName = "meta.db.place"

type place struct {
	Database placed `json:"database"`
	Stable   placed `json:"stable"`
}

type placed struct {
	Identity string `json:"identity"`
	Changed  int64  `json:"changed"`
	Size     int64  `json:"size"`
}

// meet keeps which files a place that was just written is about.
func (r *replay) meet(text []byte, dir string) {
	var p place
	if json.Unmarshal(text, &p) == nil {
		r.placed[p.Database.Identity] = r.medium.root.find(filepath.Join(dir, "meta.db"))
		r.placed[p.Stable.Identity] = r.medium.root.find(filepath.Join(dir, "licensekit.json"))
	}
}

// settlePlace has the place of a directory that was made from the medium say of
// the files in it what it said of those that they were made from. Where these are
// others, as after a power cut between the new name of a file and the place that
// tells of it, the directory is moved: it will be taken for a copy.
func (r *replay) settlePlace(dir string, made map[*inode]string) (moved bool, err error) {
	path := filepath.Join(dir, placeName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	var p place
	if err != nil || json.Unmarshal(text, &p) != nil { // it was not written whole
		return false, err
	}
	for of, name := range map[*placed]string{&p.Database: "meta.db", &p.Stable: "licensekit.json"} {
		n := r.placed[of.Identity]
		file := filepath.Join(dir, name)
		if n == nil || made[n] == "" || !sameFile(made[n], file) {
			moved = true
			continue
		}
		now, err := identify(file)
		if err != nil {
			return moved, err
		}
		if of.Identity = now.Identity; of.Changed != 0 {
			of.Changed = now.Changed
		}
	}
	if text, err = json.Marshal(p); err != nil {
		return moved, err
	}
	return moved, os.WriteFile(path, append(text, '\n'), 0o600)
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	two, again := os.Stat(b)
	return errors.Join(err, again) == nil && os.SameFile(one, two)
}

func identify(path string) (p placed, err error) {
	var s unix.Statx_t
	err = unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &s)
	if err == nil && s.Mask&unix.STATX_BTIME == 0 {
		err = fmt.Errorf("%s: %w: its file system has no time of birth", path, errors.ErrUnsupported)
	}
	return placed{
		Identity: fmt.Sprintf("inode %d born %d.%09d", s.Ino, s.Btime.Sec, s.Btime.Nsec), Changed: s.Ctime.Sec*1e9 + int64(s.Ctime.Nsec), Size: int64(s.Size),
	}, err
}
