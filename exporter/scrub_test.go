package exporter

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"licensekit/blobstore"
	"licensekit/exporter/audit"
	"licensekit/exporter/report"
)

// scrubbing runs scrubs until the test or the function that it gives ends.
func (h *house) scrubbing(every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(h.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.Scrub(ctx, ScrubOptions{Rate: 1 << 30, Every: every})
	}()
	stop = func() { cancel(); <-ended }
	h.t.Cleanup(stop)
	return stop
}

// eventually waits for what a scrub does.
func (h *house) eventually(what string, holds func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("%s: it does not come to that; damage: %+v", what, h.Damage())
		}
	}
}

// flipIn inverts a bit of a file and gives what puts it right again.
func flipIn(t *testing.T, path string) (mend func()) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put := func(content []byte) {
		t.Helper()
		os.Chmod(path, 0o600)
		if err := os.WriteFile(path, content, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	bad := bytes.Clone(content)
	bad[len(bad)/2] ^= 4
	put(bad)
	return func() { put(content) }
}

// damaged are the kinds of what is known to be damaged.
func (h *house) damaged() (kinds []string) {
	for _, d := range h.Damage() {
		kinds = append(kinds, d.What)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// A bit flips under a server: the blob is set aside and reported until a good
// copy is there, over restarts too.
func TestScrubFindsRotOfBlobs(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(10)
	x := h.freeze(report.UsageLedger, "csv")
	stop := h.scrubbing(time.Millisecond)
	h.eventually("a whole round", func() bool { return !h.Scrubbed().Ended.IsZero() })
	if got := h.Damage(); len(got) > 0 {
		t.Fatalf("before anything happened: got damage %+v", got)
	}
	mend := flipIn(t, h.blobPath(*x.ArtifactDigest))
	h.eventually("the blob and its export are damaged", func() bool { return slices.Equal(h.damaged(), []string{"blob", "export"}) })
	kept, err := filepath.Glob(filepath.Join(h.path, "blobs", "quarantine", "*"))
	if _, missing := os.Stat(h.blobPath(*x.ArtifactDigest)); len(kept) != 1 || err != nil || missing == nil {
		t.Errorf("quarantine: got %v, %v, and the blob still has its name: %t", kept, err, missing == nil)
	}
	stop()
	h.reopen(1)
	if got := h.damaged(); !slices.Contains(got, "blob") {
		t.Errorf("after a restart: got damage %v, want the blob", got)
	}
	mend()
	h.scrubbing(time.Millisecond)
	h.eventually("all is good again", func() bool { return len(h.Damage()) == 0 })
	events, err := h.opts.Trail.Summaries()
	if err != nil || events[audit.DirectoryDamaged].Count < 2 || events[audit.DirectoryScrubbed].Count < 1 {
		t.Errorf("events: got %+v, %v; want those of the damage and of a round", events, err)
	}
}

func TestScrubFindsRotOfLogs(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(10)
	h.freeze(report.UsageLedger, "csv")
	h.scrubbing(time.Millisecond)
	for _, part := range []string{"entries", "0"} {
		tiles, err := filepath.Glob(filepath.Join(h.path, "log", "tile", part, "*.p", "*"))
		if err != nil || len(tiles) == 0 {
			t.Fatalf("tiles of %s: got %v, %v", part, tiles, err)
		}
		mend := flipIn(t, tiles[len(tiles)-1])
		h.eventually("the log is damaged", func() bool { return slices.Contains(h.damaged(), "log") })
		mend()
		h.eventually("all is good again", func() bool { return len(h.Damage()) == 0 })
	}
}

// A round goes on where the last process was.
func TestScrubRemembersItsPlace(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(10)
	for _, format := range []string{"json", "csv", "pdf"} {
		h.freeze(report.UsageLedger, format)
	}
	s := &scrubber{Exporter: h.Exporter, opts: ScrubOptions{Rate: 1 << 30, Every: time.Hour}, again: time.Now().Add(time.Hour)}
	s.limit = newScrubLimit(1 << 30)
	s.begin()
	total := 0
	err := h.blobs.Walk(t.Context(), func(ref blobstore.Ref, size int64) error {
		if total++; total > 2 {
			return nil
		}
		return s.blob(t.Context(), ref, size)
	})
	if err != nil {
		t.Fatal(err)
	}
	h.saveScrub()
	h.reopen(1)
	h.scrubbing(time.Hour)
	h.eventually("a whole round", func() bool { return !h.Scrubbed().Ended.IsZero() })
	said, err := h.opts.Trail.Summaries()
	if err != nil {
		t.Fatal(err)
	}
	if got := said[audit.DirectoryScrubbed].Newest.Metadata["blobs"]; said[audit.DirectoryScrubbed].Count > 0 && got != float64(total) {
		t.Errorf("blobs of a round over a restart: got %v, want %d", got, total)
	}
	if got, want := h.Scrubbed().Blobs, int64(total)-2; got != want {
		t.Errorf("blobs that were looked at after the restart: got %d, want %d", got, want)
	}
}

// What a check finds counts as well, and one that finds nothing ends it.
func TestCheckTellsOfDamage(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(10)
	x := h.freeze(report.UsageLedger, "csv")
	mend := flipIn(t, h.blobPath(*x.ArtifactDigest))
	for _, want := range []int{1, 0} {
		if _, err := h.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := h.Scrubbed().Damaged; got != want {
			t.Errorf("damage: got %d, want %d: %+v", got, want, h.Damage())
		}
		mend()
	}
}
