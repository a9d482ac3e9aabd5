package evidence

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// Verification holds the same few buffers for any number of rows.
func TestFlatMemory(t *testing.T) {
	key := testKey(t, ForExport, "a")
	path := filepath.Join(t.TempDir(), "bundle.zip")
	if err := os.WriteFile(path, freeze(t, key, "rptx_1", "csv", 40_000).bundle(t), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	meter := &heapMeter{ReaderAt: f, base: heap()}
	result := verify(t, Input{Bundle: io.NewSectionReader(meter, 0, info.Size())}, pin(key))
	if result.Verdict != Verified {
		t.Fatalf("got %s, %+v; want VERIFIED", result.Verdict, result.Failed())
	}
	if limit := info.Size() / 4; meter.peak > limit {
		t.Errorf("got %d bytes held while reading a bundle of %d, want at most %d", meter.peak, info.Size(), limit)
	}
}

// heapMeter looks at the live heap at every 64th read.
type heapMeter struct {
	io.ReaderAt
	base, peak int64
	reads      int
	mu         sync.Mutex // guards all but ReaderAt
}

func (m *heapMeter) ReadAt(p []byte, offset int64) (int, error) {
	m.look()
	return m.ReaderAt.ReadAt(p, offset)
}

func (m *heapMeter) look() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reads++; m.reads%64 == 0 {
		m.peak = max(m.peak, heap()-m.base)
	}
}

// heap is the size in bytes of what is reachable.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
