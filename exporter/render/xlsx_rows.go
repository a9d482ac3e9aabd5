package render

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"licensekit/exporter/report"
)

// Bounds of what is held at once, in bytes of XML.
const (
	maxRow   = 16 << 20 // more than any row of full cells
	maxBatch = 4 << 20  // of the rows of a batch; the last one may exceed it
)

// sectionReader reads the sheets of one section. It takes values from rows
// without much ado, writes the rows again from those values, and compares. So
// nothing passes that the encoder would not have written.
type sectionReader struct {
	columns []report.Column
	cells   []sheetColumn
	sample  *widthSample
	head    []byte // of every sheet, header included
	yield   func(report.Batch) (more bool, err error)

	builder *report.Builder
	raw     []byte // the rows in the builder, one behind the other
	ends    []int  // where each ends
	again   []byte // a row written again
	sheets  int    // that were begun
	rows    int    // of the sheet that have been compared
	bytes   int64  // of the sheet that have been read
}

func newSectionReader(columns []report.Column, yield func(report.Batch) (bool, error)) *sectionReader {
	return &sectionReader{
		columns: columns, cells: sheetColumns(columns), sample: newWidthSample(columns),
		builder: report.NewBuilder(columns), yield: yield,
	}
}

// sheet reads one sheet. All but the last must be full.
func (r *sectionReader) sheet(part *zip.File, last bool) error {
	content, err := part.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	scanner := bufio.NewScanner(content)
	scanner.Buffer(make([]byte, 0, 64<<10), maxRow)
	scanner.Split(splitSheet)
	r.sheets, r.rows, r.bytes = r.sheets+1, 0, 0
	if err := r.begin(scanner); err != nil {
		return err
	}
	full := false
	for scanner.Scan() {
		token := scanner.Bytes()
		if !bytes.HasSuffix(token, []byte(rowEnd)) {
			return errors.Join(scanner.Err(), r.end(token, full, last))
		}
		if full {
			return errors.New("the sheet has rows beyond its limit")
		}
		if err := r.row(token); err != nil {
			return err
		}
		full = fullSheet.reached(r.rows+len(r.ends), r.bytes)
	}
	return failure(scanner)
}

// splitSheet cuts a sheet behind each row. Text has no angle brackets, so the
// marks are never within a value.
func splitSheet(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.Index(data, []byte(rowEnd)); i >= 0 {
		i += len(rowEnd)
		return i, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// failure says why a sheet came to its end too early.
func failure(scanner *bufio.Scanner) error {
	switch err := scanner.Err(); err {
	case nil:
		return io.ErrUnexpectedEOF
	case bufio.ErrTooLong:
		return fmt.Errorf("a row of more than %d bytes", maxRow)
	default:
		return err
	}
}

// begin takes what stands before the rows. The widths in it are compared once
// the first rows are known.
func (r *sectionReader) begin(scanner *bufio.Scanner) error {
	if !scanner.Scan() {
		return failure(scanner)
	}
	head := scanner.Bytes()
	r.bytes += int64(len(head))
	if !bytes.HasSuffix(head, appendHeader([]byte(rowsStart), r.columns)) {
		return errors.New("the header does not name this report's columns")
	}
	if r.head == nil {
		r.head = bytes.Clone(head)
	}
	if !bytes.Equal(head, r.head) {
		return errHead
	}
	return nil
}

var errHead = errors.New("what stands before the rows is not as this format has it")

func (r *sectionReader) checkHead() error {
	if !bytes.Equal(appendSheetHead(nil, r.columns, r.sample.widths), r.head) {
		return errHead
	}
	return nil
}

// row reads a row into the batch.
func (r *sectionReader) row(raw []byte) error {
	r.bytes += int64(len(raw))
	r.raw = append(r.raw, raw...)
	r.ends = append(r.ends, len(r.raw))
	number := headerRow + r.rows + len(r.ends)
	if err := readRow(raw, number, r.cells, r.builder); err != nil {
		return fmt.Errorf("row %d, %w", number, err)
	}
	if r.builder.EndRow() || len(r.raw) >= maxBatch {
		return r.take()
	}
	return nil
}

// take hands out the batch, if it is what was written.
func (r *sectionReader) take() error {
	batch, start := r.builder.Take(), 0
	for row, end := range r.ends {
		r.rows++
		r.again = appendRow(r.again[:0], r.cells, headerRow+r.rows, batch, row)
		if !bytes.Equal(r.again, r.raw[start:end]) {
			return fmt.Errorf("row %d is not written as this format writes its values", headerRow+r.rows)
		}
		start = end
	}
	r.raw, r.ends = r.raw[:0], r.ends[:0]
	sampled := r.sample.full()
	if r.sample.add(batch); !sampled && r.sample.full() {
		if err := r.checkHead(); err != nil {
			return err
		}
	}
	more, err := r.yield(batch)
	if err == nil && !more {
		return errStopped
	}
	return err
}

// end checks what stands behind the rows of a sheet.
func (r *sectionReader) end(tail []byte, full, last bool) error {
	if r.builder.Len() > 0 {
		if err := r.take(); err != nil {
			return err
		}
	}
	if !bytes.Equal(tail, appendSheetTail(nil, len(r.columns), r.rows)) {
		return errors.New("what stands behind the rows is not as this format has it")
	}
	if !last && !full {
		return errors.New("the sheet is not full, and yet there is another one")
	}
	if r.sheets > 1 && r.rows == 0 {
		return errors.New("the sheet continues another one and has no rows")
	}
	if last && !r.sample.full() {
		return r.checkHead()
	}
	return nil
}
