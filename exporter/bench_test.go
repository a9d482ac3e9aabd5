package exporter

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"licensekit/exporter/durable"
	"licensekit/exporter/report"
)

// The syncs that a single export waits for: each commit of the database
// is two (pages, then the meta page), each blob is two (file, then directory).
const (
	commitsOfExport = 2
	blobsOfExport   = 2
)

// benchActivities is what the small exports of the benchmarks are made from.
const benchActivities = 1000

// BenchmarkSmallExport makes small exports one after another, and beside each
// one does its syncs bare, on the same file system, to show what is ours.
func BenchmarkSmallExport(b *testing.B) {
	for _, format := range []string{"json", "csv"} {
		b.Run(format, func(b *testing.B) {
			h := newHouse(b, Options{Workers: 2})
			h.fill(benchActivities)
			disk := newBareDisk(b)
			var exports, floors []time.Duration
			for b.Loop() {
				start := time.Now()
				h.await(h.create(another(b, format)).ID, Ready)
				exports = append(exports, time.Since(start))
				floors = append(floors, disk.syncs(b))
			}
			export, floor := median(exports), median(floors)
			b.ReportMetric(milliseconds(export), "p50-ms")
			b.ReportMetric(milliseconds(floor), "p50-ms-fsync")
			b.ReportMetric(milliseconds(export-floor), "p50-ms-beyond")
		})
	}
}

// BenchmarkConcurrentExports has 16 clients that each create an export and
// wait for it, with as many workers as serve starts on a small machine and
// with more.
func BenchmarkConcurrentExports(b *testing.B) {
	const clients = 16
	for _, workers := range []int{2, 8} {
		b.Run(fmt.Sprintf("%d workers", workers), func(b *testing.B) {
			h := newHouse(b, Options{Workers: workers})
			h.fill(benchActivities)
			disk := newBareDisk(b)
			floor := median([]time.Duration{disk.syncs(b), disk.syncs(b), disk.syncs(b)})
			var (
				left atomic.Int64
				mu   sync.Mutex
				took []time.Duration
				done sync.WaitGroup
			)
			left.Store(int64(b.N))
			b.ResetTimer()
			for range clients {
				done.Go(func() {
					for left.Add(-1) >= 0 {
						start := time.Now()
						export, _, err := h.Create(b.Context(), another(b, "json"))
						if err == nil {
							export, err = h.Wait(context.Background(), export.ID)
						}
						if err != nil || export.Status != Ready {
							b.Errorf("export: %v, %v", export.Status, err)
							return
						}
						mu.Lock()
						took = append(took, time.Since(start))
						mu.Unlock()
					}
				})
			}
			done.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "exports/s")
			b.ReportMetric(milliseconds(median(took)), "p50-ms")
			b.ReportMetric(1/floor.Seconds(), "bare-fsync-exports/s")
		})
	}
}

var asked atomic.Int64

// another asks for an export whose artifact no other one has.
func another(b *testing.B, format string) Request {
	r := ask(b, report.UsageSummary, format)
	from := report.Instant(epoch - asked.Add(1))
	r.Filters.From = &from
	return r
}

// bareDisk does the syncs of an export and nothing else.
type bareDisk struct {
	dir      string
	database *os.File
}

func newBareDisk(b *testing.B) *bareDisk {
	dir := b.TempDir()
	database, err := os.Create(filepath.Join(dir, "database"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { database.Close() })
	if _, err := database.Write(make([]byte, 1<<20)); err != nil {
		b.Fatal(err)
	}
	return &bareDisk{dir, database}
}

func (d *bareDisk) syncs(b *testing.B) time.Duration {
	page := make([]byte, 4<<10)
	rand.Read(page)
	start := time.Now()
	for range 2 * commitsOfExport {
		if _, err := d.database.WriteAt(page, 64<<10); err != nil {
			b.Fatal(err)
		}
		if err := syncData(d.database); err != nil {
			b.Fatal(err)
		}
	}
	for range blobsOfExport {
		write := func(f *os.File) error { _, err := f.Write(page); return err }
		if err := durable.Create(filepath.Join(d.dir, rand.Text()), d.dir, write); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

func median[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
