package render

import (
	"bytes"
	"testing"

	"licensekit/exporter/report"
)

// Whatever a PDF is, reading what is attached to it ends, with rows or an
// error.
func FuzzPDF(f *testing.F) {
	d := ledger(f, nil)
	file, _ := encodedPDF(f, d)
	f.Add(file)
	f.Add(file[:len(file)/2])
	f.Add([]byte("%PDF-1.7\n1 0 obj\n<</Type/Catalog/Names<</EmbeddedFiles<</Names[(data.json) 2 0 R]>>>>>>\nendobj\n" +
		"2 0 obj\n<</Type/Filespec/EF<</F 2 0 R>>>>\nendobj\ntrailer\n<</Size 3/Root 1 0 R>>\nstartxref\n0\n%%EOF\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := decodePDF(bytes.NewReader(data), int64(len(data)), d.Kind, d.Filters)
		if err != nil {
			return
		}
		totals := report.Totals{}
		for i := range read.Sections {
			for batch, err := range read.Sections[i].Rows {
				if err != nil {
					return
				}
				if err := totals.Add(&read.Sections[i], batch); err != nil {
					return
				}
			}
		}
	})
}
