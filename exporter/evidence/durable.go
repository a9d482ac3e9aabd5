package evidence

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// createDurably makes a file that only its owner can read, whole or not at
// all, and makes its name survive a power cut. The name is given by a link,
// which unlike a rename never replaces a file: then it is fs.ErrExist.
func createDurably(path string, content []byte) error {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	return staged(path, content, os.Link)
}

// replaceDurably is [createDurably] for a file that may be there: then there is
// the old one or the new one at any time.
func replaceDurably(path string, content []byte) error { return staged(path, content, os.Rename) }

// staged writes a file under another name, then lets it have its own.
func staged(path string, content []byte, name func(from, to string) error) error {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(content)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := name(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// makeDir makes a directory and its missing parents, each durable in its own.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // a directory can't be flushed there
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
