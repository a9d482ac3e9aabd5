package render

import (
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"licensekit/exporter/report"
)

// sheetFlush is the size, in bytes, at which buffered rows are compressed.
const sheetFlush = 64 << 10

// encodeXLSX writes the sheets as the rows come, and around them what is known
// only then. Nothing is staged on disk or held in memory.
func encodeXLSX(ctx context.Context, w io.Writer, d *report.Document, info Info) error {
	out := &xlsxWriter{
		archive: zip.NewWriter(w),
		book:    newBook(heading(d.Kind), time.UnixMilli(info.FrozenAt)),
		sheets:  map[string]int{},
		totals:  report.Totals{},
		buf:     make([]byte, 0, 2*sheetFlush),
	}
	out.archive.RegisterCompressor(zip.Deflate, pack)
	if err := out.document(heeding(ctx, d), info); err != nil {
		return fmt.Errorf("encode xlsx: %w", errors.Join(err, out.book.file.Close()))
	}
	return nil
}

// packers are kept for the next part, for a new one costs more than to pack a
// small part.
var packers = sync.Pool{New: func() any {
	packer, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // there is that level
	}
	return packer
}}

// pack is a [zip.Compressor]. The level is the fastest one: the next better
// ones save a tenth of the size and take twice the time.
func pack(w io.Writer) (io.WriteCloser, error) {
	packer := packers.Get().(*flate.Writer)
	packer.Reset(w)
	return pooledPacker{packer}, nil
}

type pooledPacker struct{ *flate.Writer }

// Close is called once, and ends the use of the packer.
func (p pooledPacker) Close() error {
	defer packers.Put(p.Writer)
	return p.Writer.Close()
}

// xlsxWriter writes one workbook.
type xlsxWriter struct {
	archive *zip.Writer
	book    *book
	sheets  map[string]int // how many each section has
	all     int            // all of them; the summary is not counted
	totals  report.Totals

	columns []sheetColumn // of the section that is written
	sample  *widthSample  // of that section's first rows
	part    io.Writer     // the sheet that is written, nil between two
	rows    int           // in it, below the header
	bytes   int64         // of it, without those in buf
	buf     []byte
}

func (o *xlsxWriter) document(d *report.Document, info Info) error {
	for i := range d.Sections {
		if err := o.section(&d.Sections[i]); err != nil {
			return fmt.Errorf("section %s: %w", d.Sections[i].Name, err)
		}
	}
	if err := o.summary(d, info); err != nil {
		return fmt.Errorf("summary: %w", err)
	}
	if err := o.book.write(o.archive); err != nil {
		return err
	}
	return o.archive.Close()
}

func (o *xlsxWriter) summary(d *report.Document, info Info) error {
	lines, err := summaryLines(d, o.sheets, o.totals, info)
	if err != nil {
		return err
	}
	if o.part, err = createPart(o.archive, sheetPart(1)); err != nil {
		return err
	}
	o.buf = appendSummary(o.buf, d.Kind, lines)
	return o.flush(0)
}

// section writes the rows of a section. The first of them wait until the
// widths of the columns are known.
func (o *xlsxWriter) section(s *report.Section) error {
	if err := o.totals.Add(s, nil); err != nil {
		return err
	}
	o.columns, o.sample = sheetColumns(s.Columns), newWidthSample(s.Columns)
	var waiting []report.Batch
	for batch, err := range s.Rows {
		if err != nil {
			return err
		}
		if err := errors.Join(fits(s.Columns, batch), o.totals.Add(s, batch)); err != nil {
			return err
		}
		o.sample.add(batch)
		if waiting = append(waiting, batch); !o.sample.full() {
			continue
		}
		if err := o.batches(s, waiting); err != nil {
			return err
		}
		waiting = waiting[:0]
	}
	if err := o.batches(s, waiting); err != nil {
		return err
	}
	if o.sheets[s.Name] == 0 { // there are no rows, but there is a header
		if err := o.begin(s); err != nil {
			return err
		}
	}
	return o.end(s)
}

func (o *xlsxWriter) batches(s *report.Section, batches []report.Batch) error {
	for _, batch := range batches {
		for row := range batch.Len() {
			if err := o.row(s, batch, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// row writes a row, and begins and ends sheets as they fill up.
func (o *xlsxWriter) row(s *report.Section, batch report.Batch, row int) error {
	if o.part == nil {
		if err := o.begin(s); err != nil {
			return err
		}
	}
	o.rows++
	o.buf = appendRow(o.buf, o.columns, headerRow+o.rows, batch, row)
	if err := o.flush(sheetFlush); err != nil {
		return err
	}
	if fullSheet.reached(o.rows, o.bytes+int64(len(o.buf))) {
		return o.end(s)
	}
	return nil
}

// begin starts a sheet.
func (o *xlsxWriter) begin(s *report.Section) (err error) {
	if o.all++; o.all > maxSheets {
		return &CapacityError{Format: "xlsx", Problem: fmt.Sprintf("its rows need more than %d sheets of %d rows each", maxSheets, fullSheet.rows), Instead: "csv"}
	}
	o.sheets[s.Name]++
	o.rows, o.bytes = 0, 0
	if o.part, err = createPart(o.archive, sheetPart(1+o.all)); err != nil {
		return err
	}
	o.buf = appendSheetHead(o.buf, s.Columns, o.sample.widths)
	return nil
}

// end finishes the sheet that is written, if there is one.
func (o *xlsxWriter) end(s *report.Section) error {
	if o.part == nil {
		return nil
	}
	o.buf = appendSheetTail(o.buf, len(s.Columns), o.rows)
	o.book.add(sheetName(s.Name, o.sheets[s.Name]), len(s.Columns), o.rows)
	err := o.flush(0)
	o.part = nil
	return err
}

// flush compresses the buffer once it holds at least so many bytes. All text
// is checked here, for it is cheapest in one piece: markup parts the values.
func (o *xlsxWriter) flush(least int) error {
	if len(o.buf) < least {
		return nil
	}
	if !utf8.Valid(o.buf) {
		return errors.New("text is not valid UTF-8")
	}
	n, err := o.part.Write(o.buf)
	o.bytes += int64(n)
	o.buf = o.buf[:0]
	return err
}

// fits refuses text that a cell can't hold.
func fits(columns []report.Column, batch report.Batch) error {
	for i, c := range columns {
		for row := range batch[i].Text.Len() {
			if text := batch[i].Text.At(row); len(text) > maxCellText && units(text) > maxCellText {
				return &CapacityError{Format: "xlsx", Problem: fmt.Sprintf("column %s has text of more than %d characters", c.Name, maxCellText), Instead: "csv"}
			}
		}
	}
	return nil
}

// units counts UTF-16 units.
func units(text string) (n int) {
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}
