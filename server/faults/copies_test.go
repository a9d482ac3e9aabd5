//go:build linux

package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"licensekit/exporter"
	"licensekit/server"
	"licensekit/server/client"
)

// Each of five tools copies an original twice, the second time onto what it had
// copied where it can. LICENSEKIT_COPIES sets how many originals there are: one
// that grows on and on is copied ever more slowly.
const (
	originals  = 6
	copyRounds = 2
)

// TestCopies copies directories under load, and opens the copies.
func TestCopies(t *testing.T) {
	needCopiers(t)
	copied, recovered, behind := 0, 0, 0
	for range count("LICENSEKIT_COPIES", originals) {
		o := newOriginal(t, program)
		for range copyRounds {
			for _, c := range o.copies(copiers) {
				copied++
				for _, problem := range c.problems {
					t.Errorf("%s: %v", c.by, problem)
				}
				if c.check.Copied != nil && c.check.Copied.Database != nil {
					t.Errorf("%s: its database was recovered: %v", c.by, c.check.Copied.Database)
				}
				recovered += one(c.check.Copied != nil && len(c.check.Copied.Logs) > 0)
				behind += one(c.behind)
			}
			if o.clients.complain(); t.Failed() {
				t.FailNow()
			}
		}
		o.end()
	}
	t.Logf("%d copies; the log of %d was mended, %d lacked entries that their log had signed", copied, recovered, behind)
}

// TestCopiesWithoutProtection is the control: what keeps copies whole is
// switched off, and the same test sees it.
func TestCopiesWithoutProtection(t *testing.T) {
	t.Parallel()
	unprotected := variant(t, "off")
	o := newOriginal(t, unprotected)
	for n := 1; n <= 40; n++ {
		for _, c := range o.copies([]copier{slowReader(20*time.Millisecond, 10*time.Second)}) {
			if c.check.Copied != nil && (len(c.problems) > 0 || c.check.Copied.Database != nil) {
				t.Logf("copy %d is damaged: %d things are missing or wrong, and what was wrong with its database: %.200v", n, len(c.problems), c.check.Copied.Database)
				o.end()
				return
			}
		}
	}
	t.Error("got 40 whole copies with the protection off: the test sees nothing")
}

// TestCopiesThatTakeTooLong reads longer than the window: exports are there all
// the same, and the copy says which earlier state of the rest it has.
func TestCopiesThatTakeTooLong(t *testing.T) {
	t.Parallel()
	o := newOriginal(t, variant(t, "200ms"))
	for n := 1; n <= 3; n++ {
		for _, c := range o.copies([]copier{slowReader(20*time.Millisecond, 10*time.Second)}) {
			if c.check.Copied == nil {
				t.Fatalf("copy %d: got %v, want it to open", n, c.problems)
			}
			r := c.check.Copied.Database
			if r == nil {
				continue
			}
			if r.From == "" || r.Transaction == 0 || r.Problem == "" || r.Kept == "" {
				t.Errorf("copy %d: got %+v, want what was wrong and what it was recovered from", n, r)
			}
			for _, problem := range c.lost {
				if strings.HasSuffix(problem.Error(), ": it is gone") { // it was not in the log, and no snapshot had it yet
					continue
				}
				t.Errorf("copy %d, recovered from %s: %v", n, r.From, problem)
			}
			t.Logf("copy %d was recovered from %s; %d exports were entered again", n, r.From, len(c.check.Copied.Entered))
			o.end()
			return
		}
	}
	t.Error("got 3 copies as whole ones, though each was read for longer than the window")
}

// TestCopyAcrossARestart copies while the server is stopped and started again.
func TestCopyAcrossARestart(t *testing.T) {
	t.Parallel()
	o := newOriginal(t, program)
	restarts := 0
	for range 3 {
		slow := slowReader(5*time.Millisecond, 5*time.Second)
		across := copier{slow.name, func(from, to, beside string) error {
			copied := make(chan error, 1)
			go func() { copied <- slow.copy(from, to, beside) }()
			o.end()
			o.start()
			restarts++
			stop := o.load()
			err := <-copied
			stop()
			return err
		}}
		for _, c := range o.copies([]copier{across}) {
			for _, problem := range c.problems {
				t.Errorf("%s, after %d restarts: %v", c.by, restarts, problem)
			}
		}
	}
	o.end()
}

// variant builds the program with another protection of copies.
func variant(t *testing.T, copies string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "licensekit")
	if out, err := build(path, copies); err != nil {
		t.Fatalf("build the program: got %v: %s", err, out)
	}
	return path
}

// original is a directory in use, under load while it is copied.
type original struct {
	t       *testing.T
	program string
	dir     string
	admin   string
	clients *clients
	server  *instance
}

func newOriginal(t *testing.T, program string) *original {
	t.Helper()
	o := &original{t: t, program: program, dir: filepath.Join(t.TempDir(), "data")}
	o.admin = newDirectory(t, o.dir)
	o.clients = &clients{t: t, book: &book{}, rotates: true}
	o.start()
	return o
}

func (o *original) start() {
	o.t.Helper()
	o.server = launchProgram(o.t, o.program, o.dir, nil)
	if !o.server.up(o.admin) {
		o.t.Fatalf("start: got the end of the process, want a server:\n%s", &o.server.output)
	}
	o.clients.settle(o.server)
}

// load has clients work until stop is called, and returns once they do.
func (o *original) load() (stop func()) {
	o.t.Helper()
	ctx, cancel := context.WithCancel(o.t.Context())
	before := len(o.clients.book.all())
	ended := o.clients.begin(ctx, o.server, 6)
	for deadline := time.Now().Add(patience); len(o.clients.book.all()) < before+100; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			o.t.Fatalf("load: the clients get nothing done:\n%s", &o.server.output)
		}
	}
	return func() { cancel(); ended() }
}

func (o *original) end() {
	o.t.Helper()
	if code := o.server.stop(); code != 0 {
		o.t.Errorf("stop: got exit code %d, want 0:\n%s", code, &o.server.output)
	}
}

// taken is a copy and what was found in it.
type taken struct {
	by       string
	check    exporter.CheckResult
	behind   bool
	problems []error
	lost     []error // those among them about exports
}

// copies has tools copy the directory at the same time, and looks into each copy.
func (o *original) copies(tools []copier) []taken {
	o.t.Helper()
	all := make([]taken, len(tools))
	facts := make([][]fact, len(tools))
	parent := o.t.TempDir()
	stop := o.load()
	var copying sync.WaitGroup
	for n, by := range tools {
		copying.Go(func() {
			facts[n] = o.clients.book.all()
			all[n].by = by.name
			beside := filepath.Join(filepath.Dir(o.dir), "beside")
			err := os.MkdirAll(beside, 0o700)
			if err == nil {
				err = by.copy(o.dir, filepath.Join(parent, fmt.Sprint(n)), beside)
			}
			if err != nil {
				all[n].problems = append(all[n].problems, err)
			}
		})
	}
	copying.Wait()
	stop()
	var looking sync.WaitGroup
	for n := range all {
		looking.Go(func() {
			dir := filepath.Join(parent, fmt.Sprint(n))
			if all[n].problems == nil {
				all[n].look(o.t, dir, o.admin, facts[n])
			}
			if err := os.RemoveAll(dir); err != nil {
				o.t.Error(err)
			}
		})
	}
	looking.Wait()
	return all
}

// look opens a copy by a server, a process of its own whose time is limited, has
// it check the copy, and compares what it answers with what had been acknowledged.
func (c *taken) look(t *testing.T, dir, admin string, facts []fact) {
	t.Helper()
	i := launch(t, dir, nil)
	if !i.up(admin) {
		c.problems = append(c.problems, fmt.Errorf("serve: got the end of the process:\n%s", &i.output))
		return
	}
	// As the owner: an earlier state of the database may not know the token.
	i.api = client.Owned(func(ctx context.Context) (net.Conn, error) { return server.DialOwner(ctx, dir) })
	defer i.api.Close()
	c.behind = strings.Contains(i.output.String(), "no exports can be frozen")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := i.api.Call(ctx, http.MethodGet, "/api/v1/system/check", nil, nil, &c.check); err != nil {
		c.problems = append(c.problems, fmt.Errorf("check: %w", err))
	}
	for _, p := range c.check.Problems {
		if !c.isKnown(p) {
			c.problems = append(c.problems, fmt.Errorf("check: %+v", p))
		}
	}
	c.compare(i, facts)
	if code := i.stop(); code != 0 {
		c.problems = append(c.problems, fmt.Errorf("stop: got exit code %d:\n%s", code, &i.output))
	}
}

// isKnown tells whether a check must find that: the database was replaced, or the
// log is behind, and a rotation that it lacks with it. A copy across a restart
// may not know that it was in use, where these would be warnings.
func (c *taken) isKnown(p exporter.Problem) bool {
	copied := c.check.Copied
	unaware := c.behind && (copied == nil || !copied.InUse)
	switch p.What {
	case "database":
		return copied != nil && copied.Database != nil
	case "log":
		return unaware && strings.Contains(p.Problem, exporter.ErrBehind.Error())
	case "key":
		return unaware
	}
	return false
}

// compare wants all that was acknowledged to be there. An export that was not
// ready then may have become so while it was copied, and be named, or wait for
// the log to be restarted.
func (c *taken) compare(i *instance, facts []fact) {
	named := map[string]bool{}
	for _, w := range c.check.Warnings {
		named[w.ID] = true
	}
	exports := about(facts, export)
	for n, f := range exports {
		if err := copiedExport(i, f.export, named[f.id], n >= len(exports)-20); err != nil {
			c.lost = append(c.lost, err)
		}
	}
	var rest []fact
	for _, f := range facts {
		if f.of != export {
			rest = append(rest, f)
		}
	}
	c.problems = append(append(c.problems, c.lost...), missing(i, rest, false)...)
}

func copiedExport(i *instance, known exporter.Export, named, artifact bool) error {
	var got exporter.Export
	_, err := i.api.Call(i.t.Context(), http.MethodGet, "/api/v1/reports/exports/"+string(known.ID), nil, nil, &got)
	var answer *client.Error
	if errors.As(err, &answer) && answer.Status == http.StatusNotFound && known.Status != exporter.Ready {
		return fmt.Errorf("export %s, once %s: it is gone", known.ID, known.Status)
	}
	if err != nil {
		return fmt.Errorf("export %s, once %s: %w", known.ID, known.Status, err)
	}
	if known.Status != exporter.Ready {
		return nil
	}
	if got.Status != exporter.Ready || *got.ArtifactDigest != *known.ArtifactDigest || *got.LogIndex != *known.LogIndex || named {
		return fmt.Errorf("export %s: got %+v, named as not whole: %t; want %+v", known.ID, got, named, known)
	}
	if !artifact {
		return nil
	}
	if _, _, err := i.get("/api/v1/reports/exports/" + string(known.ID) + "/bundle"); err != nil {
		return fmt.Errorf("bundle of %s, entry %d: %w", known.ID, *known.LogIndex, err)
	}
	return fetch(i.t.Context(), i.api, got)
}
