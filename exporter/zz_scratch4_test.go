package exporter

import (
	"context"
	"os"
	"testing"

	"licensekit/exporter/ledger"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

func TestEnc(t *testing.T) {
	data := os.Getenv("LK_DATA")
	if data == "" {
		t.Skip()
	}
	h := openHouse(t, data, Options{Workers: 2})
	h.facts.View(context.Background(), func(s *ledger.Snapshot) error {
		r := ask(t, report.UsageLedger, "csv")
		d, err := report.Build(context.Background(), s, report.UsageLedger, r.Filters)
		if err != nil {
			t.Fatal(err)
		}
		var batches []report.Batch
		n := 0
		for b := range d.Sections[0].Rows {
			batches = append(batches, b)
			if n += b.Len(); n > 200_000 {
				break
			}
		}
		m := *d
		m.Sections = append([]report.Section(nil), d.Sections...)
		m.Sections[0].Rows = func(yield func(report.Batch, error) bool) {
			for _, b := range batches {
				if !yield(b, nil) {
					return
				}
			}
		}
		for _, c := range batches[5] {
			t.Logf("text %d codes %d values", len(c.Text.Codes), len(c.Text.Values))
		}
		f, _ := render.Parse(os.Getenv("LK_FORMAT"))
		var out null
		per := func(d float64) float64 { return d / float64(n) }
		best := minCPU(150, func() { out = null{}; f.Encode(context.Background(), &out, &m, render.Info{}) })
		t.Logf("%s %.0f ns/row, %d bytes/row", f.Name, per(float64(best.Nanoseconds())), out.n/int64(n))
		return nil
	})
}
