package tilelog

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
)

// A closed log is read and proven as before, and changes by nothing.
func TestClosedLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := openTest(t, dir)
	grow(t, l, 300)
	older, err := l.HeadAt(200)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)
	closed, err := OpenClosed(dir, ourKey(t).Verifier)
	if err != nil {
		t.Fatalf("open: got %v, want a log", err)
	}
	defer closed.Close()
	wantWhole(t, "closed", closed, 300)
	for _, at := range []Head{older, closed.Head()} {
		p, err := closed.Prove(7, at)
		if err != nil || p.Includes(leafOf(7)) != nil || !bytes.Equal(p.Signed, at.Signed) {
			t.Errorf("leaf 7 in %d: got %+v, %v; want a proof that leads to the checkpoint", at.Size, p, err)
		}
		c, err := closed.Consistency(100, at)
		if err != nil || c.Size != at.Size {
			t.Errorf("100 to %d: got %+v, %v; want a proof", at.Size, c, err)
		}
	}
	if head, err := closed.HeadAt(200); !errors.Is(err, ErrClosed) {
		t.Errorf("checkpoint 200: got %+v, %v; want %v", head, err, ErrClosed)
	}
	if entry, err := closed.Append(t.Context(), makeLeaf); !errors.Is(err, ErrClosed) {
		t.Errorf("append: got %+v, %v; want %v", entry, err, ErrClosed)
	}
	after := files(t, dir)
	for name := range before {
		if !bytes.Equal(before[name], after[name]) {
			t.Errorf("%s changed", name)
		}
	}
	if len(after) != len(before) {
		t.Errorf("got %d files, want %d", len(after), len(before))
	}
}

func TestOpenClosedRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if l, err := OpenClosed(dir, ourKey(t)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: got %v, %v; want %v", l, err, fs.ErrNotExist)
	}
	l := openTest(t, dir)
	grow(t, l, 3)
	if l, err := OpenClosed(dir, keyNamed(t, l.Origin(), "theirs")); !errors.Is(err, ErrNotSigned) {
		t.Errorf("another key: got %v, %v; want %v", l, err, ErrNotSigned)
	}
	contents := files(t, dir)
	contents["tile/entries/000.p/3"][5] ^= 1
	if l, err := OpenClosed(lay(t, contents), ourKey(t)); !errors.Is(err, ErrMismatch) {
		t.Errorf("damaged: got %v, %v; want %v", l, err, ErrMismatch)
	}
	delete(contents, "checkpoint")
	if l, err := OpenClosed(lay(t, contents), ourKey(t)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no checkpoint: got %v, %v; want %v", l, err, fs.ErrNotExist)
	}
}

// No proof leads to a checkpoint of another tree.
func TestProofsLeadToThisTree(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 5)
	for name, change := range map[string]func(*Head){
		"another log":  func(h *Head) { h.Origin = "licensekit/lki_2" },
		"another root": func(h *Head) { h.Root[0] ^= 1 },
		"beyond":       func(h *Head) { h.Size++ },
	} {
		at := l.Head()
		change(&at)
		if p, err := l.Prove(0, at); err == nil {
			t.Errorf("%s: got %+v, want an error", name, p)
		}
		if c, err := l.Consistency(1, at); err == nil {
			t.Errorf("%s: got %+v, want an error", name, c)
		}
	}
}
