package exporter

import (
	"context"
	"os"
	"testing"
	"time"

	"licensekit/exporter/ledger"
	"licensekit/exporter/report"
)

func TestRead(t *testing.T) {
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
		best := time.Hour
		rows := 0
		for range 8 {
			a := cpuNow(0)
			rows = 0
			for b := range d.Sections[0].Rows {
				rows += b.Len()
			}
			best = min(best, cpuNow(0)-a)
		}
		t.Logf("read %d rows: %.0f ns/row", rows, float64(best.Nanoseconds())/float64(rows))
		return nil
	})
}
