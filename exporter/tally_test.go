package exporter

import (
	"maps"
	"testing"

	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
)

// Counts are right while exports are made, over a restart, and made anew where
// they are missing.
func TestCounts(t *testing.T) {
	t.Parallel()
	courses := make(chan Course, 10)
	h := newHouse(t, Options{Workers: 1, Measured: func(c Course) { courses <- c }})
	h.fill(20)
	expect := func(when string, want map[Class]int64) {
		t.Helper()
		got, err := h.Counts()
		maps.DeleteFunc(got, func(_ Class, n int64) bool { return n == 0 })
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: got %v, %v; want %v", when, got, err, want)
		}
	}
	ready, failed := Class{report.UsageSummary, "csv", Ready}, Class{report.UsageLedger, "json", Failed}
	pending := Class{report.UsageSummary, "pdf", Pending}
	h.freeze(report.UsageSummary, "csv")
	h.freeze(report.UsageSummary, "csv")
	if got := <-courses; got.Class != ready || got.Waited < 0 || got.Made <= 0 {
		t.Errorf("course: got %+v, want that of one that is ready", got)
	}
	h.rendering <- struct{}{}
	x := h.create(ask(t, report.UsageLedger, "json"))
	if got := h.Oldest(); got.UnixMilli() != int64(x.CreatedAt) {
		t.Errorf("oldest: got %v, want %d", got, x.CreatedAt)
	}
	expect("one waits", map[Class]int64{ready: 2, {report.UsageLedger, "json", Pending}: 1})
	if err := h.change(x.ID, func(found *entry) { found.Export.Status, found.Export.Error = Failed, &Failure{"TEST", "test"} }); err != nil {
		t.Fatal(err)
	}
	<-h.rendering
	expect("it failed", map[Class]int64{ready: 2, failed: 1})

	h.reopen(0)
	waiting := h.create(ask(t, report.UsageSummary, "pdf"))
	h.reopen(0)
	expect("after a restart", map[Class]int64{ready: 2, failed: 1, pending: 1})
	if got := h.Oldest(); got.UnixMilli() != int64(waiting.CreatedAt) {
		t.Errorf("oldest after a restart: got %v, want %d", got, waiting.CreatedAt)
	}
	if err := h.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(tallyBucket)) }); err != nil {
		t.Fatal(err)
	}
	h.reopen(1)
	h.await(waiting.ID, Ready)
	expect("made anew", map[Class]int64{ready: 2, failed: 1, {report.UsageSummary, "pdf", Ready}: 1})
}
