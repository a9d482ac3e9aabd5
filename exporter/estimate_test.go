package exporter

import (
	"context"
	"errors"
	"testing"

	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// What an estimate says of rows and totals is what the export has, and its size
// is near, whether all rows were rendered for it or some.
func TestEstimateIsNearTheExport(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 2})
	for _, activities := range []int{0, 30, 6000} {
		h.fill(activities)
		for _, kind := range []report.Kind{report.UsageLedger, report.UsageSummary, report.LicenseAudit} {
			for _, format := range render.Names() {
				estimate, err := h.Estimate(t.Context(), ask(t, kind, format))
				if err != nil {
					t.Fatalf("%s as %s: %v", kind, format, err)
				}
				x := h.freeze(kind, format)
				if estimate.RowCount != *x.RowCount || estimate.AsOf != *x.AsOf || estimate.Totals.Rows() != *x.RowCount {
					t.Errorf("%s as %s: estimate %+v, want %d rows as of %d", kind, format, estimate, *x.RowCount, *x.AsOf)
				}
				if off := float64(estimate.SizeBytes)/float64(*x.SizeBytes) - 1; off < -0.15 || off > 0.15 {
					t.Errorf("%s as %s, %d rows: estimated %d bytes of %d, which is off by %.0f%%", kind, format, *x.RowCount, estimate.SizeBytes, *x.SizeBytes, 100*off)
				}
			}
		}
	}
}

// An estimate ends as the export would, and with its context.
func TestEstimateFailsAsTheExport(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(50)
	r := ask(t, report.UsageLedger, "pdf")
	r.Format.MaxRows = 10
	var capacity *render.CapacityError
	if _, err := h.Estimate(t.Context(), r); !errors.As(err, &capacity) || capacity.Instead != "csv" {
		t.Errorf("dozens of rows where 10 fit: error %v, want a CapacityError that names csv", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Estimate(ended, ask(t, report.UsageLedger, "csv")); !errors.Is(err, context.Canceled) {
		t.Errorf("under an ended context: error %v, want %v", err, context.Canceled)
	}
}
