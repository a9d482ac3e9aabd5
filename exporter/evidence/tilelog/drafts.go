package tilelog

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// stagedName is where files of a log are written; where there are several, the
// others have a number behind it. There is one writer, so a crash leaves a few
// such files at most, and the next writer replaces them.
const stagedName = ".staged"

// maxBeside is for how many leaves at the same time it is waited for what is done
// beside them.
const maxBeside = 16

// writers and readers keep buffers for the next append.
var (
	writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 64<<10) }}
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}
)

// drafts are files that are written together. None has its name before all are
// flushed, which takes about as long as it does for one.
type drafts struct {
	disk *disk
	list []draft
}

type draft struct {
	name   string   // that it is to have
	staged string   // that it has
	file   *os.File // until it is closed
}

// add writes a file that nobody sees yet.
func (s *drafts) add(name string, write func(io.Writer) error) error {
	staged := cmp.Or(s.disk.staged, stagedName)
	if n := len(s.list); n > 0 {
		staged = fmt.Sprintf("%s.%d", staged, n)
	}
	if err := s.disk.remove(staged); err != nil {
		return err
	}
	return s.disk.change("write", staged, func() error {
		f, err := s.disk.root.OpenFile(staged, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
		if err != nil {
			return err
		}
		s.list = append(s.list, draft{name, staged, f})
		w := writers.Get().(*bufio.Writer)
		defer writers.Put(w)
		w.Reset(f)
		if err := write(w); err != nil {
			return err
		}
		return w.Flush()
	})
}

// flush makes the contents durable, and does beside it what else is to be done
// before they get their names. It waits for all of that. An error of beside is
// given only where the contents are durable.
func (s *drafts) flush(beside ...func() error) error {
	var own, others errgroup.Group
	for i := range s.list {
		draft := &s.list[i]
		own.Go(func() error {
			err := s.disk.change("sync", draft.staged, draft.file.Sync)
			return errors.Join(err, draft.close())
		})
	}
	others.SetLimit(maxBeside)
	for _, do := range beside {
		others.Go(do)
	}
	err := others.Wait()
	return cmp.Or(own.Wait(), err)
}

// place gives files that are flushed their names, durably. After an error it is
// unknown which have them.
func (d *disk) place(list []draft) error {
	var dirs []string
	for _, draft := range list {
		dir := path.Dir(draft.name)
		if err := d.makeDir(dir); err != nil {
			return err
		}
		err := d.change("rename", draft.name, func() error { return d.root.Rename(draft.staged, draft.name) })
		if err != nil {
			return err
		}
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	var group errgroup.Group
	for _, dir := range dirs {
		group.Go(func() error { return d.syncDir(dir) })
	}
	return group.Wait()
}

// close lets go of what was not flushed.
func (s *drafts) close() {
	for i := range s.list {
		_ = s.list[i].close()
	}
}

func (d *draft) close() error {
	if d.file == nil {
		return nil
	}
	f := d.file
	d.file = nil
	return f.Close()
}
