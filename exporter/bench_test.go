package exporter

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"licensekit/exporter/durable"
	"licensekit/exporter/report"
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

// bareDisk does the syncs that a single export waits for, of as much as it
// writes, in the same order and side by side where they are, and nothing else.
type bareDisk struct {
	dirs     []string
	database *os.File
	exports  int
}

// What an export writes, in bytes and pages, as strace shows it.
const (
	databaseSize = 64 << 20
	commitPages  = 7   // of the database, apart from each other, and the meta page
	leafSize     = 900 // in a tile that is written anew with each leaf
	widestTile   = 256
)

func newBareDisk(b *testing.B) *bareDisk {
	database, err := os.Create(filepath.Join(b.TempDir(), "database"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { database.Close() })
	if _, err := database.Write(make([]byte, databaseSize)); err != nil {
		b.Fatal(err)
	}
	d := &bareDisk{database: database}
	for range 5 {
		d.dirs = append(d.dirs, b.TempDir())
	}
	return d
}

func (d *bareDisk) syncs(b *testing.B) time.Duration {
	leaves := d.exports%widestTile + 1
	d.exports++
	start := time.Now()
	err := d.commit() // the request
	var files, names errgroup.Group
	for dir := range 2 { // the artifact and the manifest
		files.Go(func() error { return d.create(dir) })
	}
	for dir, size := range map[int]int{2: leaves * leafSize, 3: leaves * 32, 4: 200} { // leaves, hashes and the checkpoint, still without their names
		files.Go(func() error { return d.flush(dir, size) })
	}
	err = errors.Join(err, files.Wait())
	for _, dir := range d.dirs[2:4] {
		names.Go(func() error { return durable.SyncDir(dir) })
	}
	err = errors.Join(err, names.Wait(), durable.SyncDir(d.dirs[4]), d.commit())
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// commit does what the database does: its pages, then the meta page.
func (d *bareDisk) commit() error {
	var err error
	for range commitPages {
		at := mathrand.Int64N(databaseSize/pageSize-1) + 1
		_, failed := d.database.WriteAt(content(pageSize), at*pageSize)
		err = errors.Join(err, failed)
	}
	err = errors.Join(err, syncData(d.database))
	_, failed := d.database.WriteAt(content(pageSize), 0)
	return errors.Join(err, failed, syncData(d.database))
}

// create makes a file durable, and its name.
func (d *bareDisk) create(dir int) error {
	return errors.Join(d.flush(dir, pageSize), durable.SyncDir(d.dirs[dir]))
}

// flush makes the content of a new file durable.
func (d *bareDisk) flush(dir, size int) error {
	f, err := os.Create(filepath.Join(d.dirs[dir], rand.Text()))
	if err != nil {
		return err
	}
	_, err = f.Write(content(size))
	return errors.Join(err, f.Sync(), f.Close())
}

const pageSize = 4 << 10

// content is something that no disk has yet.
func content(size int) []byte {
	p := make([]byte, size)
	rand.Read(p)
	return p
}

func median[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
