package exporter

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"licensekit/exporter/evidence"
	"licensekit/exporter/report"
)

// A bit that flips in the secret makes another key, which is whole. Only the
// log shows that it is not the one that signs.
func TestCheckKnowsTheKeyThatSigns(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(10)
	keys := func(when string, want int) {
		t.Helper()
		result, err := h.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for _, p := range result.Problems {
			if p.What == "key" {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: got %d problems of keys, want %d: %+v", when, got, want, result.Problems)
		}
	}
	keys("nothing signed", 0)
	h.freeze(report.UsageLedger, "json")
	keys("one export", 0)
	if _, err := h.RotateKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys("after a rotation", 0)
	h.freeze(report.UsageLedger, "json")

	another := t.TempDir()
	if _, err := evidence.LoadOrCreate(another, evidence.ForExport, h.opts.Now()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(another, "export.key"), evidence.KeyPath(h.dir.Keys(), evidence.ForExport)); err != nil {
		t.Fatal(err)
	}
	h.reopen(1)
	keys("another key", 1)
}

// A check beside writes takes what they replace for no damage.
func TestCheckBesideWrites(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1, MaxQueued: 1_000_000})
	h.fill(2000)
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			h.create(ask(t, report.UsageSummary, "json"))
		}
	})
	for range 5 {
		r, err := h.Check(t.Context())
		if err != nil || !r.OK {
			t.Errorf("check: got %+v, %v; want no problem", r, err)
		}
	}
	stop()
	writing.Wait()
}
