package exporter

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"licensekit/exporter/evidence/evidencetest"
	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/evidence/witness"
	"licensekit/exporter/report"
)

// cosignedHouse is a directory with two exports, and a cosigned checkpoint of each
// size. It is closed.
func cosignedHouse(t *testing.T) *house {
	t.Helper()
	h := newHouse(t, Options{Workers: 1})
	h.fill(3)
	auditor := evidencetest.NewAuditor(t, "auditor.example")
	for _, format := range []string{"csv", "json"} {
		h.freeze(report.UsageLedger, format)
		signed := auditor.Sign(t, h.Log().Key.VerifierKey, h.Log().Head().Signed)
		if _, err := h.KeepCosigned(t.Context(), signed, []witness.Key{auditor.Key}); err != nil {
			t.Fatal(err)
		}
	}
	h.stop()
	return h
}

// backUp makes a backup, and gives the names of what it calls damaged.
func backUp(t *testing.T, from, to string) (damaged []string) {
	t.Helper()
	b, err := MakeBackup(t.Context(), Transfer{From: from, To: to, Progress: func(int64) {}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, damage := range b.Damaged {
		name, _, _ := strings.Cut(damage, ":")
		damaged = append(damaged, name)
	}
	return damaged
}

// overwrite changes a file that is meant not to change.
func overwrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err == nil {
		err = os.WriteFile(path, change(content), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return content
}

// What is damaged beside the log is named by a backup, which keeps what it has of
// it, and copies it where it has nothing.
func TestBackupNamesDamageBesideTheLog(t *testing.T) {
	t.Parallel()
	h := cosignedHouse(t)
	whole := filepath.Join(t.TempDir(), "backup")
	if got := backUp(t, h.path, whole); len(got) > 0 {
		t.Fatalf("of a sound directory: got %q, want no damage", got)
	}
	origin := firstOrigin(h.instance)
	cosigned := filepath.Join(logDir, "cosigned", "2")
	for name, test := range map[string]struct {
		file   string
		change func([]byte) []byte
		want   string
	}{
		"a byte of the checkpoint":   {cosigned, func(b []byte) []byte { return flipped(b, 3) }, "log " + origin + " cosigned 2"},
		"a byte of the cosignature":  {cosigned, func(b []byte) []byte { return flipped(b, len(b)-20) }, "log " + origin + " cosigned 2"},
		"the name of who cosigned":   {cosigned, func(b []byte) []byte { return bytes.Replace(b, []byte("auditor"), []byte("another"), 1) }, "log " + origin + " cosigned 2"},
		"an end that grows":          {cosigned, func(b []byte) []byte { return append(b, make([]byte, tilelog.MaxCheckpoint)...) }, "log " + origin + " cosigned 2"},
		"the checkpoint of one less": {cosigned, func([]byte) []byte { return read(t, filepath.Join(h.path, logDir, "cosigned", "1")) }, "log " + origin + " cosigned 2"},
		"the witnesses' keys":        {witnessesFile, func(b []byte) []byte { return flipped(b, len(b)-9) }, witnessesFile},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rotten := copyKept(t, h.path)
			overwrite(t, filepath.Join(rotten, test.file), test.change)
			next := copyKept(t, whole)
			if got := backUp(t, rotten, next); !slices.Equal(got, []string{test.want}) {
				t.Errorf("got %q called damaged, want %q", got, test.want)
			}
			if got, want := read(t, filepath.Join(next, test.file)), read(t, filepath.Join(whole, test.file)); !bytes.Equal(got, want) {
				t.Errorf("in the backup: got %q, want %q as before", got, want)
			}
			wantRestored(t, "the next backup", next, 2)

			first := filepath.Join(t.TempDir(), "first")
			if got := backUp(t, rotten, first); !slices.Equal(got, []string{test.want}) {
				t.Errorf("the first backup: got %q called damaged, want %q", got, test.want)
			}
			want := read(t, filepath.Join(rotten, test.file))
			if len(want) > tilelog.MaxCheckpoint { // it is no checkpoint at all
				want = nil
			}
			if got := read(t, filepath.Join(first, test.file)); !bytes.Equal(got, want) {
				t.Errorf("in the first backup: got %q, want %q", got, want)
			}
			if _, err := Restore(t.Context(), Transfer{From: first, To: filepath.Join(t.TempDir(), "restored"), Progress: func(int64) {}, Now: time.Now}); err != nil {
				t.Errorf("restore of the first backup: got %v, want no error", err)
			}
		})
	}
}

// A backup that lost something is not restored in silence, however much it lacked
// from the beginning.
func TestRestoreRefusesFurtherDamage(t *testing.T) {
	t.Parallel()
	h := cosignedHouse(t)
	blobs, err := filepath.Glob(filepath.Join(h.path, blobsDir, "sha256", "*", "*"))
	if err != nil || len(blobs) < 2 {
		t.Fatalf("got blobs %q, %v; want some", blobs, err)
	}
	overwrite(t, blobs[0], func(b []byte) []byte { return flipped(b, len(b)/2) })
	backup := filepath.Join(t.TempDir(), "backup")
	if got := backUp(t, h.path, backup); !slices.Contains(got, "blob "+filepath.Base(blobs[0])) {
		t.Fatalf("got %q called damaged, want %s among it", got, blobs[0])
	}
	to := filepath.Join(t.TempDir(), "restored")
	transfer := Transfer{From: backup, To: to, Progress: func(int64) {}, Now: time.Now}
	if _, err := Restore(t.Context(), transfer); err != nil {
		t.Errorf("as it was made: got %v, want it restored", err)
	}
	another, err := filepath.Rel(h.path, blobs[1])
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		another:                                "blob " + filepath.Base(another),
		filepath.Join(logDir, "cosigned", "1"): "cosigned 1",
		witnessesFile:                          witnessesFile,
	} {
		transfer.From, transfer.To = copyKept(t, backup), filepath.Join(t.TempDir(), "restored")
		overwrite(t, filepath.Join(transfer.From, name), func(b []byte) []byte { return flipped(b, len(b)/2) })
		if _, err := Restore(t.Context(), transfer); !errors.Is(err, ErrNoBackup) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s damaged: got %v, want %v that names %q", name, err, ErrNoBackup, want)
		}
	}
}

// A backup whose original had lost the witnesses' keys keeps those that it had, and
// is restored although somebody else has signed since.
func TestRestoreWithWitnessesOfBefore(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(3)
	to := filepath.Join(t.TempDir(), "backup")
	for _, name := range []string{"first.example", "second.example"} {
		h.freeze(report.UsageLedger, "csv")
		auditor := evidencetest.NewAuditor(t, name)
		signed := auditor.Sign(t, h.Log().Key.VerifierKey, h.Log().Head().Signed)
		if _, err := h.KeepCosigned(t.Context(), signed, []witness.Key{auditor.Key}); err != nil {
			t.Fatal(err)
		}
		if name == "first.example" {
			backUp(t, h.path, to)
		}
	}
	h.stop()
	overwrite(t, filepath.Join(h.path, witnessesFile), func(b []byte) []byte { return flipped(b, len(b)-9) })
	if got := backUp(t, h.path, to); !slices.Equal(got, []string{witnessesFile}) {
		t.Fatalf("got %q damaged, want %s", got, witnessesFile)
	}
	_, err := Restore(t.Context(), Transfer{From: to, To: filepath.Join(t.TempDir(), "restored"), Progress: func(int64) {}, Now: time.Now})
	if err != nil {
		t.Errorf("restore: got %v, want no error", err)
	}
}
