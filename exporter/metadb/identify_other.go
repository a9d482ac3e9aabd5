//go:build !linux

package metadb

import "os"

// identify tells a file by its size and time alone: without more, one that was
// not closed is taken for a copy.
func identify(path string) (file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return file{}, err
	}
	return file{Changed: info.ModTime().UnixNano(), Size: info.Size()}, nil
}
