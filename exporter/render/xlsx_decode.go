package render

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"

	"licensekit/exporter/report"
)

func decodeXLSX(r io.ReaderAt, size int64, kind report.Kind, filters report.Filters) (*report.Document, error) {
	d, err := expected(kind, filters)
	if err != nil {
		return nil, err
	}
	if err := readXLSX(r, size, d); err != nil {
		return nil, fmt.Errorf("decode xlsx: %w", err)
	}
	return d, nil
}

// readXLSX checks all but the sheets' rows, and gives the sections theirs.
func readXLSX(r io.ReaderAt, size int64, d *report.Document) error {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return err
	}
	in := &xlsxReader{document: *d, sheets: map[string]int{}, totals: report.Totals{}}
	if err := in.workbook(archive); err != nil {
		return err
	}
	first := 0
	for i, s := range d.Sections {
		own := in.parts[first : first+in.sheets[s.Name]]
		first += len(own)
		d.Sections[i].Rows = func(yield func(report.Batch, error) bool) {
			stopped := false
			err := in.section(i, own, func(batch report.Batch, err error) bool {
				stopped = !yield(batch, err)
				return !stopped
			})
			if err != nil && !stopped { // a reader that stopped hears nothing more
				yield(nil, fmt.Errorf("decode xlsx: %w", err))
			}
		}
	}
	return nil
}

// xlsxReader reads one workbook.
type xlsxReader struct {
	document report.Document
	summary  []byte         // the first sheet
	info     Info           // what that says of it
	parts    []*zip.File    // the other sheets
	sheets   map[string]int // how many of them each section has
	totals   report.Totals  // of the rows that were read
}

// section reads the rows of a section, and behind those of the last one
// compares the summary.
func (in *xlsxReader) section(i int, parts []*zip.File, yield func(report.Batch, error) bool) error {
	s := &in.document.Sections[i]
	if err := in.totals.Add(s, nil); err != nil {
		return err
	}
	section := newSectionReader(s.Columns, func(batch report.Batch) (more bool, err error) {
		if err := in.totals.Add(s, batch); err != nil {
			return false, err
		}
		return yield(batch, nil), nil
	})
	for n, part := range parts {
		err := section.sheet(part, n == len(parts)-1)
		if err == errStopped {
			return nil
		}
		if err != nil {
			return fmt.Errorf("sheet %q: %w", sheetName(s.Name, n+1), err)
		}
	}
	if i == len(in.document.Sections)-1 {
		return in.checkSummary()
	}
	return nil
}

// errStopped ends the reading of rows that nobody wants any more.
var errStopped = errors.New("stopped")

// checkSummary makes the summary anew from the rows and what the file says of
// its origin.
func (in *xlsxReader) checkSummary() error {
	lines, err := summaryLines(&in.document, in.sheets, in.totals, in.info)
	if err != nil {
		return err
	}
	if !bytes.Equal(appendSummary(nil, in.document.Kind, lines), in.summary) {
		return fmt.Errorf("sheet %q does not say what the rows, kind and filters do", summarySheet)
	}
	return nil
}
