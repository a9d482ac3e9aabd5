//go:build !race

package render

import (
	"os"
	"path/filepath"
	"testing"

	"licensekit/exporter/report"
)

// watchedFile looks at the heap with each write.
type watchedFile struct {
	*os.File
	*peak
}

func (w watchedFile) Write(p []byte) (int, error) {
	w.look()
	return w.File.Write(p)
}

// Encoding holds a page at a time. Decoding holds the file, and what its parser
// makes of it.
func TestPDFMemory(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	encodedPDF(t, ledger(t, nil)) // the fonts are read once and kept
	const rows = 100_000 / report.BatchRows * report.BatchRows
	d := syntheticLedger(t, rows)
	file, err := os.Create(filepath.Join(t.TempDir(), "ledger.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := newPeak()
	if err := pdfFormat.Encode(t.Context(), watchedFile{file, p}, d, Info{}); err != nil {
		t.Fatal(err)
	}
	p.check(t, "encoding", 64<<20)
	checkEmpty(t, tmp)
	checkDecoding(t, pdfFormat, file, d, rows, 192<<20)
}
