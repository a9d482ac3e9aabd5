package tilelog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// crashes looks at the directory of a log before each change of it: that is
// all that a crash can leave there. It knows two views: what another process
// sees, and what a power cut leaves, which is what was flushed.
type crashes struct {
	t        *testing.T
	dir      string
	unsynced map[string]bool   // staged files that were not flushed
	durable  map[string][]byte // by name, as the last flushes left it
	look     func(op string, contents map[string][]byte)
}

func watch(t *testing.T, l *Log, look func(op string, contents map[string][]byte)) *crashes {
	t.Helper()
	c := &crashes{t: t, dir: l.disk.root.Name(), unsynced: map[string]bool{}, look: look}
	c.durable = files(t, c.dir)
	l.disk.fault = c.before
	return c
}

// before takes both views, then learns what the change makes durable.
func (c *crashes) before(op, name string) error {
	visible := files(c.t, c.dir)
	c.look("killed before "+op+" "+name, visible)
	c.look("power cut before "+op+" "+name, c.durable)
	switch op {
	case "write":
		c.unsynced[name] = true
	case "sync":
		delete(c.unsynced, name)
	case "rename":
		if len(c.unsynced) > 0 {
			c.t.Errorf("got %s renamed before %v were flushed, want all flushed", name, c.unsynced)
		}
		if name == checkpointName && c.unnamed(visible) {
			c.t.Errorf("got the checkpoint renamed before the names of the tiles were flushed, want them flushed")
		}
	case "syncdir":
		c.flush(name, visible)
	}
	return nil
}

// unnamed tells whether a tile has a name that was not flushed.
func (c *crashes) unnamed(visible map[string][]byte) bool {
	for name := range visible {
		if _, ok := c.durable[name]; !ok && strings.HasPrefix(name, "tile/") {
			return true
		}
	}
	return false
}

// flush makes the names in one directory durable.
func (c *crashes) flush(dir string, visible map[string][]byte) {
	after := maps.Clone(c.durable)
	maps.DeleteFunc(after, func(name string, _ []byte) bool { return path.Dir(name) == dir })
	for name, content := range visible {
		if path.Dir(name) == dir && !strings.HasPrefix(name, stagedName) {
			after[name] = content
		}
	}
	c.durable = after
}

// At no instant does a crash lose what was acknowledged, or leave a log that
// can't go on.
func TestCrashAtEveryChange(t *testing.T) {
	for _, start := range []int64{0, 63, 254} {
		t.Run(fmt.Sprint(start), func(t *testing.T) { crashFrom(t, start) })
	}
}

func crashFrom(t *testing.T, start int64) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, start)
	acknowledged := start
	seen := map[string]bool{} // states that were looked at
	watch(t, l, func(op string, contents map[string][]byte) {
		state := fmt.Sprint(acknowledged, maps.Collect(sizes(contents)))
		if seen[state] {
			return
		}
		seen[state] = true
		left := openTest(t, lay(t, contents))
		wantWhole(t, op, left, acknowledged)
		appendOne(t, left)
		wantWhole(t, op+", and one appended", left, acknowledged+1)
		if err := left.Close(); err != nil {
			t.Fatal(err)
		}
	})
	for range 3 {
		acknowledged = appendOne(t, l).Size
	}
	leaves := [][]byte{leafOf(acknowledged), leafOf(acknowledged + 1), leafOf(acknowledged + 2)}
	if err := l.write(leaves); err != nil {
		t.Fatal(err)
	}
}

// sizes tells states apart; a file changes by growing, but for the checkpoint.
func sizes(contents map[string][]byte) func(func(string, int) bool) {
	return func(yield func(string, int) bool) {
		for name, content := range contents {
			if name == checkpointName {
				name += string(content)
			}
			if !yield(name, len(content)) {
				return
			}
		}
	}
}

// The first files of a new log.
func TestCrashAtTheBeginning(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := openRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	l := &Log{disk: disk{root: root}, verifier: ourKey(t), key: ourKey(t), turn: make(chan struct{}, 1)}
	looked := 0
	watch(t, l, func(op string, contents map[string][]byte) {
		looked++
		wantWhole(t, op, openTest(t, lay(t, contents)), 0)
	})
	if err := l.reconcile(); err != nil || looked == 0 {
		t.Errorf("got %v after %d looks, want no error and some", err, looked)
	}
}

// Any change may fail. What fails before the checkpoint is as if it had not
// been; after that nothing is appended until the log was opened again.
func TestFailureAtEveryChange(t *testing.T) {
	full := errors.New("the disk is full")
	for _, start := range []int64{0, 255} {
		for failing := 0; ; failing++ {
			l := openTest(t, filepath.Join(t.TempDir(), "log"))
			grow(t, l, start)
			changes, failed := 0, ""
			l.disk.fault = func(op, name string) error {
				if changes++; changes == failing+1 {
					failed = op + " " + name
					return full
				}
				return nil
			}
			_, err := l.Append(t.Context(), makeLeaf)
			l.disk.fault = nil
			if failed == "" {
				break
			}
			if !errors.Is(err, full) {
				t.Fatalf("%s failed: got %v, want %v", failed, err, full)
			}
			wantGoesOn(t, l, failed, start)
		}
	}
}

func wantGoesOn(t *testing.T, l *Log, failed string, size int64) {
	t.Helper()
	_, err := l.Append(t.Context(), makeLeaf)
	atCheckpoint := failed == "rename checkpoint" || failed == "syncdir ."
	// The directories of the first tiles are made in ".", before its checkpoint.
	if atCheckpoint && l.broken == nil && size > 0 || !atCheckpoint && err != nil {
		t.Fatalf("%s failed: append: got %v, want it refused only if at the checkpoint", failed, err)
	}
	again := openTest(t, l.disk.root.Name())
	wantWhole(t, failed+" failed", again, size)
	appendOne(t, again)
	wantWhole(t, failed+" failed, and one appended", again, size+1)
}

// Leaves that were not acknowledged leave nothing in the way of others.
func TestOtherLeavesAfterCrash(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 250)
	sudden := errors.New("gone")
	l.disk.fault = func(op, name string) error {
		if op == "rename" && name == checkpointName {
			return sudden
		}
		return nil
	}
	var others [][]byte
	for range maxBatch {
		others = append(others, []byte("never acknowledged"))
	}
	if err := l.write(others); !errors.Is(err, sudden) {
		t.Fatalf("write: got %v, want %v", err, sudden)
	}
	again := openTest(t, l.disk.root.Name())
	for name, content := range files(t, again.disk.root.Name()) {
		if strings.HasPrefix(name, "tile/") && bytes.Contains(content, others[0]) {
			t.Errorf("%s: got it left over, want it removed", name)
		}
	}
	for range 10 {
		appendOne(t, again)
	}
	wantWhole(t, "other leaves", again, 260)
	if _, err := again.File("tile/0/001"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("tile/0/001: got %v, want %v", err, fs.ErrNotExist)
	}
	if err := again.Walk(context.Background(), 255, func(_ int64, leaf []byte) error {
		if bytes.Equal(leaf, others[0]) {
			t.Error("got a leaf that was never acknowledged, want the others")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
