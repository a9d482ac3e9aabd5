package tilelog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A change of any byte of a partial tile that was superseded is noticed.
func TestCheckPartials(t *testing.T) {
	t.Parallel()
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	for range 3 {
		appendOne(t, l)
	}
	if err := l.CheckPartials(t.Context()); err != nil {
		t.Fatalf("good tiles: got %v, want nil", err)
	}
	seen := 0
	for name, content := range files(t, l.disk.root.Name()) {
		if !strings.Contains(name, ".p/") || strings.HasSuffix(name, "/3") {
			continue // what Walk reads
		}
		seen++
		path := filepath.Join(l.disk.root.Name(), name)
		for at := range content {
			rewrite(t, path, content, at)
			if err := l.CheckPartials(t.Context()); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), name) {
				t.Errorf("byte %d of %s changed: got %v, want ErrMismatch that names it", at, name, err)
			}
		}
		rewrite(t, path, content, -1)
	}
	if seen != 4 {
		t.Errorf("superseded tiles: got %d, want 4", seen)
	}
}

// rewrite writes a file with a bit of a byte inverted, or as it was.
func rewrite(t *testing.T, path string, content []byte, at int) {
	t.Helper()
	damaged := append([]byte(nil), content...)
	if at >= 0 {
		damaged[at] ^= 1
	}
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, damaged, 0o400)); err != nil {
		t.Fatal(err)
	}
}
