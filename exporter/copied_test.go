package exporter

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"licensekit/exporter/audit"
	"licensekit/exporter/evidence"
	"licensekit/exporter/report"
)

// moment is a data directory in use, as a tool that is infinitely fast copies it.
type moment struct {
	path    string
	exports []Export // that had been acknowledged
	entries int64
}

// moments takes copies of a house between freezes, and a rotation.
func moments(t *testing.T, count int) (all []moment) {
	t.Helper()
	h := newHouse(t, Options{Workers: 2})
	h.fill(10)
	var exports []Export
	for n := range count {
		for range 3 {
			h.fill(1)
			exports = append(exports, h.freeze(report.UsageLedger, "csv"))
		}
		if n == 1 {
			if _, err := h.RotateKey(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, moment{copyTree(t, h.path), slices.Clone(exports), h.Log().Size()})
	}
	h.stop()
	return all
}

// part of a directory that a tool takes at one moment.
type part struct {
	name  string
	holds func(name string) bool
}

// parts that a tool can take in any order.
var parts = []part{
	{"database", func(name string) bool { return strings.HasPrefix(name, databaseFile) || name == formatFile }},
	{"blobs", func(name string) bool { return strings.HasPrefix(name, blobsDir) }},
	{"checkpoint", func(name string) bool { return name == logDir+"/checkpoint" }},
	{"tiles", func(name string) bool { return strings.HasPrefix(name, logDir+"/tile") }},
	{"keys", func(name string) bool { return strings.HasPrefix(name, keysDir) }},
}

// pieced puts a copy together of parts that are of different moments.
func pieced(t *testing.T, all []moment, of []int) (path, what string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "copy")
	for i, p := range parts {
		from := all[of[i]].path
		what += fmt.Sprintf(" %s %d", p.name, of[i])
		err := filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(from, name)
			if err != nil || entry.IsDir() || !p.holds(filepath.ToSlash(rel)) {
				return err
			}
			content, err := os.ReadFile(name)
			if err == nil {
				err = errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(path, rel)), 0o700), os.WriteFile(filepath.Join(path, rel), content, 0o600))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return path, what
}

// Whatever moments the parts of a copy are of: it opens, what had been
// acknowledged at the earliest of them is whole and verifies, the rest is named
// where it is not whole, and no place in the log is given twice.
func TestCopyOfADirectoryInUse(t *testing.T) {
	t.Parallel()
	all := moments(t, 4)
	random := rand.New(rand.NewPCG(1, 2))
	kinds := map[string]int{}
	for range 14 {
		of := make([]int, len(parts))
		for i := range of {
			of[i] = random.IntN(len(all))
		}
		path, what := pieced(t, all, of)
		h := openHouse(t, path, Options{Workers: 1})
		wantCopied(t, what, h, all[slices.Min(of)].exports)
		known := max(all[of[0]].entries, all[of[2]].entries, all[of[3]].entries)
		if h.Log().Size() < known {
			kinds["behind"]++
			wantBehind(t, what, h)
			continue
		}
		kinds["goes on"]++
		if fresh := h.freeze(report.UsageSummary, "json"); *fresh.LogIndex < known {
			t.Errorf("%s: got index %d, want one beyond %d", what, *fresh.LogIndex, known-1)
		}
		h.reopen(1)
		wantCopied(t, what+", opened again", h, all[slices.Min(of)].exports)
		h.stop()
	}
	if kinds["behind"] == 0 || kinds["goes on"] == 0 {
		t.Errorf("got %v, want some of each", kinds)
	}
}

// Of a copy whose database and tiles are from before the exports and a rotation
// of the key, the blobs have it all.
func TestCopyIsMadeWholeFromBlobs(t *testing.T) {
	t.Parallel()
	all := moments(t, 4)
	path, what := pieced(t, all, []int{0, 3, 3, 0, 3})
	h := openHouse(t, path, Options{Workers: 1})
	wantCopied(t, what, h, all[3].exports)
	if err := h.Behind(); err != nil || h.Log().Size() != all[3].entries {
		t.Errorf("%s: got a log of %d, %v; want one of %d that goes on", what, h.Log().Size(), err, all[3].entries)
	}
	if got := h.recordedOnce(audit.SigningKeyRotated); got.ActorID != audit.Server {
		t.Errorf("%s: got %+v, want the rotation, recovered by the server", what, got)
	}
	h.stop()
}

// wantCopied wants exports to be whole, and all that is not to be named.
func wantCopied(t *testing.T, what string, h *house, acknowledged []Export) {
	t.Helper()
	for _, x := range acknowledged {
		result, err := h.Verify(t.Context(), x.ID, nil)
		if err != nil || result.Verdict != evidence.Verified {
			t.Errorf("%s: verify %s, entry %d: got %+v, %v; want it verified", what, x.ID, *x.LogIndex, result, err)
		}
	}
	r, err := h.Check(t.Context())
	if err != nil || !r.OK || r.Copied == nil || !r.Copied.InUse || !r.Copied.Settled {
		t.Fatalf("%s: check: got %+v, %+v, %v; want no problem in a copy", what, r, r.Copied, err)
	}
	named := map[string]bool{}
	for _, w := range r.Warnings {
		named[w.ID] = true
	}
	ready, _, err := h.List(t.Context(), Query{Status: Ready, Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range ready {
		_, err := h.Verify(t.Context(), x.ID, nil)
		if whole := err == nil; whole == named[string(x.ID)] {
			t.Errorf("%s: verify %s: got %v, and named in the check: %t", what, x.ID, err, named[string(x.ID)])
		}
		if err != nil && !errors.Is(err, ErrLost) {
			t.Errorf("%s: verify %s: got %v, want %v", what, x.ID, err, ErrLost)
		}
	}
}

// wantBehind wants a house that freezes nothing before its log was restarted.
func wantBehind(t *testing.T, what string, h *house) {
	t.Helper()
	if _, _, err := h.Create(t.Context(), ask(t, report.UsageSummary, "json")); !errors.Is(err, ErrBehind) {
		t.Errorf("%s: create: got %v, want %v", what, err, ErrBehind)
	}
	if _, err := h.RotateKey(t.Context()); !errors.Is(err, ErrBehind) {
		t.Errorf("%s: rotate: got %v, want %v", what, err, ErrBehind)
	}
	size := h.Log().Size()
	h.stop()
	restarted, err := h.restart()
	if err != nil || restarted.Closed.Size != size {
		t.Fatalf("%s: restart: got %+v, %v; want the log closed at %d", what, restarted, err, size)
	}
	h.open()
	if x := h.freeze(report.UsageSummary, "json"); *x.LogOrigin != restarted.Key.Origin() || *x.LogIndex != 1 {
		t.Errorf("%s: got %s %d, want an export in the new log", what, *x.LogOrigin, *x.LogIndex)
	}
	h.stop()
}

// A copy that was made while the log was restarted is refused where a key would
// sign a log that is not its own, or a log that was closed would grow: nothing
// is signed.
func TestCopyAcrossARestartOfTheLog(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(10)
	h.freeze(report.UsageLedger, "csv")
	h.stop()
	all := []moment{{path: copyTree(t, h.path)}, {path: h.path}}
	if _, err := h.restart(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what   string
		of     []int // see [parts]
		closed bool  // the log that was closed came along
	}{
		{"the keys are newer than the log", []int{0, 0, 0, 0, 1}, false},
		{"the log is newer than the keys", []int{0, 0, 1, 1, 0}, true},
		{"the log came before and after the restart", []int{0, 0, 0, 0, 0}, true},
	} {
		path, _ := pieced(t, all, test.of)
		if test.closed {
			if err := os.CopyFS(closedLogDir(path, 1), os.DirFS(closedLogDir(all[1].path, 1))); err != nil {
				t.Fatal(err)
			}
		}
		checkpoint := filepath.Join(path, logDir, "checkpoint")
		want, err := os.ReadFile(checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		h.path = path
		if err := h.refused(); !errors.Is(err, ErrOutlived) {
			t.Errorf("%s: open: got %v, want %v", test.what, err, ErrOutlived)
		}
		if _, err := h.restart(); !errors.Is(err, ErrOutlived) {
			t.Errorf("%s: restart: got %v, want %v", test.what, err, ErrOutlived)
		}
		if got, err := os.ReadFile(checkpoint); err != nil || string(got) != string(want) {
			t.Errorf("%s: its checkpoint: got %q, %v; want it as it was, %q", test.what, got, err, want)
		}
	}
}

// A copy whose log and keys are from before a restart of the log, and whose
// database has seen the new log, can be read, and begins a log of its own.
func TestCopyWithoutTheLogThatFollows(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(10)
	first := h.freeze(report.UsageLedger, "csv")
	h.stop()
	before := moment{path: copyTree(t, h.path)}
	if _, err := h.restart(); err != nil {
		t.Fatal(err)
	}
	h.reopen(1)
	second := h.freeze(report.UsageSummary, "csv")
	h.stop()
	path, what := pieced(t, []moment{before, {path: h.path}}, []int{1, 1, 0, 0, 0})
	behind := openHouse(t, path, Options{Workers: 1})
	if got := behind.copied.lacks(); len(got) != 1 || got[second.ID].Export != second.ID {
		t.Errorf("%s: lacking: got %+v, want the place of %s in the log", what, got, second.ID)
	}
	r, err := behind.Check(t.Context())
	if err != nil || r.OK || slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Code != CodeBehind }) || len(behind.Damage()) > 0 {
		t.Errorf("%s: check: got %+v, %v, and damage %+v; want that the log is behind, and no damage", what, r, err, behind.Damage())
	}
	wantBehind(t, what, behind)
	behind.open()
	for _, x := range []Export{first, second} {
		b, _, err := behind.Artifact(t.Context(), x.ID)
		if err != nil {
			t.Errorf("%s: artifact of %s: got %v", what, x.ID, err)
			continue
		}
		b.Close()
	}
}
