//go:build unix

package command

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What is fetched is as open to others as the user's other files.
func TestSavedFilesFollowTheUmask(t *testing.T) {
	for umask, want := range map[int]os.FileMode{0o022: 0o644, 0o077: 0o600, 0o007: 0o660} {
		path := filepath.Join(t.TempDir(), "ledger.csv")
		old := syscall.Umask(umask)
		_, err := saveFile(path, strings.NewReader("id\r\n"))
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != want {
			t.Errorf("umask %03o: got %v, %v; want %v", umask, info.Mode(), err, want)
		}
		if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
			t.Errorf("umask %03o: left are %v, %v; want the file alone", umask, left, err)
		}
	}
}
