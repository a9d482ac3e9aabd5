package tilelog

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// cosign adds the signature of another to the checkpoint of a size.
func cosign(t testing.TB, l *Log, size int64, name string) []byte {
	t.Helper()
	head, err := l.HeadAt(size)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open(head.Signed, note.VerifierList(l.verifier))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(opened, keyNamed(t, name, name))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestCosigned(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := openTest(t, dir)
	grow(t, l, 12)
	if head, err := l.NewestCosigned(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none yet: got %+v, %v; want %v", head, err, fs.ErrNotExist)
	}
	kept := map[int64][]byte{}
	for _, size := range []int64{9, 3, 10} {
		kept[size] = cosign(t, l, size, "a")
		if err := l.KeepCosigned(kept[size]); err != nil {
			t.Fatalf("size %d: got %v, want it kept", size, err)
		}
	}
	kept[3] = cosign(t, l, 3, "b")
	if err := l.KeepCosigned(kept[3]); err != nil {
		t.Fatalf("again: got %v, want it kept", err)
	}
	grow(t, l, 300)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := OpenClosed(dir, ourKey(t))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if sizes, err := again.CosignedSizes(); err != nil || !slices.Equal(sizes, []int64{3, 9, 10}) {
		t.Errorf("got sizes %v, %v; want 3, 9 and 10", sizes, err)
	}
	for size, want := range kept {
		if got, err := again.Cosigned(size); err != nil || !bytes.Equal(got.Signed, want) || got.Size != size {
			t.Errorf("size %d: got %s, %v; want %s", size, got.Signed, err, want)
		}
	}
	if got, err := again.NewestCosigned(); err != nil || got.Size != 10 {
		t.Errorf("newest: got %+v, %v; want that of 10", got, err)
	}
	if head, err := again.Cosigned(4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("size 4: got %+v, %v; want %v", head, err, fs.ErrNotExist)
	}
}

func TestKeepCosignedRefuses(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 5)
	other := openTest(t, filepath.Join(t.TempDir(), "log"))
	if _, err := other.Append(t.Context(), func(int64) ([]byte, error) { return []byte("another history"), nil }); err != nil {
		t.Fatal(err)
	}
	grow(t, other, 6)
	for name, test := range map[string]struct {
		signed []byte
		want   error
	}{
		"beyond":       {cosign(t, other, 6, "a"), ErrRolledBack},
		"another root": {cosign(t, other, 5, "a"), ErrRolledBack},
		"another key":  {signedBy(t, keyNamed(t, l.Origin(), "theirs"), l.Head().Checkpoint), ErrNotSigned},
		"no note":      {[]byte("hello\n"), nil},
	} {
		if err := l.KeepCosigned(test.signed); err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want an error (%v)", name, err, test.want)
		}
	}
	if sizes, err := l.CosignedSizes(); err != nil || len(sizes) > 0 {
		t.Errorf("got sizes %v, %v; want none", sizes, err)
	}
}

// What is kept beside a log is checked when it is read.
func TestDamagedCosigned(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := openTest(t, dir)
	grow(t, l, 5)
	if err := l.KeepCosigned(cosign(t, l, 4, "a")); err != nil {
		t.Fatal(err)
	}
	contents := files(t, dir)
	for name, change := range map[string]func(map[string][]byte){
		"flipped":     func(c map[string][]byte) { c["cosigned/4"][30] ^= 1 },
		"cut":         func(c map[string][]byte) { c["cosigned/4"] = c["cosigned/4"][:40] },
		"another's":   func(c map[string][]byte) { c["cosigned/5"] = c["cosigned/4"] },
		"no log's":    func(c map[string][]byte) { c["cosigned/6"] = c["cosigned/4"] },
		"too long":    func(c map[string][]byte) { c["cosigned/7"] = make([]byte, MaxCheckpoint+1) },
		"not a size":  func(c map[string][]byte) { c["cosigned/04"], c["cosigned/x"] = nil, nil },
		"rolled back": func(c map[string][]byte) { c["cosigned/9"] = beyond(t) },
	} {
		changed := map[string][]byte{}
		for file, content := range contents {
			changed[file] = bytes.Clone(content)
		}
		change(changed)
		got, err := openTest(t, lay(t, changed)).NewestCosigned()
		if (err == nil) != (name == "not a size") || (name == "rolled back") != errors.Is(err, ErrRolledBack) || (name == "rolled back" || name == "not a size") == errors.Is(err, ErrUnsound) {
			t.Errorf("%s: got %+v, %v; want an error", name, got, err)
		}
	}
}

// beyond is a checkpoint of a log that went on to 9.
func beyond(t *testing.T) []byte {
	t.Helper()
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 9)
	return cosign(t, l, 9, "a")
}
