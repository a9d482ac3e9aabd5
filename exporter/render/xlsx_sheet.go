package render

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"licensekit/exporter/report"
)

// The marks by which a sheet is read piece by piece.
const (
	rowsStart = "<sheetData>"
	rowEnd    = "</row>"
	rowsEnd   = "</sheetData>"
)

const sheetStart = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n" +
	`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">`

// Printing: on landscape pages as wide as the table, with the sheet's name.
const (
	sheetProperties = `<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr>`
	printedGrid     = `<printOptions gridLines="1"/>`
	sheetPrinting   = `<pageMargins left="0.4" right="0.4" top="0.6" bottom="0.6" header="0.3" footer="0.3"/>` +
		`<pageSetup paperSize="9" orientation="landscape" fitToWidth="1" fitToHeight="0"/>` +
		`<headerFooter><oddHeader>&amp;L&amp;A</oddHeader><oddFooter>&amp;RPage &amp;P of &amp;N</oddFooter></headerFooter>`
)

// appendSheetHead writes a sheet of a section up to its rows, with the header
// as the first one, which stays in view.
func appendSheetHead(dst []byte, columns []report.Column, widths []int) []byte {
	dst = append(dst, sheetStart+sheetProperties+
		`<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>`+
		`<selection pane="bottomLeft" activeCell="A2" sqref="A2"/></sheetView></sheetViews>`...)
	dst = appendWidths(dst, widths)
	return appendHeader(append(dst, rowsStart...), columns)
}

// appendWidths writes the height of all rows and the widths of the columns.
func appendWidths(dst []byte, widths []int) []byte {
	dst = append(dst, `<sheetFormatPr defaultRowHeight="15"/><cols>`...)
	for i, width := range widths {
		dst = fmt.Appendf(dst, `<col min="%d" max="%d" width="%d" customWidth="1"/>`, i+1, i+1, width)
	}
	return append(dst, "</cols>"...)
}

func appendHeader(dst []byte, columns []report.Column) []byte {
	cells := make([]sheetColumn, len(columns))
	names := make(report.Batch, len(columns))
	for i, c := range columns {
		cells[i] = newSheetColumn(i, report.String, headerStyle, headerStyle)
		names[i].Text.Values = report.ListTexts(c.Name)
	}
	return appendRow(dst, cells, headerRow, names, 0)
}

// appendSheetTail writes what stands behind the rows of a section's sheet. It
// asks not to be warned of numbers that are text, for ids may be digits.
func appendSheetTail(dst []byte, columns, rows int) []byte {
	all := cellRange(columns, headerRow+rows)
	return append(dst, rowsEnd+`<autoFilter ref="`+all+`"/>`+printedGrid+sheetPrinting+
		`<ignoredErrors><ignoredError sqref="`+all+`" numberStoredAsText="1"/></ignoredErrors></worksheet>`...)
}

// sampleRows is how many rows of a section decide on the widths of its columns.
const sampleRows = 200

// Column widths, in characters.
const (
	leastWidth = 8
	mostWidth  = 60
	timeWidth  = 23 // 2006-01-02 15:04:05.000
	padding    = 2
	arrowWidth = 2 // of the filter's button in the header
)

// widthSample finds the widths that suit the header and the first rows.
type widthSample struct {
	columns []report.Column
	rows    int // sampled so far
	widths  []int
}

func newWidthSample(columns []report.Column) *widthSample {
	s := &widthSample{columns: columns, widths: make([]int, len(columns))}
	for i, c := range columns {
		s.widen(i, displayWidth(c.Name)+arrowWidth)
		if c.Type == report.Time {
			s.widen(i, timeWidth)
		}
	}
	return s
}

func (s *widthSample) full() bool { return s.rows == sampleRows }

func (s *widthSample) widen(column, width int) {
	width = min(max(width+padding, leastWidth), mostWidth)
	s.widths[column] = max(s.widths[column], width)
}

// add samples a batch as far as it is among the first rows.
func (s *widthSample) add(batch report.Batch) {
	n := min(batch.Len(), sampleRows-s.rows)
	s.rows += n
	for i, c := range s.columns {
		for row := range n {
			switch {
			case c.Type == report.String:
				s.widen(i, displayWidth(batch[i].Text.At(row)))
			case batch[i].Int[row] != report.Null && c.Type == report.Integer:
				s.widen(i, integerWidth(batch[i].Int[row]))
			}
		}
	}
}

// displayWidth counts characters; the wide ones of East Asia, and emoji, as two.
func displayWidth(text string) int {
	n := utf8.RuneCountInString(text)
	if n == len(text) {
		return n
	}
	for _, r := range text {
		if r >= 0x1100 && r < 0xA4D0 && (r < 0x1200 || r >= 0x2E80) || r >= 0xAC00 && r < 0xD7A4 || r >= 0xFF01 && r <= 0xFF60 || r >= 0x1F300 {
			n++
		}
	}
	return n
}

// integerWidth counts digits and the separators between groups of three.
func integerWidth(v int64) int {
	n := len(strconv.FormatInt(v, 10))
	return n + (n-1)/3
}
