package blobstore

import (
	"crypto/rand"
	"errors"
	"os"
)

// staged is a file that is being written. It has no name where the OS can do
// that, so a crash leaves nothing; otherwise it has one in tmp/.
type staged struct {
	*os.File
	root *os.Root
	name string // below root; "" if the file has none
}

func (s *Store) stage() (*staged, error) {
	if s.unnamed {
		f, err := openUnnamed(s.root)
		return &staged{File: f, root: s.root}, err
	}
	name := tmpDir + "/" + rand.Text()
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	return &staged{File: f, root: s.root, name: name}, err
}

// link gives the file a further name below the root. A name that is taken is
// an error, fs.ErrExist.
func (f *staged) link(name string) error {
	if f.name == "" {
		return linkUnnamed(f.File, f.root, name)
	}
	return f.root.Link(f.name, name)
}

// discard closes the file and takes its staging name away. Names that it was
// linked to stay.
func (f *staged) discard() error {
	err := f.Close()
	if f.name != "" {
		err = errors.Join(err, f.root.Remove(f.name))
	}
	return err
}
