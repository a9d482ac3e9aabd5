package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"licensekit/exporter/report"
	"licensekit/exporter/rfc4180"
)

func decodeCSV(r io.ReaderAt, size int64, kind report.Kind, filters report.Filters) (*report.Document, error) {
	d, err := expected(kind, filters)
	if err != nil {
		return nil, err
	}
	if err := readCSV(io.NewSectionReader(r, 0, size), d.Sections); err != nil {
		return nil, err
	}
	return d, nil
}

// readCSV checks the header and gives the sections their rows.
func readCSV(r io.Reader, sections []report.Section) error {
	in := &csvReader{records: rfc4180.NewReader(r, rfc4180.Options{Strict: true}), layout: newLayout(sections)}
	if err := in.header(); err != nil {
		return in.wrap(err)
	}
	for i := range sections {
		sections[i].Rows = func(yield func(report.Batch, error) bool) {
			if err := in.section(i, yield); err != nil {
				yield(nil, in.wrap(err))
			}
		}
	}
	return nil
}

// csvReader reads records, looking one ahead to see where a section ends.
type csvReader struct {
	records *rfc4180.Reader
	layout  *layout
	ahead   [][]byte // the record that was looked at and not yet taken
	times   report.TimeParser
}

// fieldError says what is wrong with a field of the current record.
type fieldError struct {
	place int
	name  string
	err   error
}

func (e *fieldError) Error() string {
	return fmt.Sprintf("column %d (%s): %v", e.place+1, e.name, e.err)
}

func (e *fieldError) Unwrap() error { return e.err }

func (in *csvReader) fault(place int, err error) error {
	return &fieldError{place, in.layout.header[place], err}
}

// wrap names the line where the error does not name it itself.
func (in *csvReader) wrap(err error) error {
	if field := (*fieldError)(nil); errors.As(err, &field) {
		return fmt.Errorf("decode csv: line %d, %w", in.records.Line(), err)
	}
	return fmt.Errorf("decode csv: %w", err)
}

func (in *csvReader) header() error {
	record, err := in.records.Read()
	if err == io.EOF {
		return errors.New("line 1, column 1: the header is missing")
	} else if err != nil {
		return err
	}
	for place, want := range in.layout.header {
		if place >= len(record) {
			return in.fault(place, errors.New("missing in the header"))
		}
		if string(record[place]) != want {
			return in.fault(place, fmt.Errorf("the header has %.80q here", record[place]))
		}
	}
	if extra := len(in.layout.header); len(record) > extra {
		return fmt.Errorf("line 1, column %d: %.80q is not a column of this report", extra+1, record[extra])
	}
	return nil
}

// next looks at the next record, nil at the end. Its fields are valid until it
// is taken and the one after it looked at.
func (in *csvReader) next() ([][]byte, error) {
	if in.ahead != nil {
		return in.ahead, nil
	}
	record, err := in.records.Read()
	if err == io.EOF {
		return nil, nil
	}
	in.ahead = record
	return record, err
}

// section reads the rows of a section up to where another one begins.
func (in *csvReader) section(i int, yield func(report.Batch, error) bool) error {
	own := &in.layout.sections[i]
	b := report.NewBuilder(own.columns)
	for {
		record, err := in.next()
		if err != nil {
			return err
		}
		if mine, err := in.belongs(record, i); err != nil {
			return err
		} else if !mine {
			break
		}
		if err := in.row(record, own, b); err != nil {
			return err
		}
		in.ahead = nil
		if b.EndRow() && !yield(b.Take(), nil) {
			return nil
		}
	}
	if b.Len() > 0 {
		yield(b.Take(), nil)
	}
	return nil
}

// belongs tells whether a record is of a section, or else of a later one.
func (in *csvReader) belongs(record [][]byte, section int) (bool, error) {
	if record == nil || !in.layout.several() {
		return record != nil, nil
	}
	name := string(record[0])
	named := slices.IndexFunc(in.layout.sections, func(s sectionLayout) bool { return s.name == name })
	switch {
	case named < 0:
		return false, in.fault(0, fmt.Errorf("%.80q is not a section of this report", name))
	case named < section:
		return false, in.fault(0, fmt.Errorf("a row of %s after the end of that section", name))
	}
	return named == section, nil
}

// row reads a record into the builder.
func (in *csvReader) row(record [][]byte, own *sectionLayout, b *report.Builder) error {
	for _, place := range own.others {
		if len(record[place]) > 0 {
			return in.fault(place, fmt.Errorf("%.80q in a row of %s, which has no such column", record[place], own.name))
		}
	}
	for i, c := range own.columns {
		if err := in.field(record[own.places[i]], i, c.Type, b); err != nil {
			return in.fault(own.places[i], err)
		}
	}
	return nil
}

func (in *csvReader) field(field []byte, column int, typ report.Type, b *report.Builder) error {
	if typ == report.String {
		text, err := readText(field)
		b.Text(column, text)
		return err
	}
	v, err := report.Null, error(nil)
	switch {
	case len(field) == 0:
	case typ == report.Time:
		v, err = in.times.Parse(field)
	default:
		v, err = readInteger(field)
	}
	b.Int(column, v)
	return err
}

// readText takes the guard off, and refuses one that would not have been
// written as well as the lack of one that would.
func readText(field []byte) ([]byte, error) {
	if !utf8.Valid(field) {
		return nil, fmt.Errorf("%.80q is not valid UTF-8", field)
	}
	if len(field) == 0 || !guarded[field[0]] {
		return field, nil
	}
	if field[0] != guard {
		return nil, fmt.Errorf("%.80q has no %c in front", field, guard)
	}
	if len(field) == 1 || !guarded[field[1]] {
		return nil, fmt.Errorf("%.80q has a %c in front that it does not need", field, guard)
	}
	return field[1:], nil
}

func readInteger(field []byte) (int64, error) {
	v, err := strconv.ParseInt(string(field), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.80q is not a 64-bit integer", field)
	}
	digits := bytes.TrimPrefix(field, []byte("-"))
	if v == report.Null || digits[0] == '+' || digits[0] == '0' && len(field) > 1 {
		return 0, fmt.Errorf("integer %.80q is not in canonical form", field)
	}
	return v, nil
}
