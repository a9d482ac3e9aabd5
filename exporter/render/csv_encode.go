package render

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"licensekit/exporter/report"
	"licensekit/exporter/rfc4180"
)

func encodeCSV(ctx context.Context, w io.Writer, d *report.Document, _ Info) error {
	layout := newLayout(d.Sections)
	out := report.NewOutput(w)
	out.Buf = rfc4180.AppendRecord(out.Buf, layout.header...)
	for i, s := range heeding(ctx, d).Sections {
		if err := encodeRecords(out, s, layout.records(i)); err != nil {
			return fmt.Errorf("encode csv: section %s: %w", s.Name, err)
		}
	}
	if err := out.Flush(0); err != nil {
		return fmt.Errorf("encode csv: %w", err)
	}
	return nil
}

func encodeRecords(out *report.Output, s report.Section, form *report.RowForm) error {
	for batch, err := range s.Rows {
		if err != nil {
			return err
		}
		if err := form.Write(out, batch); err != nil {
			return err
		}
	}
	return nil
}

// records is how the rows of a section are written. Each cell begins with the
// commas between it and the one before.
func (l *layout) records(section int) *report.RowForm {
	own := l.sections[section]
	var cells []report.Cell
	before, at := "", 0
	if l.several() {
		before = string(rfc4180.AppendField(nil, own.name))
	}
	for _, column := range inFieldOrder(own.places) {
		cell := report.Cell{Column: column, Type: own.columns[column].Type, Before: before + strings.Repeat(",", own.places[column]-at)}
		switch own.columns[column].Type {
		case report.String:
			cell.Text, cell.Plain = appendText, plainTexts
		case report.Time:
			cell.Int = report.AppendTime
		default:
			cell.Int = appendInteger
		}
		cells = append(cells, cell)
		before, at = "", own.places[column]
	}
	if len(l.header) == 1 {
		cells[0] = alone(cells[0])
	}
	return report.NewRowForm(cells, strings.Repeat(",", len(l.header)-1-at)+rfc4180.LineEnd, "")
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

func appendInteger(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

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

// plainTexts tells whether texts need neither quotes nor a guard.
func plainTexts(texts report.Texts) bool {
	for i, end := range texts.Bounds[1:] {
		if start := texts.Bounds[i]; start < end && guarded[texts.All[start]] {
			return false
		}
	}
	return !rfc4180.NeedsQuotes(texts.Whole())
}

// alone makes a cell the only one of its records: an absent value then has
// quotes, for an empty line is no record.
func alone(cell report.Cell) report.Cell {
	cell.Plain, cell.Absent = nil, `""`
	text := cell.Text
	cell.Text = func(dst []byte, v string) []byte {
		if v == "" {
			return append(dst, `""`...)
		}
		return text(dst, v)
	}
	return cell
}
