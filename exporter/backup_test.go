package exporter

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"licensekit/exporter/report"
)

// copyKept copies a directory whose keys nobody else can read.
func copyKept(t *testing.T, path string) string {
	t.Helper()
	path = copyTree(t, path)
	keys, err := filepath.Glob(filepath.Join(path, keysDir, "*.key"))
	for _, key := range keys {
		err = errors.Join(err, os.Chmod(key, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// wantRestored restores a backup, and wants so many exports at least, all of them
// whole.
func wantRestored(t *testing.T, what, from string, exports int) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "restored")
	if _, err := Restore(t.Context(), Transfer{From: from, To: to, Progress: func(int64) {}, Now: time.Now}); err != nil {
		t.Errorf("%s: restore: got %v", what, err)
		return
	}
	h := openHouse(t, to, Options{Workers: 1})
	defer h.stop()
	r, err := h.Check(t.Context())
	if err != nil || !r.OK || r.Checked.Exports < int64(exports) {
		t.Errorf("%s: check: got %+v, %v; want %d exports without a problem", what, r, err, exports)
	}
}

// The log is restarted while a backup is made, at any moment of it: if that one
// fails, the one before stays good, and the next one is whole.
func TestBackupAcrossARestartOfTheLog(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(10)
	h.freeze(report.UsageLedger, "csv")
	h.stop()
	first := filepath.Join(t.TempDir(), "backup")
	if _, err := MakeBackup(t.Context(), Transfer{From: h.path, To: first, Progress: func(int64) {}, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	h.open()
	h.freeze(report.UsageLedger, "json")
	h.stop()

	steps := 0 // of the second one
	count := func(int64) { steps++ }
	if _, err := MakeBackup(t.Context(), Transfer{From: h.path, To: copyKept(t, first), Progress: count, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, at := range []int{1, steps - 6, steps - 3, steps - 1, steps} {
		original := &house{t: t, path: copyKept(t, h.path), opts: h.opts}
		transfer := Transfer{From: original.path, To: copyKept(t, first), Now: time.Now}
		step := 0
		transfer.Progress = func(int64) {
			if step++; step == at {
				if _, err := original.restart(); err != nil {
					t.Error(err)
				}
			}
		}
		what := fmt.Sprintf("restarted at step %d of %d", at, steps)
		_, err := MakeBackup(t.Context(), transfer)
		switch {
		case errors.Is(err, ErrRestarted):
			refused++
			wantRestored(t, what+": the backup before", transfer.To, 1)
		case err != nil:
			t.Errorf("%s: got %v, want it made, or %v", what, err, ErrRestarted)
		}
		for _, next := range []string{"the next one", "and once more"} {
			if _, err := MakeBackup(t.Context(), transfer); err != nil {
				t.Fatalf("%s: %s: got %v", what, next, err)
			}
			wantRestored(t, what+": "+next, transfer.To, 2)
		}
	}
	if refused == 0 {
		t.Error("no restart was in the midst of a backup: nothing was tried")
	}
}
