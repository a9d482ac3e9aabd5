//go:build !windows

package command

import (
	"os"
	"syscall"
)

// isOwn tells whether a directory is that of the user who runs this.
func isOwn(dir string) (bool, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return false, err
	}
	of, known := info.Sys().(*syscall.Stat_t)
	return !known || int(of.Uid) == os.Geteuid(), nil
}
