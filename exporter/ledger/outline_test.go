package ledger

import (
	"math/rand/v2"
	"testing"

	"licensekit/exporter/report"
)

// What newer snapshots learned about blocks is not taken for a part of older
// ones, nor what older ones learned for all of the newer.
func TestOutlinesOfSnapshots(t *testing.T) {
	t.Parallel()
	l, random := newLedger(t), rand.New(rand.NewPCG(1, 2))
	from := report.Instant(clock.UnixMilli()) // of all of them: the scan goes by time
	scan := report.Scan{Match: report.Match{From: &from}, Fields: report.AllFields}
	rows := 0
	grow := func() {
		t.Helper()
		outcomes, err := l.Append(t.Context(), facts(random, rows, 2*BlockRows))
		if rows += 2 * BlockRows; err != nil || count(outcomes)[Accepted] != 2*BlockRows {
			t.Fatalf("append: got %v, %v; want all accepted", count(outcomes), err)
		}
	}
	want := func(s *Snapshot, blocks, sum int) {
		t.Helper()
		outlines, err := s.outlines()
		if got := len(collect(t, s, scan)); got != sum || len(outlines) != blocks || err != nil {
			t.Errorf("got %d rows and %d blocks, %v; want %d and %d", got, len(outlines), err, sum, blocks)
		}
	}
	view := func(f func(*Snapshot)) {
		t.Helper()
		if err := l.View(t.Context(), func(s *Snapshot) error { f(s); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	view(func(s *Snapshot) { want(s, 0, 0) })
	grow()
	view(func(older *Snapshot) {
		grow()
		view(func(newer *Snapshot) {
			want(older, 2, 2*BlockRows)
			want(newer, 4, 4*BlockRows)
			want(older, 2, 2*BlockRows)
		})
	})
	view(func(s *Snapshot) { want(s, 4, 4*BlockRows) })
}
