package exporter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/ledger"
	"licensekit/exporter/report"
)

// restart restarts the log of a house that is stopped.
func (h *house) restart() (*Restarted, error) {
	h.t.Helper()
	d, err := OpenDirectory(h.path, false)
	if err != nil {
		h.t.Fatal(err)
	}
	defer d.Close()
	return RestartLog(h.t.Context(), d, Options{Anchor: h.opts.Anchor, Now: time.Now})
}

// refused opens the directory of a house that is stopped, for the error.
func (h *house) refused() error {
	h.t.Helper()
	d, err := OpenDirectory(h.path, false)
	if err != nil {
		h.t.Fatal(err)
	}
	defer d.Close()
	facts, err := ledger.Open(d.DB, ledger.Options{Tmp: d.Tmp()})
	if err != nil {
		h.t.Fatal(err)
	}
	e, err := Open(context.Background(), d, facts, h.opts)
	if err != nil {
		return err
	}
	return errors.Join(nil, e.Close())
}

func (h *house) bundleOf(id ID) []byte {
	h.t.Helper()
	b, err := h.Bundle(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	defer b.Close()
	var text bytes.Buffer
	if err := b.WriteTo(h.t.Context(), &text); err != nil {
		h.t.Fatal(err)
	}
	return text.Bytes()
}

func (h *house) wantSound(entries int64) {
	h.t.Helper()
	r, err := h.Check(h.t.Context())
	if err != nil || !r.OK || r.Checked.Entries != entries {
		h.t.Errorf("check: got %+v, %v; want %d entries and no problem", r, err, entries)
	}
}

// copyTree copies a directory as cp -r does.
func copyTree(t *testing.T, from string) (to string) {
	t.Helper()
	to = filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// rolledBack is a house whose newest export was lost with all but an older
// copy of its directory and the anchor.
func rolledBack(t *testing.T) (h *house, kept, lost Export) {
	t.Helper()
	anchor := filepath.Join(t.TempDir(), "anchor")
	h = newHouse(t, Options{Workers: 1, Anchor: anchor})
	h.fill(10)
	kept = h.freeze(report.UsageLedger, "csv")
	h.stop()
	older := copyTree(t, h.path)
	h.open()
	lost = h.freeze(report.UsageSummary, "json")
	h.stop()
	h.path = older
	chmodKeys(t, filepath.Join(older, keysDir))
	return h, kept, lost
}

// chmodKeys gives copied keys their mode, which the copy did not.
func chmodKeys(t *testing.T, dir string) {
	t.Helper()
	for _, purpose := range []evidence.Purpose{evidence.ForExport, evidence.ForLog} {
		if err := os.Chmod(evidence.KeyPath(dir, purpose), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOlderCopyIsRefusedByItsAnchor(t *testing.T) {
	t.Parallel()
	h, kept, _ := rolledBack(t)
	if err := h.refused(); !errors.Is(err, ErrRolledBack) || !strings.Contains(err.Error(), "it shows 2 entries, the log has 1") {
		t.Errorf("got %v, want %v that says how much is missing", err, ErrRolledBack)
	}
	restarted, err := h.restart()
	if err != nil {
		t.Fatal(err)
	}
	if restarted.Closed.Size != 1 || restarted.Last.Size != 2 || restarted.Closed.Origin != restarted.Last.Origin {
		t.Errorf("got %+v, want a log closed at 1 of which 2 is known", restarted)
	}
	h.open()
	old := h.bundleOf(kept.ID)
	fresh := h.freeze(report.UsageSummary, "csv")
	if *fresh.LogIndex != 1 || h.Log().Origin() != restarted.Key.Origin() {
		t.Errorf("got index %d of %s, want 1 of %s", *fresh.LogIndex, h.Log().Origin(), restarted.Key.Origin())
	}
	h.wantSound(3)
	first, err := evidence.NewLogKey(restarted.Closed.Origin, restarted.Key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	trust := evidence.Trust{Keys: []evidence.PublicKey{h.Key()}, LogKeys: []evidence.LogKey{first, restarted.Key}}
	for id, bundle := range map[ID][]byte{kept.ID: old, fresh.ID: h.bundleOf(fresh.ID)} {
		result, err := evidence.Verify(t.Context(), evidence.Input{Bundle: io.NewSectionReader(bytes.NewReader(bundle), 0, int64(len(bundle)))}, trust)
		if err != nil || result.Verdict != evidence.Verified || result.Steps[5].Outcome != evidence.Passed {
			t.Errorf("%s: got %+v, %v; want VERIFIED by its log", id, result, err)
		}
	}
	h.stop()
	if err := h.refused(); err != nil {
		t.Errorf("opened again: got %v, want no error", err)
	}
}

// A restart may end anywhere, by a crash. The next open finishes it, or finds
// the old log as it was.
func TestRestartCutShort(t *testing.T) {
	t.Parallel()
	h, kept, _ := rolledBack(t)
	before := copyTree(t, h.path)
	chmodKeys(t, filepath.Join(before, keysDir))
	anchor, err := os.ReadFile(h.opts.Anchor)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.restart(); err != nil {
		t.Fatal(err)
	}
	after := h.path
	for name, test := range map[string]struct {
		done bool
		undo [][2]string // renames that take the finished restart back
	}{
		"in tmp":                    {false, [][2]string{{logDir, "tmp/" + nextLogDir}, {"log.1", logDir}}},
		"beside the old one":        {true, [][2]string{{logDir, nextLogDir}, {"log.1", logDir}}},
		"the old one moved":         {true, [][2]string{{logDir, nextLogDir}}},
		"all but the anchor":        {true, nil},
		"in tmp, and not its start": {false, [][2]string{{logDir, "tmp/" + nextLogDir}, {"log.1", logDir}, {"tmp/" + nextLogDir + "/checkpoint", "tmp/x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := &house{t: t, path: copyTree(t, after), opts: h.opts}
			chmodKeys(t, filepath.Join(c.path, keysDir))
			c.opts.Anchor = filepath.Join(t.TempDir(), "anchor")
			if err := os.WriteFile(c.opts.Anchor, anchor, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, step := range test.undo {
				if err := os.Rename(filepath.Join(c.path, step[0]), filepath.Join(c.path, step[1])); err != nil {
					t.Fatal(err)
				}
			}
			if !test.done {
				if err := c.refused(); !errors.Is(err, ErrRolledBack) {
					t.Errorf("got %v, want %v: nothing was restarted", err, ErrRolledBack)
				}
				if _, err := c.restart(); err != nil {
					t.Fatalf("restart again: got %v, want no error", err)
				}
			}
			c.open()
			defer c.stop()
			c.bundleOf(kept.ID)
			c.freeze(report.UsageSummary, "json")
			c.wantSound(3)
		})
	}
}

// A copy from before a restart is refused too, and may be restarted itself:
// the new log has another name than the first one's.
func TestCopyFromBeforeARestart(t *testing.T) {
	t.Parallel()
	h, _, _ := rolledBack(t)
	older := copyTree(t, h.path)
	chmodKeys(t, filepath.Join(older, keysDir))
	first, err := h.restart()
	if err != nil {
		t.Fatal(err)
	}
	h.path = older
	if err := h.refused(); !errors.Is(err, ErrRolledBack) {
		t.Errorf("got %v, want %v", err, ErrRolledBack)
	}
	second, err := h.restart()
	if err != nil {
		t.Fatal(err)
	}
	if second.Last.Origin != first.Key.Origin() || second.Key.Origin() == first.Key.Origin() {
		t.Errorf("got %+v after %+v, want another name, and the first one as the last known", second, first)
	}
	h.open()
	h.wantSound(2)
}

// Without its log a directory is not restarted; nor is one that lost the log
// that grows begun from nothing.
func TestLostLogAfterRestart(t *testing.T) {
	t.Parallel()
	h, _, _ := rolledBack(t)
	if _, err := h.restart(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(h.path, logDir)); err != nil {
		t.Fatal(err)
	}
	if err := h.refused(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("open: got %v, want %v", err, os.ErrNotExist)
	}
	if got, err := h.restart(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("restart: got %+v, %v; want %v", got, err, os.ErrNotExist)
	}
}

// An anchor that is named must be there, for it may know more than the log; an
// empty one begins with the new log.
func TestRestartWithANewAnchor(t *testing.T) {
	t.Parallel()
	h, _, _ := rolledBack(t)
	h.opts.Anchor = filepath.Join(t.TempDir(), "anchor")
	if got, err := h.restart(); !errors.Is(err, ErrNoAnchor) {
		t.Errorf("missing: got %+v, %v; want %v", got, err, ErrNoAnchor)
	}
	if err := os.WriteFile(h.opts.Anchor, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := h.restart()
	if err != nil || got.Last != got.Closed {
		t.Fatalf("empty: got %+v, %v; want a log closed where it ended", got, err)
	}
	h.open()
	h.wantSound(2)
	held, err := os.ReadFile(h.opts.Anchor)
	if err != nil || !bytes.Equal(held, h.Log().Head().Signed) {
		t.Errorf("got %q, %v in the anchor, want %q", held, err, h.Log().Head().Signed)
	}
}

func TestAnchorInsideTheDirectory(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.stop()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(h.path, link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{h.path, filepath.Join(h.path, keysDir), link} {
		h.opts.Anchor = filepath.Join(dir, "anchor")
		if err := h.refused(); err == nil || !strings.Contains(err.Error(), "inside the data directory") {
			t.Errorf("%s: got %v, want it refused", h.opts.Anchor, err)
		}
	}
}

// An export that was told to have failed, because the anchor's disk gave out
// after it was in the log, is published all the same: the log counts.
func TestExportThatFailedAfterItWasLogged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := newHouse(t, Options{Workers: 1, Anchor: filepath.Join(dir, "anchor")})
	h.fill(10)
	h.freeze(report.UsageLedger, "csv")
	staged := filepath.Join(dir, ".anchor.staged")
	if err := os.MkdirAll(filepath.Join(staged, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	failed := h.await(h.create(ask(t, report.UsageSummary, "json")).ID, Failed)
	h.stop()
	if err := os.RemoveAll(staged); err != nil {
		t.Fatal(err)
	}
	h.open()
	got := h.await(failed.ID, Ready)
	if got.Error != nil || *got.LogIndex != 1 {
		t.Errorf("got %+v, want it ready at index 1", got)
	}
	h.wantSound(2)
	if l, err := tilelog.ParseCheckpoint(h.Log().Head().Signed); err != nil || l.Size != 2 {
		t.Errorf("got %+v, %v; want the log at 2", l, err)
	}
}
