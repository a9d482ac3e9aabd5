package exporter

import (
	"context"
	"crypto/sha256"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"licensekit/exporter/ledger"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

func cpuNow(who int) time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(who, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func minCPU(n int, f func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	best := time.Hour
	for range n {
		a := cpuNow(1)
		f()
		if d := cpuNow(1) - a; d < best {
			best = d
		}
	}
	return best
}

type null struct{ n int64 }

func (c *null) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

func TestStages(t *testing.T) {
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
		for range 3 {
			a := cpuNow(0)
			rows = 0
			for b := range d.Sections[0].Rows {
				rows += b.Len()
			}
			best = min(best, cpuNow(0)-a)
		}
		t.Logf("read %d rows: %.0f ns/row", rows, float64(best.Nanoseconds())/float64(rows))
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
		var out null
		per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(n) }
		canon := minCPU(40, func() { out = null{}; report.WriteCanonical(&out, &m) })
		t.Logf("canonical %.0f ns/row, %d bytes/row", per(canon), out.n/int64(n))
		csv, _ := render.Parse("csv")
		c := minCPU(40, func() { out = null{}; csv.Encode(context.Background(), &out, &m, render.Info{}) })
		t.Logf("csv %.0f ns/row, %d bytes/row", per(c), out.n/int64(n))
		buf := make([]byte, 1<<18)
		hsh := sha256.New()
		t.Logf("sha %.2f ns/B", float64(minCPU(200, func() { hsh.Write(buf) }).Nanoseconds())/float64(len(buf)))
		t.Logf("crc %.2f ns/B", float64(minCPU(200, func() { crc32.Update(0, crc32.IEEETable, buf) }).Nanoseconds())/float64(len(buf)))
		_ = io.Discard
		return nil
	})
}
