//go:build linux

package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// copier copies a directory while it is in use. beside is a directory that is
// the same for all copies by one tool of one original.
type copier struct {
	name string
	copy func(from, to, beside string) error
}

// copiers are the four ways, rsync whole and onto what it copied before.
var copiers = []copier{
	{"cp -r", func(from, to, _ string) error { return tool([]int{1}, "cp", "-r", from, to) }},
	{"tar", func(from, to, _ string) error {
		if err := os.Mkdir(to, 0o700); err != nil {
			return err
		}
		return tool([]int{1}, "sh", "-c", `tar -C "$0" -c . | tar -C "$1" -x`, from, to)
	}},
	{"rsync -a", func(from, to, _ string) error { return tool([]int{24}, "rsync", "-a", from+"/", to) }},
	{"rsync -a, again", func(from, to, beside string) error {
		mirror := filepath.Join(beside, "mirror")
		return errors.Join(tool([]int{24}, "rsync", "-a", "--delete", from+"/", mirror), tool(nil, "cp", "-a", mirror, to))
	}},
	slowReader(2*time.Millisecond, 2*time.Second),
}

// tool runs a program. That files vanished or changed under it is what some say
// by an exit code.
func tool(fine []int, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	out, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() == nil && cmd.ProcessState != nil && slices.Contains(fine, cmd.ProcessState.ExitCode()) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// slowReader rests for a while between some files and between the chunks of
// large ones, as long as all of its rests are within a time: what it copies
// grows all the while, and may do so faster than it reads.
func slowReader(rest, inAll time.Duration) copier {
	return copier{"a slow reader", func(from, to, _ string) error {
		return (&slowness{rest, inAll}).copyDir(from, to)
	}}
}

// slowness is how a slow reader rests.
type slowness struct{ rest, left time.Duration }

func (s *slowness) pause() {
	if s.left >= s.rest {
		s.left -= s.rest
		time.Sleep(s.rest)
	}
}

// copyDir goes through a directory in any order.
func (s *slowness) copyDir(from, to string) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = os.Mkdir(to, 0o700)
	}
	if err != nil {
		return err
	}
	rand.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	for _, entry := range entries {
		a, b := filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())
		switch {
		case entry.IsDir():
			err = s.copyDir(a, b)
		case entry.Type().IsRegular():
			err = s.copyFile(a, b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *slowness) copyFile(from, to string) error {
	source, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) { // it was listed, and is gone
		return nil
	}
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o200)
	if err != nil {
		return err
	}
	defer target.Close()
	chunk, hole := make([]byte, 64<<10), make([]byte, 64<<10)
	for n := 0; ; n++ {
		read, err := source.Read(chunk)
		if read > 0 {
			if _, err := target.Write(chunk[:read]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 && !bytes.Equal(chunk[:read], hole[:read]) || n == 0 && rand.IntN(50) == 0 {
			s.pause()
		}
	}
}

func needCopiers(t *testing.T) {
	t.Helper()
	for _, name := range []string{"tar", "rsync"} {
		need(t, name)
	}
}
