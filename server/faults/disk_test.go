//go:build linux

package faults

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"licensekit/blobstore/smalldisk"
	"licensekit/server/client"
)

// excuse lets answers pass that say that the disk is at fault.
func excuse(codes ...string) func(*client.Error) bool {
	return func(answer *client.Error) bool {
		for _, code := range codes {
			if answer.Code == code {
				return true
			}
		}
		return false
	}
}

// wantOutage looks at a server that ended by itself.
func wantOutage(t *testing.T, what string, i *instance) {
	t.Helper()
	code, said := i.wait(), i.output.String()
	if code != 1 || !strings.Contains(said, "hint: ") || strings.Contains(said, "goroutine ") {
		t.Errorf("%s: got exit code %d, want 1 with a hint and no trace of a crash:\n%s", what, code, said)
	}
}

// endedBy waits a little for a server to have ended.
func (i *instance) endedBy(within time.Duration) bool {
	select {
	case <-i.ended:
		return true
	case <-time.After(within):
		return false
	}
}

// need finds a program, or ends the test.
func need(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing: apt-get install %s", name, name)
		}
		t.Skipf("needs %s: apt-get install %s", name, name)
	}
}

// traced finds the process that a tracer runs: 0 if it has ended.
func (i *instance) traced() (pid int) {
	i.t.Helper()
	tracer := i.cmd.Process.Pid
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", tracer, tracer))
	child := strings.TrimSpace(string(text))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || err == nil && child == "" {
		return 0
	}
	if err == nil {
		pid, err = strconv.Atoi(child)
	}
	if err != nil {
		i.t.Fatalf("children of the tracer: got %q, %v; want one", text, err)
	}
	return pid
}

// injections are the system calls by which something comes to the disk, each
// with the errors that it is made to end in and how often it is looked at: the
// nth call of each thread, for n from 1 on.
var injections = []struct {
	call, failure string
	upTo          int
}{
	{"pwrite64", "EIO", 6}, {"pwrite64", "ENOSPC", 8},
	{"fdatasync", "EIO", 6},
	{"fsync", "EIO", 6}, {"fsync", "ENOSPC", 2},
	{"linkat", "EIO", 3}, {"linkat", "ENOSPC", 3},
	{"renameat", "EIO", 4}, {"renameat", "ENOSPC", 2},
	{"ftruncate", "ENOSPC", 1},
}

// TestInjectedErrors has system calls fail in a run of everything that writes,
// and in the start before it.
func TestInjectedErrors(t *testing.T) {
	need(t, "strace")
	t.Parallel()
	ran, ends, came := 0, 0, 0
	for _, injection := range injections {
		for n := 1; n <= injection.upTo*count("LICENSEKIT_INJECTIONS", 1); n++ {
			what := fmt.Sprintf("%s fails with %s at call %d", injection.call, injection.failure, n)
			up, ended := injected(t, what, injection.call, fmt.Sprintf("inject=%s:error=%s:when=%d", injection.call, injection.failure, n))
			ran++
			came += one(up)
			ends += one(ended)
		}
	}
	t.Logf("%d runs, %d came up, %d ended by themselves", ran, came, ends)
	if came == 0 || ends == 0 {
		t.Error("got no run that came up, or none that ended: nothing was tried")
	}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// injected makes one run on a directory of its own, then one on a good disk.
func injected(t *testing.T, what, call, inject string) (up, ended bool) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	admin := newDirectory(t, dir)
	c := &clients{t: t, book: &book{}, patient: true, excused: excuse("INTERNAL", "STORAGE_FULL")}
	i := launch(t, dir, []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", inject})
	if up = i.up(admin); up {
		i.pid = i.traced()
		c.script(t.Context(), i, 1)
		c.follow(i)
		if ended = i.pid == 0 || i.endedBy(20*time.Millisecond); !ended {
			syscall.Kill(i.pid, syscall.SIGTERM)
			if code := i.wait(); code != 0 && code != 1 || strings.Contains(i.output.String(), "goroutine ") {
				t.Errorf("%s: stop: got exit code %d:\n%s", what, code, &i.output)
			}
		}
	}
	if !up || ended {
		wantOutage(t, what, i)
	}
	if c.complain(); t.Failed() {
		t.Fatalf("%s: the server said:\n%s", what, &i.output)
	}
	goesOn(t, what, c, dir, admin)
	return up, ended
}

// goesOn starts a server on a disk that is good again: all is there, and all
// can be done.
func goesOn(t *testing.T, what string, c *clients, dir, admin string) {
	t.Helper()
	c.excused = nil
	i := start(t, dir, admin)
	c.settle(i)
	c.script(t.Context(), i, 2)
	for _, problem := range missing(i, c.book.all(), true) {
		t.Errorf("%s: %v", what, problem)
	}
	if code := i.stop(); code != 0 {
		t.Errorf("%s: stop on a good disk: got exit code %d, want 0", what, code)
	}
	wantWholeBlobs(t, dir, time.Time{})
	wantClean(t, dir)
	if c.complain(); t.Failed() {
		t.Fatalf("%s: then on a good disk:\n%s", what, &i.output)
	}
}

// TestFullDisk fills the disk under a server again and again, leaving more and
// more room, so that it gives out at ever later writes; then before a start.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := filepath.Join(t.TempDir(), "disk")
	smalldisk.Mount(t, disk, "48m")
	dir, filler := filepath.Join(disk, "data"), filepath.Join(disk, "filler")
	admin := newDirectory(t, dir)
	c := &clients{t: t, book: &book{}, patient: true, excused: excuse("STORAGE_FULL")}
	i := start(t, dir, admin)
	c.script(t.Context(), i, 0)
	rounds := 0
	for leave := int64(0); leave <= 256<<10; leave += 16 << 10 {
		smalldisk.Fill(t, filler, leave)
		rounds++
		c.script(t.Context(), i, 100+rounds)
		if i.endedBy(0) {
			t.Fatalf("with %d bytes left: got the end of the process, want refusals:\n%s", leave, &i.output)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
	refusals := len(c.unsettled)
	c.excused = nil
	c.settle(i)
	wantAll(t, i, c.book)
	i.stop()
	for leave := int64(0); leave <= 32<<10; leave += 8 << 10 {
		smalldisk.Fill(t, filler, leave)
		if i := launch(t, dir, nil); i.up(admin) {
			for _, f := range about(c.book.all(), export) { // which takes no room
				if err := wantExport(t.Context(), i.api, f.export, true); err != nil {
					t.Errorf("start with %d bytes left: %v", leave, err)
				}
			}
			i.stop()
		} else {
			wantOutage(t, fmt.Sprintf("start with %d bytes left", leave), i)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
	goesOn(t, "a disk that was full", c, dir, admin)
	if refusals == 0 {
		t.Error("got no refusal from a full disk: nothing was tried")
	}
	t.Logf("%d times full, %d requests refused: %s", rounds+5, refusals, c.book.summary())
}

// TestReadOnlyDisk takes the right to write away: at the start, and from the
// blobs and the log of a server that runs. (The kernel refuses to take it from
// meta.db, which is open for writing.)
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"blobs", "log"} {
		dir := filepath.Join(t.TempDir(), "data")
		smalldisk.Mount(t, filepath.Join(dir, part), "48m")
		admin := newDirectory(t, dir)
		c := &clients{t: t, book: &book{}, patient: true, excused: excuse("INTERNAL")}
		i := start(t, dir, admin)
		c.script(t.Context(), i, 1)
		smalldisk.Remount(t, filepath.Join(dir, part), "ro")
		c.script(t.Context(), i, 3)
		i.stop()
		smalldisk.Remount(t, filepath.Join(dir, part), "rw")
		goesOn(t, part+" read-only for a while", c, dir, admin)
	}
	disk := filepath.Join(t.TempDir(), "disk")
	smalldisk.Mount(t, disk, "48m")
	dir := filepath.Join(disk, "data")
	admin := newDirectory(t, dir)
	c := &clients{t: t, book: &book{}, patient: true}
	i := start(t, dir, admin)
	c.script(t.Context(), i, 1)
	i.stop()
	smalldisk.Remount(t, disk, "ro")
	if i := launch(t, dir, nil); i.up(admin) {
		t.Error("start on a read-only disk: got a server, want a refusal")
	} else {
		wantOutage(t, "start on a read-only disk", i)
	}
	smalldisk.Remount(t, disk, "rw")
	goesOn(t, "a disk that was read-only", c, dir, admin)
}
