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
	d, err := OpenDirectory(h.path, false, quiet)
	if err != nil {
		h.t.Fatal(err)
	}
	defer d.Close()
	return RestartLog(h.t.Context(), d, Options{Anchor: h.opts.Anchor, Now: time.Now})
}

// refused opens the directory of a house that is stopped, for the error.
func (h *house) refused() error {
	h.t.Helper()
	d, err := OpenDirectory(h.path, false, quiet)
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
	b, err := h.Bundle(h.t.Context(), id, ShowFirst)
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
	first, err := evidence.ParseLogKey([]byte(h.Logs()[0].Key.VerifierKey))
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
	oldKey, err := os.ReadFile(evidence.KeyPath(filepath.Join(h.path, keysDir), evidence.ForLog))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.restart(); err != nil {
		t.Fatal(err)
	}
	after := h.path
	for name, test := range map[string]struct {
		done bool
		keys bool        // the new key waits, and the old one is in its place
		undo [][2]string // renames that take the finished restart back
	}{
		"only a key":                {false, true, [][2]string{{logDir, "tmp/x"}, {"log.1", logDir}}},
		"in tmp":                    {false, true, [][2]string{{logDir, "tmp/" + nextLogDir}, {"log.1", logDir}}},
		"beside the old one":        {true, true, [][2]string{{logDir, nextLogDir}, {"log.1", logDir}}},
		"the old one moved":         {true, true, [][2]string{{logDir, nextLogDir}}},
		"all but the key":           {true, true, nil},
		"all but the anchor":        {true, false, nil},
		"in tmp, and not its start": {false, true, [][2]string{{logDir, "tmp/" + nextLogDir}, {"log.1", logDir}, {"tmp/" + nextLogDir + "/checkpoint", "tmp/x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := &house{t: t, path: copyTree(t, after), opts: h.opts}
			if test.keys {
				swapBack(t, filepath.Join(c.path, keysDir), oldKey)
			}
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

// swapBack takes back that the log's new key has its place.
func swapBack(t *testing.T, keys string, oldKey []byte) {
	t.Helper()
	path := evidence.KeyPath(keys, evidence.ForLog)
	next := filepath.Join(keys, "log.next.key")
	if err := os.Rename(path, next); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(next, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, oldKey, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Each log has a key of its own, and the old secret is gone.
func TestRestartReplacesTheKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(10)
	first := h.freeze(report.UsageLedger, "csv")
	before, bundle := h.Log().Key, h.bundleOf(first.ID)
	h.stop()
	for range 2 {
		restarted, err := h.restart()
		if err != nil || restarted.Last != restarted.Closed {
			t.Fatalf("got %+v, %v; want a log closed where it ended", restarted, err)
		}
	}
	h.open()
	h.freeze(report.UsageLedger, "json")
	h.wantSound(4)
	keys, err := h.PublicKeys()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, key := range keys[1:] {
		if key.Purpose != evidence.ForLog || (key.Status == evidence.Active) != (key.VerifierKey == h.Log().Key.VerifierKey) {
			t.Errorf("got key %+v, want that of the growing log active and the others retired", key)
		}
		ids[key.KID] = true
	}
	if len(keys) != 4 || len(ids) != 3 || !ids[before.KID] || h.Log().Key.KID == before.KID {
		t.Errorf("got %d keys, %d of logs; want one of exports and three of logs, %s among them", len(keys), len(ids), before.KID)
	}
	secrets, err := filepath.Glob(filepath.Join(h.path, keysDir, "*.key"))
	if err != nil || len(secrets) != 2 {
		t.Errorf("got secrets %v, %v; want two", secrets, err)
	}
	if got := h.bundleOf(first.ID); !bytes.Equal(got, bundle) {
		t.Error("the bundle of an export of the first log changed")
	}
	if head, err := h.HeadAt(h.Logs()[0], 1); err != nil || head.Size != 1 {
		t.Errorf("checkpoint 1 of the first log: got %+v, %v; want it", head, err)
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

// An export that was in the log when the anchor's disk gave out has not failed:
// the log counts, and the next start goes by it.
func TestOutageAfterAnExportWasLogged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := newHouse(t, Options{Workers: 1, Anchor: filepath.Join(dir, "anchor")})
	h.fill(10)
	h.freeze(report.UsageLedger, "csv")
	staged := filepath.Join(dir, ".anchor.staged")
	if err := os.MkdirAll(filepath.Join(staged, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	x := h.create(ask(t, report.UsageSummary, "json"))
	select {
	case <-h.Failed():
	case <-time.After(time.Minute):
		t.Fatal("got no outage, want one")
	}
	if got, err := h.Get(t.Context(), x.ID); err != nil || got.Status.Final() {
		t.Errorf("meanwhile: got %s, %v; want it unfinished", got.Status, err)
	}
	h.stop()
	if err := os.RemoveAll(staged); err != nil {
		t.Fatal(err)
	}
	h.open()
	got := h.await(x.ID, Ready)
	if got.Error != nil || *got.LogIndex != 1 {
		t.Errorf("got %+v, want it ready at index 1", got)
	}
	h.wantSound(2)
	if l, err := tilelog.ParseCheckpoint(h.Log().Head().Signed); err != nil || l.Size != 2 {
		t.Errorf("got %+v, %v; want the log at 2", l, err)
	}
}
