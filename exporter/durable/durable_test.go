package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if string(got) != want || err != nil {
		t.Errorf("content of %s: got %q, %v; want %q", path, got, err, want)
	}
}

// wantNames also shows that nothing is left of what was staged.
func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if err != nil || len(got) != len(want) || len(want) > 0 && got[0] != want[0] {
		t.Errorf("names in %s: got %v, %v; want %v", dir, got, err, want)
	}
}

func TestCreateReplacesNothing(t *testing.T) {
	dir, staging := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "file")
	if err := Create(path, staging, Content([]byte("first"))); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, staging, Content([]byte("second"))); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create what is there: got %v, want fs.ErrExist", err)
	}
	wantFile(t, path, "first")
	if err := Replace(path, staging, Content([]byte("second"))); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "second")
	wantNames(t, dir, "file")
	wantNames(t, staging)
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	dir, refused := t.TempDir(), errors.New("refused")
	path := filepath.Join(dir, "file")
	half := func(f *os.File) error {
		_, err := f.WriteString("half")
		return errors.Join(err, refused)
	}
	if err := Create(path, dir, half); !errors.Is(err, refused) {
		t.Errorf("create: got %v, want %v", err, refused)
	}
	wantNames(t, dir)
	if err := Create(path, dir, Content([]byte("whole"))); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, dir, half); !errors.Is(err, refused) {
		t.Errorf("replace: got %v, want %v", err, refused)
	}
	wantFile(t, path, "whole")
	wantNames(t, dir, "file")
}

func TestMakeDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		if err := MakeDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		t.Errorf("stat: got %v, %v; want a directory of mode 0700", info, err)
	}
	if err := Rename(dir, dir+"2"); err != nil {
		t.Fatal(err)
	}
	wantNames(t, filepath.Dir(dir), "b2")
}
