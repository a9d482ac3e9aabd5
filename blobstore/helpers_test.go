package blobstore

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var zeroTime time.Time

func create(t *testing.T, ctx context.Context, s *Store, limit int64) *Writer {
	t.Helper()
	w, err := s.Create(ctx, limit)
	if err != nil {
		t.Fatalf("create: got %v, want a writer", err)
	}
	t.Cleanup(func() { w.Abort() })
	return w
}

func put(t *testing.T, s *Store, content string) Ref {
	t.Helper()
	w := create(t, t.Context(), s, int64(len(content)))
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatalf("write: got %v, want no error", err)
	}
	foretold := w.Ref()
	ref, size, err := w.Commit()
	if size != int64(len(content)) || ref != foretold || err != nil {
		t.Fatalf("commit: got %s of %d bytes, %v; want %s of %d", ref, size, err, foretold, len(content))
	}
	return ref
}

func wantContent(t *testing.T, s *Store, ref Ref, want string) {
	t.Helper()
	blob, err := s.Open(t.Context(), ref)
	if err != nil {
		t.Errorf("open %s: got %v, want a blob", ref, err)
		return
	}
	defer blob.Close()
	got, err := io.ReadAll(blob)
	if string(got) != want || err != nil {
		t.Errorf("content of %s: got %.40q (%d bytes), %v; want %.40q (%d bytes)", ref, got, len(got), err, want, len(want))
	}
}

// wantTree compares the files below a store's directory, sorted.
func wantTree(t *testing.T, _ *Store, dir string, want ...string) {
	t.Helper()
	var got []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, path)
		}
		return err
	})
	slices.Sort(want)
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("files in the store: got %v, %v; want %v", got, err, want)
	}
}

// damage flips the last bit of a blob's file and keeps its mode, and its mtime
// too if that is wanted.
func damage(t *testing.T, dir string, ref Ref, keepTime bool) {
	t.Helper()
	path := filepath.Join(dir, ref.path())
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-1] ^= 1
	mtime := info.ModTime()
	if !keepTime {
		mtime = mtime.Add(time.Second)
	}
	for _, err := range []error{
		os.Chmod(path, 0o600), os.WriteFile(path, content, 0o600), os.Chmod(path, 0o400), os.Chtimes(path, mtime, mtime),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}
