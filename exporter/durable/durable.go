// Package durable makes and names files so that they survive a power cut: a
// file appears at once and whole, and when a call has returned, its name is on
// the disk.
//
// Files have mode 0600 and directories 0700. On Windows a directory can't be
// flushed, so a name may be lost there, though no file is ever half. The file
// system must have hard links.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Content is what [Create] and [Replace] are given to write some bytes.
func Content(content []byte) func(*os.File) error {
	return func(f *os.File) error {
		_, err := f.Write(content)
		return err
	}
}

// Create makes a file, staged under a name of its own in a directory of the
// same file system. It replaces nothing: a file that is there is fs.ErrExist.
func Create(path, staging string, write func(*os.File) error) error {
	if err := stage(path, staging, write, os.Link); err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return nil
}

// Replace is [Create] for a file that may be there: at any time there is the
// old one or the new one.
func Replace(path, staging string, write func(*os.File) error) error {
	if err := stage(path, staging, write, os.Rename); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func stage(path, staging string, write func(*os.File) error, name func(from, to string) error) error {
	f, err := os.CreateTemp(staging, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = name(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// Rename gives a file or directory another name in the same file system.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

// MakeDir makes a directory and its missing parents, each durable in its own.
func MakeDir(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := MakeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(parent)
}

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
