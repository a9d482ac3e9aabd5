//go:build !race

package render

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"licensekit/exporter/report"
)

// peak watches the heap while rows pass.
type peak struct{ before, most uint64 }

func newPeak() *peak {
	runtime.GC()
	p := &peak{}
	p.look()
	p.before = p.most
	return p
}

func (p *peak) look() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.most = max(p.most, m.HeapAlloc)
}

func (p *peak) check(t *testing.T, what string, limit uint64) {
	t.Helper()
	got := p.most - p.before
	t.Logf("%s: %.1f MiB at most", what, float64(got)/(1<<20))
	if got > limit {
		t.Errorf("%s takes %d bytes of heap, want %d at most", what, got, limit)
	}
}

// checkDecoding reads a file of so many rows back.
func checkDecoding(t *testing.T, format Format, file *os.File, d *report.Document, rows int, limit uint64) {
	t.Helper()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p := newPeak()
	decoded, err := format.Decode(file, info.Size(), d.Kind, d.Filters)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for batch, err := range decoded.Sections[0].Rows {
		if err != nil {
			t.Fatal(err)
		}
		n += batch.Len()
		p.look()
	}
	if n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
	p.check(t, "decoding", limit)
}

// Neither way does memory grow with the rows, and nothing is left on disk.
func TestXLSXMemory(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	const rows = 300_000 / report.BatchRows * report.BatchRows
	d := syntheticLedger(t, rows)
	file, err := os.Create(filepath.Join(t.TempDir(), "ledger.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := newPeak()
	watched := d.Map(func(*report.Section, report.Batch) error { p.look(); return nil })
	if err := xlsxFormat.Encode(t.Context(), file, watched, Info{}); err != nil {
		t.Fatal(err)
	}
	p.check(t, "encoding", 16<<20)
	checkEmpty(t, tmp)
	checkDecoding(t, xlsxFormat, file, d, rows, 32<<20)
	checkEmpty(t, tmp)
}

// An export that is ended half-way leaves nothing either.
func TestXLSXEndsWithContext(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithCancel(t.Context())
	var size counter
	batches := 0
	d := syntheticLedger(t, 100*report.BatchRows).Map(func(*report.Section, report.Batch) error {
		if batches++; batches == 20 {
			cancel()
		}
		return nil
	})
	if err := xlsxFormat.Encode(ctx, &size, d, Info{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if batches > 21 || size == 0 {
		t.Errorf("%d batches were read and %d bytes written after the end", batches, size)
	}
	checkEmpty(t, tmp)
}

func checkEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
