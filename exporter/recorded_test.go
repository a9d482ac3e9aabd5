package exporter

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"licensekit/exporter/audit"
	"licensekit/exporter/evidence"
	"licensekit/exporter/report"
)

// recorded gives the events of a type.
func (h *house) recorded(of audit.Type) []audit.Event {
	h.t.Helper()
	events, _, err := h.opts.Trail.List(h.t.Context(), audit.Query{Type: of, Limit: 100})
	if err != nil {
		h.t.Fatal(err)
	}
	return events
}

func (h *house) recordedOnce(of audit.Type) audit.Event {
	h.t.Helper()
	events := h.recorded(of)
	if len(events) != 1 {
		h.t.Fatalf("%s: got %+v, want one event", of, events)
	}
	return events[0]
}

// An export that only the log knows is recorded as ready when it is entered.
func TestEndsAreRecorded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	x := h.freeze(report.UsageSummary, "json")
	if got := h.recordedOnce(audit.ExportReady); got.Metadata["recovered"] != nil || got.ResourceID != string(x.ID) {
		t.Errorf("ready: got %+v, want it of %s, not recovered", got, x.ID)
	}
	h.stop()
	if err := os.Remove(filepath.Join(h.path, databaseFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := RebuildDatabase(h.path, quiet); err != nil {
		t.Fatal(err)
	}
	h.open()
	if got := h.recordedOnce(audit.ExportReady); got.Metadata["recovered"] != true || got.ActorID != audit.Server {
		t.Errorf("from the log: got %+v, want it recovered by the server", got)
	}
}

// A rotation is recorded once: by who asked for it, or, where the process ended
// in between, at the next start.
func TestRotationsAreRecorded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	by := audit.Origin{ActorType: audit.ByKey, ActorID: "key_admin"}
	first, err := h.RotateKey(audit.With(t.Context(), by))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.recordedOnce(audit.SigningKeyRotated); got.Origin != by || got.ResourceID != first.ID() {
		t.Errorf("got %+v, want the rotation to %s by %+v", got, first.ID(), by)
	}
	// As RotateKey does it, without what follows.
	if _, err := evidence.Rotate(context.Background(), h.keys, h.log.Log, h.instance, h.opts.Now(), func(context.Context, []byte) error { return nil }); err != nil {
		t.Fatal(err)
	}
	h.reopen(1)
	h.reopen(1)
	events := h.recorded(audit.SigningKeyRotated)
	if len(events) != 2 || events[0].ActorID != audit.Server || events[0].Metadata["old_key"] != first.ID() {
		t.Errorf("after starts: got %+v, want the second rotation once, by the server", events)
	}
}

func TestRestartsAreRecorded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.stop()
	restarted, err := h.restart()
	if err != nil {
		t.Fatal(err)
	}
	h.open()
	h.reopen(1)
	if got := h.recordedOnce(audit.LogRestarted); got.ResourceID != restarted.Key.Origin() || got.ActorID != audit.Owner {
		t.Errorf("got %+v, want the restart to log %s by the owner", got, restarted.Key.Origin())
	}
}
