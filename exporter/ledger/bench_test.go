package ledger

import (
	"context"
	"flag"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"licensekit/exporter/report"
)

var benchRows = flag.Int("rows", 1_000_000, "activities that the benchmarks work with")

const benchBatch = 100_000

// fill appends the benchmark's rows and gives the time that Append took, of
// which the processors were busy for cpu.
func fill(b *testing.B, l *Ledger) (took, cpu time.Duration) {
	random := rand.New(rand.NewPCG(1, 2))
	for from := 0; from < *benchRows; from += benchBatch {
		rows := facts(random, from, min(benchBatch, *benchRows-from))
		start, busy := time.Now(), processor()
		outcomes, err := l.Append(context.Background(), rows)
		took, cpu = took+time.Since(start), cpu+processor()-busy
		if err != nil || count(outcomes)[Accepted] != len(rows) {
			b.Fatal(count(outcomes), err)
		}
	}
	return took, cpu
}

func perSecond(b *testing.B, rows int, took time.Duration) {
	b.ReportMetric(float64(rows)/took.Seconds(), "rows/s")
}

// heapPeak watches the heap until it is stopped.
func heapPeak() (stop func() (mib float64)) {
	var peak atomic.Uint64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapInuse))
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() float64 { close(done); <-ended; return float64(peak.Load()) / (1 << 20) }
}

func BenchmarkAppendBulk(b *testing.B) {
	var took, cpu time.Duration
	for b.Loop() {
		t, c := fill(b, newLedger(b))
		took, cpu = took+t, cpu+c
	}
	perSecond(b, *benchRows*b.N, took)
	b.ReportMetric(float64(cpu)/float64(*benchRows*b.N), "cpu-ns/row")
}

func BenchmarkOnFilledLedger(b *testing.B) {
	l, err := Open(openDB(b, filepath.Join(b.TempDir(), "meta.db")), testOptions(b))
	if err != nil {
		b.Fatal(err)
	}
	fill(b, l)
	b.Run("append one", func(b *testing.B) {
		random := rand.New(rand.NewPCG(3, 4))
		for b.Loop() {
			if _, err := l.Append(context.Background(), facts(random, *benchRows, 1)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("append bulk", func(b *testing.B) {
		random := rand.New(rand.NewPCG(5, 6))
		var took time.Duration
		for b.Loop() {
			rows := facts(random, *benchRows, 2*benchBatch)
			start := time.Now()
			if _, err := l.Append(context.Background(), rows); err != nil {
				b.Fatal(err)
			}
			took += time.Since(start)
		}
		perSecond(b, 2*benchBatch*b.N, took)
	})
	b.Run("append again", func(b *testing.B) {
		rows := facts(rand.New(rand.NewPCG(1, 2)), 0, benchBatch)
		for b.Loop() {
			if outcomes, err := l.Append(context.Background(), rows); err != nil || count(outcomes)[Duplicate] != len(rows) {
				b.Fatal(count(outcomes), err)
			}
		}
		perSecond(b, benchBatch*b.N, b.Elapsed())
	})
	scan := func(name string, s report.Scan) {
		b.Run(name, func(b *testing.B) {
			peak, rows, busy := heapPeak(), 0, processor()
			for b.Loop() {
				rows += readThrough(b, l, s)
			}
			b.ReportMetric(peak(), "MiB-peak")
			b.ReportMetric(float64(processor()-busy)/float64(rows), "cpu-ns/row")
			perSecond(b, rows, b.Elapsed())
		})
	}
	scan("three columns", report.Scan{Fields: report.SetOf(report.FieldProduct, report.FieldCustomer, report.FieldFeature)})
	scan("by time", report.Scan{Fields: report.AllFields, Order: report.ByTime})
	scan("one customer", report.Scan{Fields: report.AllFields, Match: report.Match{Equal: [report.NumFields]string{report.FieldCustomer: "cust_00042"}}})
}

func readThrough(b *testing.B, l *Ledger, scan report.Scan) (rows int) {
	err := l.View(context.Background(), func(s *Snapshot) error {
		for facts, err := range s.Activities(context.Background(), scan) {
			if err != nil {
				return err
			}
			rows += facts.Len()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return rows
}
