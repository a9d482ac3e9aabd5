package tilelog

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"sync"
)

// disk is the directory of a log. Every change of it goes through here.
type disk struct {
	root *os.Root
	// fault is asked before every change, by tests that let one fail or look at
	// what a crash would leave there. It is nil otherwise.
	fault  func(op, name string) error
	asking sync.Mutex // held while fault is asked
	over   overlay    // of tiles that are about to be written
	// staged is where files are written before they have their name; [stagedName]
	// if empty.
	staged string
}

func (d *disk) change(op, name string, do func() error) error {
	if d.fault != nil {
		d.asking.Lock()
		err := d.fault(op, name)
		d.asking.Unlock()
		if err != nil {
			return err
		}
	}
	return do()
}

// publish makes a file appear at once, whole, and survive a power cut. A file
// that had the name is replaced.
func (d *disk) publish(name string, write func(io.Writer) error) error {
	drafts := drafts{disk: d}
	defer drafts.close()
	if err := drafts.add(name, write); err != nil {
		return err
	}
	if err := drafts.flush(); err != nil {
		return err
	}
	return d.place(drafts.list)
}

// makeDir makes a directory and its missing parents, each durable in its own.
func (d *disk) makeDir(dir string) error {
	if _, err := d.root.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := path.Dir(dir)
	if err := d.makeDir(parent); err != nil {
		return err
	}
	if err := d.change("mkdir", dir, func() error { return d.root.Mkdir(dir, 0o700) }); err != nil {
		return err
	}
	return d.syncDir(parent)
}

func (d *disk) syncDir(dir string) error {
	if runtime.GOOS == "windows" { // a directory can't be flushed there
		return nil
	}
	return d.change("syncdir", dir, func() error {
		f, err := d.root.Open(dir)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// remove removes a file, or a directory if it is empty. One that is not there
// is no error.
func (d *disk) remove(name string) error {
	if _, err := d.root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return d.change("remove", name, func() error { return d.root.Remove(name) })
}

// list gives the names in a directory, none if there is no such directory.
func (d *disk) list(dir string) ([]string, error) {
	f, err := d.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}
