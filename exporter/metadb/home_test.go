package metadb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// inspector looks into files as the tests want it. These files are never torn,
// so that it needs no process of its own; a file is bad that has a key "bad".
type inspector struct {
	inspected []string // base names and how thoroughly
}

func (i *inspector) inspect(_ context.Context, path string, thorough bool) (c Contents, err error) {
	i.inspected = append(i.inspected, fmt.Sprintf("%.7s %t", filepath.Base(path), thorough))
	bolt, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer bolt.Close()
	err = bolt.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("b"))
		if b != nil && b.Get([]byte("bad")) != nil {
			return fmt.Errorf("%w: it has a bad key", ErrDamaged)
		}
		c.Transaction = int64(tx.ID())
		return nil
	})
	return c, err
}

// newHome makes a directory with a database that has been closed.
func newHome(t *testing.T) (*Home, *inspector) {
	t.Helper()
	i := &inspector{}
	h := homeIn(t, filepath.Join(t.TempDir(), "data"), i)
	if err := os.WriteFile(h.Stable, []byte("stable"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.Create(); err != nil {
		t.Fatal(err)
	}
	return h, i
}

func homeIn(t *testing.T, dir string, i *inspector) *Home {
	t.Helper()
	h := &Home{Dir: dir, Tmp: filepath.Join(dir, "tmp"), Stable: filepath.Join(dir, "stable"), Inspect: i.inspect, Log: slog.New(slog.DiscardHandler)}
	if err := os.MkdirAll(h.Tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *Home) mustOpen(t *testing.T) *DB {
	t.Helper()
	db, err := h.Open(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// with opens the database, writes keys, and closes it.
func (h *Home) with(t *testing.T, keys ...string) {
	t.Helper()
	db := h.mustOpen(t)
	write(t, db, keys...)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, db *DB, keys ...string) {
	t.Helper()
	for _, key := range keys {
		err := db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("b"))
			if err != nil {
				return err
			}
			return b.Put([]byte(key), []byte("x"))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func keysOf(t *testing.T, db *DB) (keys []string) {
	t.Helper()
	err := db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("b")).ForEach(func(key, _ []byte) error { keys = append(keys, string(key)); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// copyOf copies a home as cp -r does.
func (h *Home) copyOf(t *testing.T, i *inspector) *Home {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.CommandContext(t.Context(), "cp", "-r", h.Dir, dir).CombinedOutput(); err != nil { // knows holes
		t.Fatalf("cp: %v: %s", err, out)
	}
	return homeIn(t, dir, i)
}

func wantInspected(t *testing.T, i *inspector, want ...string) {
	t.Helper()
	if !slices.Equal(i.inspected, want) {
		t.Errorf("inspected: got %q, want %q", i.inspected, want)
	}
	i.inspected = nil
}

func TestOnlyWhatIsNotAsItWasLeftIsInspected(t *testing.T) {
	t.Parallel()
	h, i := newHome(t)
	h.with(t, "a")
	i.inspected = nil
	h.with(t, "b")
	wantInspected(t, i)

	// A crash: what was written is there, and nobody closed.
	db := h.mustOpen(t)
	write(t, db, "c")
	crashed := h.mustCrash(t, db)
	crashed.mustOpen(t).Close()
	wantInspected(t, i, "meta.db false")

	h2 := h.copyOf(t, i)
	h2.mustOpen(t).Close()
	wantInspected(t, i, "meta.db true")
	h2.mustOpen(t).Close()
	wantInspected(t, i)

	// A backup that is written over the files in their place, as cp does.
	backup, err := os.ReadFile(h2.path())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{h2.path(), h2.Stable} {
		content := backup
		if path == h2.Stable {
			content = []byte("stable")
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h2.mustOpen(t).Close()
	wantInspected(t, i, "meta.db true")

	if err := os.Remove(filepath.Join(h2.Dir, placeFile)); err != nil {
		t.Fatal(err)
	}
	h2.mustOpen(t).Close()
	wantInspected(t, i, "meta.db true")
}

// mustCrash lets go of the file as the end of a process does, without noting
// it.
func (h *Home) mustCrash(t *testing.T, db *DB) *Home {
	t.Helper()
	db.home = nil
	db.stirrer.Stop()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestSnapshots(t *testing.T) {
	t.Parallel()
	h, i := newHome(t)
	db := h.mustOpen(t)
	var names []string
	for _, key := range []string{"a", "b", "c"} {
		write(t, db, key)
		for _, want := range []bool{true, false} { // nothing has changed the second time
			if taken, err := db.Snapshot(t.Context(), 0); taken != want || err != nil {
				t.Errorf("snapshot with %s: got taken %t, %v; want %t", key, taken, err, want)
			}
		}
		list, err := h.snapshots()
		if err != nil || len(list) == 0 {
			t.Fatalf("snapshots: got %v, %v", list, err)
		}
		names = append(names, list[0].path)
	}
	list, err := h.snapshots()
	if err != nil || len(list) != 2 || list[0].path != names[2] || list[1].path != names[1] {
		t.Errorf("snapshots: got %v, %v; want the last two of %v", list, err, names)
	}
	if _, err := i.inspect(t.Context(), list[1].path, true); err != nil {
		t.Errorf("inspect the older one: got %v, want that it is good", err)
	}
	if left, err := os.ReadDir(h.Tmp); err != nil || len(left) > 0 {
		t.Errorf("left in tmp: got %v, %v; want nothing", left, err)
	}
}

func TestRecovery(t *testing.T) {
	t.Parallel()
	tear := func(h *Home) error { return os.WriteFile(h.path(), []byte("torn"), 0o600) }
	for name, c := range map[string]struct {
		last   []string // written after the snapshot of key a
		damage func(*Home) error
		from   string
		keys   []string
	}{
		"the last transaction": {[]string{"b", "bad"}, func(*Home) error { return nil }, BeforeLast, []string{"a", "b"}},
		"a snapshot":           {[]string{"b", "bad", "c"}, func(*Home) error { return nil }, Snapshots, []string{"a"}},
		"no bbolt at all":      {[]string{"b"}, tear, Snapshots, []string{"a"}},
		"it is missing":        {[]string{"b"}, func(h *Home) error { return os.Remove(h.path()) }, Snapshots, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, i := newHome(t)
			db := h.mustOpen(t)
			write(t, db, "a")
			if _, err := db.Snapshot(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			write(t, db, c.last...)
			db.Close()
			bad := h.copyOf(t, i)
			if err := c.damage(bad); err != nil {
				t.Fatal(err)
			}
			content, _ := os.ReadFile(bad.path())
			var told strings.Builder
			bad.Log = slog.New(slog.NewTextHandler(&told, nil))
			db = bad.mustOpen(t)
			r := db.Recovery()
			if r == nil || !strings.HasPrefix(r.From, c.from) || r.Problem == "" || (r.Taken != nil) != (c.from == Snapshots) || r.Transaction == 0 {
				t.Fatalf("recovery: got %+v, want one from %s", r, c.from)
			}
			if got := keysOf(t, db); !slices.Equal(got, c.keys) {
				t.Errorf("keys: got %v, want %v", got, c.keys)
			}
			if got := told.String(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, c.from) {
				t.Errorf("the log tells %q, want a warning with %s", got, c.from)
			}
			if kept, err := os.ReadFile(filepath.Join(bad.Dir, r.Kept)); r.Kept != "" && (err != nil || !bytes.Equal(kept, content)) {
				t.Errorf("kept %s: got %d bytes, %v; want what was no good", r.Kept, len(kept), err)
			}
			write(t, db, "d")
			db.Close()
			db = bad.mustOpen(t)
			if got := keysOf(t, db); db.Recovery() != nil || !slices.Equal(got, append(c.keys, "d")) {
				t.Errorf("opened again: got %+v and keys %v, want no recovery and %v", db.Recovery(), got, append(c.keys, "d"))
			}
		})
	}
}

func TestNothingToRecoverFrom(t *testing.T) {
	t.Parallel()
	h, i := newHome(t)
	db := h.mustOpen(t)
	write(t, db, "bad")
	if _, err := db.Snapshot(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	write(t, db, "a", "b")
	db.Close()
	bad := h.copyOf(t, i)
	before, err := os.ReadFile(bad.path())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := bad.Open(t.Context(), Options{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("open: got %v, want ErrDamaged", err)
		}
	}
	if after, err := os.ReadFile(bad.path()); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file: got %d bytes, %v; want it untouched", len(after), err)
	}
	made, err := bad.CreateAnew(t.Context())
	if !made || err != nil {
		t.Fatalf("create anew: got made %t, %v", made, err)
	}
	kept, err := filepath.Glob(filepath.Join(bad.Dir, damaged+"*"))
	if err != nil || len(kept) != 1 {
		t.Errorf("kept aside: got %v, %v; want one file", kept, err)
	}
	db = bad.mustOpen(t)
	write(t, db, "new")
	if got := keysOf(t, db); !slices.Equal(got, []string{"new"}) {
		t.Errorf("keys: got %v, want only the new one", got)
	}
}

// An inspection that could not be made says nothing about the file.
func TestFailedInspectionChangesNothing(t *testing.T) {
	t.Parallel()
	h, i := newHome(t)
	h.with(t, "a")
	moved := h.copyOf(t, i)
	refused := errors.New("no process for it")
	moved.Inspect = func(context.Context, string, bool) (Contents, error) { return Contents{}, refused }
	if _, err := moved.Open(t.Context(), Options{}); !errors.Is(err, refused) {
		t.Errorf("open: got %v, want %v", err, refused)
	}
	if made, err := moved.CreateAnew(t.Context()); made || !errors.Is(err, refused) {
		t.Errorf("create anew: got made %t, %v; want %v", made, err, refused)
	}
	moved.Inspect = i.inspect
	if got := keysOf(t, moved.mustOpen(t)); !slices.Equal(got, []string{"a"}) {
		t.Errorf("keys: got %v, want a", got)
	}
}

// A tool that is reading the file when the program starts again reads on in a
// file that nobody writes to.
func TestCopyAcrossARestart(t *testing.T) {
	t.Parallel()
	h, i := newHome(t)
	h.with(t, "a", "b", "c")
	tool, err := os.Open(h.path())
	if err != nil {
		t.Fatal(err)
	}
	defer tool.Close()
	before, err := os.ReadFile(h.path())
	if err != nil {
		t.Fatal(err)
	}
	db := h.mustOpen(t)
	err = db.View(func(tx *bbolt.Tx) error { // reads on, too
		for n := range 50 {
			write(t, db, fmt.Sprint(n))
		}
		if got := tx.Bucket([]byte("b")).Stats().KeyN; got != 3 {
			t.Errorf("keys that a reader sees who began before: got %d, want 3", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if after, err := io.ReadAll(tool); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file that the tool reads has changed (%v)", err)
	}
	if got := len(keysOf(t, db)); got != 53 {
		t.Errorf("keys: got %d, want 53", got)
	}
	db.Close()
	if list, err := h.snapshots(); err != nil || len(list) != 1 {
		t.Errorf("snapshots: got %v, %v; want the file from before", list, err)
	}
	i.inspected = nil
	if got := len(keysOf(t, h.mustOpen(t))); got != 53 {
		t.Errorf("keys after another start: got %d, want 53", got)
	}
	wantInspected(t, i)
}

// A file that has been at rest for a window is written to as it is.
func TestOldFileIsNotCopied(t *testing.T) {
	t.Parallel()
	h, _ := newHome(t)
	h.with(t, "a")
	rested := time.Now().Add(-2 * Window)
	if err := os.Chtimes(h.path(), rested, rested); err != nil {
		t.Fatal(err)
	}
	before, err := identify(h.path())
	if err != nil {
		t.Fatal(err)
	}
	h.with(t, "b")
	after, err := identify(h.path())
	if err != nil || after.Identity != before.Identity {
		t.Errorf("the file: got %v, %v; want still %v", after, err, before)
	}
}

// A crash between the two names of a file that goes on in a copy.
func TestSnapshotThatIsTheFileItself(t *testing.T) {
	t.Parallel()
	h, _ := newHome(t)
	h.with(t, "a")
	if err := os.MkdirAll(h.snapshotsPath(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(h.path(), h.snapshotPath(7, time.Now())); err != nil {
		t.Fatal(err)
	}
	h.with(t, "b")
	list, err := h.snapshots()
	if err != nil {
		t.Fatal(err)
	}
	live, err := os.Stat(h.path())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if info, err := os.Stat(s.path); err != nil || os.SameFile(info, live) {
			t.Errorf("snapshot %s: got %v, want another file than the database", s.path, err)
		}
	}
}

// The time of the last change moves on to another second, so that a tool that
// goes by size and second doesn't take the file for unchanged.
func TestChangesShowInTheTime(t *testing.T) {
	t.Parallel()
	h, _ := newHome(t)
	db := h.mustOpen(t)
	seen := func() int64 {
		info, err := os.Stat(h.path())
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime().Unix()
	}
	write(t, db, "a")
	copied := seen()
	write(t, db, "b")
	for deadline := time.Now().Add(10 * time.Second); seen() == copied; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the time of the file is still in the second of the first change")
		}
	}
	write(t, db, "c")
	copied = seen()
	db.Close()
	if seen() == copied {
		t.Error("the time of the closed file is in the second of its last change")
	}
}
