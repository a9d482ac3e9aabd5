package tilelog

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// anchored opens a log with an anchor.
func anchored(t testing.TB, dir, file string) (*Log, error) {
	t.Helper()
	a, err := OpenAnchor(file)
	if err != nil {
		t.Fatal(err)
	}
	l, err := OpenAnchored(dir, ourKey(t), a)
	if err != nil {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		return nil, err
	}
	t.Cleanup(func() { l.Close() })
	return l, nil
}

func mustAnchor(t testing.TB, dir, file string) *Log {
	t.Helper()
	l, err := anchored(t, dir, file)
	if err != nil {
		t.Fatalf("open with anchor: got %v, want a log", err)
	}
	return l
}

func wantHeld(t *testing.T, what, file string, want Head) {
	t.Helper()
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want.Signed) {
		t.Errorf("%s: got %q, %v in the anchor, want %q", what, got, err, want.Signed)
	}
}

func TestAnchorFollows(t *testing.T) {
	dir, file := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "anchor")
	l := mustAnchor(t, dir, file)
	wantHeld(t, "new log", file, l.Head())
	for range 3 {
		appendOne(t, l)
		wantHeld(t, "after an append", file, l.Head())
	}
	again := mustAnchor(t, dir, file)
	wantWhole(t, "opened again", again, 3)
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("beside the anchor: got %v, %v; want nothing", left, err)
	}
}

// What opens, and what is refused and left as it is.
func TestAnchorJudges(t *testing.T) {
	head := func(size int64, leaf []byte) []byte { // of a log with leaf in the place of 2
		l := openTest(t, filepath.Join(t.TempDir(), "log"))
		for i := range size {
			if _, err := l.Append(t.Context(), func(index int64) ([]byte, error) {
				if i == 2 && leaf != nil {
					return leaf, nil
				}
				return leafOf(index), nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		return l.Head().Signed
	}
	signed := func(origin, seed string, size int64) []byte {
		text, err := Checkpoint{origin, size, rootOf(0, size)}.sign(keyNamed(t, origin, seed))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	flipped := bytes.Clone(head(4, nil))
	flipped[len(flipped)-9] ^= 1
	for name, test := range map[string]struct {
		held []byte // nil for no file
		size int64  // of the log
		want error  // nil if it opens
	}{
		"the same":               {head(5, nil), 5, nil},
		"behind by a crash":      {head(4, nil), 5, nil},
		"far behind":             {head(0, nil), 5, nil},
		"begun by hand":          {[]byte{}, 5, nil},
		"a new log":              {nil, 0, nil},
		"missing":                {nil, 5, ErrNoAnchor},
		"ahead":                  {head(6, nil), 5, ErrRolledBack},
		"ahead of a lost log":    {head(6, nil), 0, ErrRolledBack},
		"fork of the same size":  {head(5, []byte("other")), 5, ErrRolledBack},
		"fork of a smaller size": {head(3, []byte("other")), 5, ErrRolledBack},
		"fork of a larger size":  {head(6, []byte("other")), 5, ErrRolledBack},
		"another log":            {signed("licensekit/lki_2", "ours", 5), 5, ErrNotSigned},
		"another key":            {signed("licensekit/lki_1", "theirs", 5), 5, ErrNotSigned},
		"edited":                 {bytes.Replace(head(6, nil), []byte("\n6\n"), []byte("\n5\n"), 1), 5, ErrNotSigned},
		"a flipped bit":          {flipped, 5, ErrNotSigned},
	} {
		t.Run(name, func(t *testing.T) {
			dir, file := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "anchor")
			l := openTest(t, dir)
			grow(t, l, test.size)
			if test.size == 0 {
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
			if test.held != nil {
				if err := os.WriteFile(file, test.held, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := files(t, filepath.Dir(dir))
			got, err := anchored(t, dir, file)
			if !errors.Is(err, test.want) || test.want == nil && err != nil {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if err == nil {
				wantHeld(t, "brought up to date", file, got.Head())
				appendOne(t, got)
				return
			}
			if held, _ := os.ReadFile(file); !bytes.Equal(held, test.held) {
				t.Errorf("got the anchor changed to %q, want %q", held, test.held)
			}
			for name, content := range files(t, filepath.Dir(dir)) {
				if !bytes.Equal(content, before[name]) {
					t.Errorf("got %s changed to %q, want it as it was", name, content)
				}
			}
		})
	}
}

// A refused log keeps what stands beyond its checkpoint: it may be what was
// rolled back.
func TestRefusedLogIsNotSwept(t *testing.T) {
	dir, file := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "anchor")
	l := mustAnchor(t, dir, file)
	appendOne(t, l)
	old := l.Head()
	appendOne(t, l)
	path := filepath.Join(dir, checkpointName)
	if err := errors.Join(os.Remove(path), os.WriteFile(path, old.Signed, 0o400)); err != nil {
		t.Fatal(err)
	}
	if _, err := anchored(t, dir, file); !errors.Is(err, ErrRolledBack) {
		t.Fatalf("got %v, want %v", err, ErrRolledBack)
	}
	if _, err := os.Stat(filepath.Join(dir, "tile", "entries", "000.p", "2")); err != nil {
		t.Errorf("the tile of the newest entry: got %v, want it there", err)
	}
}

// At no instant of a crash is the anchor ahead of the log, or the two apart.
func TestCrashBetweenLogAndAnchor(t *testing.T) {
	dir, file := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "anchor")
	l := mustAnchor(t, dir, file)
	grow(t, l, 3)
	looks := 0
	look := func(op, name string) error {
		looks++
		held, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(t.TempDir(), "anchor")
		if err := os.WriteFile(copied, held, 0o600); err != nil {
			t.Fatal(err)
		}
		left, err := anchored(t, lay(t, files(t, dir)), copied)
		if err != nil {
			t.Fatalf("crash before %s %s: got %v, want a log", op, name, err)
		}
		wantWhole(t, "crash before "+op+" "+name, left, 3)
		wantHeld(t, "crash before "+op+" "+name, copied, left.Head())
		return nil
	}
	l.disk.fault, l.anchor.disk.fault = look, look
	appendOne(t, l)
	if looks < 15 {
		t.Errorf("got %d looks, want one before every change", looks)
	}
}

// Where the anchor can't be written, nothing is acknowledged or shown to
// others, and the log waits to be opened again.
func TestFailureOfTheAnchor(t *testing.T) {
	full := errors.New("the disk is full")
	for failing := 0; ; failing++ {
		dir, file := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "anchor")
		l := mustAnchor(t, dir, file)
		grow(t, l, 3)
		changes, failed := 0, ""
		l.anchor.disk.fault = func(op, name string) error {
			if changes++; changes == failing+1 {
				failed = op + " " + name
				return full
			}
			return nil
		}
		_, err := l.Append(t.Context(), makeLeaf)
		if failed == "" {
			return
		}
		if !errors.Is(err, full) || l.Size() != 3 {
			t.Errorf("%s failed: got %v and size %d shown, want %v and 3", failed, err, l.Size(), full)
		}
		if _, err := l.Append(t.Context(), makeLeaf); err == nil {
			t.Errorf("%s failed: got another entry, want it refused", failed)
		}
		again := mustAnchor(t, dir, file)
		wantWhole(t, failed+" failed", again, 4)
		wantHeld(t, failed+" failed", file, again.Head())
	}
}

// Two copies of a directory that were opened at the same time share an anchor:
// the one that comes second signs nothing.
func TestAnchorMovedByAnother(t *testing.T) {
	file := filepath.Join(t.TempDir(), "anchor")
	first := mustAnchor(t, filepath.Join(t.TempDir(), "log"), file)
	grow(t, first, 3)
	second := mustAnchor(t, lay(t, files(t, first.disk.root.Name())), file)
	appendOne(t, first)
	if _, err := second.Append(t.Context(), makeLeaf); !errors.Is(err, ErrRolledBack) {
		t.Errorf("second copy: got %v, want %v", err, ErrRolledBack)
	}
	if second.Size() != 3 {
		t.Errorf("second copy: got size %d, want 3", second.Size())
	}
	wantHeld(t, "after the second copy", file, first.Head())
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Append(t.Context(), makeLeaf); !errors.Is(err, ErrRolledBack) {
		t.Errorf("anchor taken away: got %v, want %v", err, ErrRolledBack)
	}
}

func TestOpenAnchorRefuses(t *testing.T) {
	if _, err := OpenAnchor(filepath.Join(t.TempDir(), "nowhere", "anchor")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: got %v, want %v", err, fs.ErrNotExist)
	}
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, MaxCheckpoint+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAnchor(large); err == nil || !strings.Contains(err.Error(), "no checkpoint") {
		t.Errorf("a large file: got %v, want it refused", err)
	}
}
