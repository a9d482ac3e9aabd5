package exporter

import (
	"fmt"
	"slices"
	"testing"

	"licensekit/exporter/report"
)

// sequences lists all pages of a query.
func (h *house) sequences(q Query) (all []int64) {
	h.t.Helper()
	for {
		page, next, err := h.List(h.t.Context(), q)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(page) > q.Limit {
			h.t.Errorf("page of %+v: got %d exports, want at most %d", q, len(page), q.Limit)
		}
		for _, x := range page {
			all = append(all, x.Sequence)
		}
		if next == 0 {
			return all
		}
		q.Before = next
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	clock := newGate()
	h := newHouse(t, Options{Workers: 1, Now: clock.now})
	if page, next, err := h.List(t.Context(), Query{Limit: 5}); err != nil || page == nil || len(page) > 0 || next != 0 {
		t.Errorf("list of none: got %v, next %d, %v; want an empty page", page, next, err)
	}
	h.fill(10)
	for i := range 9 {
		r := ask(t, []report.Kind{report.UsageSummary, report.UsageLedger}[i%2], []string{"json", "csv", "csv"}[i%3])
		r.CreatedBy = fmt.Sprintf("key_%d", i/4)
		h.await(h.create(r).ID, Ready)
	}
	h.createHeld(clock, ask(t, report.UsageLedger, "json"))
	defer clock.open()
	for _, c := range []struct {
		name string
		q    Query
		want []int64
	}{
		{"all", Query{}, []int64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{"before", Query{Before: 4}, []int64{3, 2, 1}},
		{"before the first", Query{Before: 1}, nil},
		{"before what is to come", Query{Before: 1 << 60}, []int64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{"kind", Query{Kind: report.UsageLedger}, []int64{10, 8, 6, 4, 2}},
		{"format", Query{Format: "csv"}, []int64{9, 8, 6, 5, 3, 2}},
		{"creator", Query{CreatedBy: "key_1"}, []int64{8, 7, 6, 5}},
		{"ready", Query{Status: Ready}, []int64{9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{"processing", Query{Status: Processing}, []int64{10}},
		{"pending", Query{Status: Pending}, nil},
		{"several", Query{Kind: report.UsageLedger, Format: "csv", CreatedBy: "key_1", Status: Ready}, []int64{8, 6}},
	} {
		for _, limit := range []int{1, 2, 3, 100} {
			c.q.Limit = limit
			if got := h.sequences(c.q); !slices.Equal(got, c.want) {
				t.Errorf("%s, %d a page: got %v, want %v", c.name, limit, got, c.want)
			}
		}
	}
}
