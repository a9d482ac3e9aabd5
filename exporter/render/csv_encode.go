package render

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"licensekit/exporter/report"
	"licensekit/exporter/rfc4180"
)

// csvFlush is the size, in bytes, at which buffered records are written.
const csvFlush = 64 << 10

func encodeCSV(ctx context.Context, w io.Writer, d *report.Document, _ Info) error {
	layout := newLayout(d.Sections)
	out := &csvWriter{w: w, buf: make([]byte, 0, 2*csvFlush)}
	out.buf = rfc4180.AppendRecord(out.buf, layout.header...)
	for i, s := range heeding(ctx, d).Sections {
		if err := out.section(s, newRecord(layout, i)); err != nil {
			return fmt.Errorf("encode csv: section %s: %w", s.Name, err)
		}
	}
	if err := out.flush(0); err != nil {
		return fmt.Errorf("encode csv: %w", err)
	}
	return nil
}

// csvWriter gathers whole records before it writes them.
type csvWriter struct {
	w   io.Writer
	buf []byte
}

// flush writes the buffer once it holds at least so many bytes. All text is
// checked here, for it is cheapest in one piece: no character of a value can
// run into the next one, since ASCII parts them.
func (o *csvWriter) flush(least int) error {
	if len(o.buf) < least {
		return nil
	}
	if !utf8.Valid(o.buf) {
		return errors.New("text is not valid UTF-8")
	}
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	return err
}

func (o *csvWriter) section(s report.Section, r *record) error {
	for batch, err := range s.Rows {
		if err != nil {
			return err
		}
		r.bind(batch)
		for row := range batch.Len() {
			o.buf = r.append(o.buf, row)
			if err := o.flush(csvFlush); err != nil {
				return err
			}
		}
	}
	return nil
}

// record is how a row of one section is written, made out once per section.
type record struct {
	start []byte // the section's name, if records have one
	cells []cell // in the order of the fields
	end   []byte // commas for the fields behind the last cell, and the line end
	lone  bool   // there is one field only
}

// cell is a column with the commas between it and the one before.
type cell struct {
	commas int
	column int
	typ    report.Type

	text  report.Coded // the batch's values, or
	ints  []int64
	last  string // the text that was written last: columns tend to repeat,
	plain bool   // and whether its field is the text itself
	times report.TimeAppender

	codes []uint32     // of the batch's values, nil where they are not coded
	table report.Table // the fields by code, with the commas
}

// bind points the cells to a batch.
func (r *record) bind(batch report.Batch) {
	for i := range r.cells {
		c := &r.cells[i]
		c.text, c.ints, c.codes = batch[c.column].Text, batch[c.column].Int, nil
		if c.text.Repeats() {
			c.codes = c.text.Codes
			c.table.Encode(c.text.Values, c.appendCoded)
		}
	}
}

func newRecord(l *layout, section int) *record {
	own := l.sections[section]
	r := &record{lone: len(l.header) == 1}
	if l.several() {
		r.start = rfc4180.AppendField(nil, own.name)
	}
	at := 0
	for _, column := range inFieldOrder(own.places) {
		place := own.places[column]
		r.cells = append(r.cells, cell{commas: place - at, column: column, typ: own.columns[column].Type})
		at = place
	}
	for range len(l.header) - 1 - at {
		r.end = append(r.end, ',')
	}
	r.end = append(r.end, rfc4180.LineEnd...)
	return r
}

// inFieldOrder gives the columns by their places in a record, which need not
// be the section's own order.
func inFieldOrder(places []int) []int {
	columns := make([]int, len(places))
	for i := range columns {
		columns[i] = i
	}
	slices.SortFunc(columns, func(a, b int) int { return places[a] - places[b] })
	return columns
}

// append writes a row of the batch that the record is bound to.
func (r *record) append(dst []byte, row int) []byte {
	start := len(dst)
	dst = append(dst, r.start...)
	for i := range r.cells {
		c := &r.cells[i]
		if c.codes != nil {
			dst = append(dst, c.table.Form(c.codes[row])...)
			continue
		}
		for range c.commas {
			dst = append(dst, ',')
		}
		if c.typ == report.String {
			dst = c.appendText(dst, c.text.At(row))
		} else if v := c.ints[row]; v == report.Null {
			continue
		} else if c.typ == report.Time {
			dst = c.times.Append(dst, v)
		} else {
			dst = strconv.AppendInt(dst, v, 10)
		}
	}
	if r.lone && len(dst) == start {
		return rfc4180.AppendRecord(dst, "")
	}
	return append(dst, r.end...)
}

// appendCoded writes a field with the commas before it.
func (c *cell) appendCoded(dst []byte, text string) []byte {
	for range c.commas {
		dst = append(dst, ',')
	}
	return appendText(dst, text)
}

func (c *cell) appendText(dst []byte, text string) []byte {
	if c.plain && text == c.last {
		return append(dst, text...)
	}
	start := len(dst)
	dst = appendText(dst, text)
	c.last, c.plain = text, len(dst)-start == len(text)
	return dst
}

// appendText writes a field of text with the guard that it may need. The guard
// itself never asks for quotes, so it can be put in afterwards.
func appendText(dst []byte, text string) []byte {
	if text == "" {
		return dst
	}
	start := len(dst)
	dst = rfc4180.AppendField(dst, text)
	if !guarded[text[0]] {
		return dst
	}
	if dst[start] == '"' {
		start++
	}
	return slices.Insert(dst, start, guard)
}
