package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ReadCanonical reads a canonical form as a stream. It accepts nothing else:
// another order of members, a space, an escape that RFC 8785 does not write or
// columns that are not those of kind and filters are errors that name the byte.
// The sections are read in order, each once; the last one's end checks the
// totals and that nothing follows.
func ReadCanonical(r io.Reader) (*Document, error) {
	in := &scanner{r: r, buf: make([]byte, 0, readAhead)}
	document, err := readHead(in)
	if err != nil {
		return nil, in.wrap(err)
	}
	totals := Totals{}
	for i := range document.Sections {
		section := &document.Sections[i]
		body := &sectionReader{scanner: in, section: section, first: i == 0, totals: totals}
		last := i == len(document.Sections)-1
		section.Rows = func(yield func(Batch, error) bool) {
			err := body.read(yield)
			if err == nil && last {
				err = readTail(in, totals)
			}
			if err != nil && err != errStopped {
				yield(nil, in.wrap(err))
			}
		}
	}
	return document, nil
}

// maxHead bounds the members before the rows, in bytes.
const maxHead = 1 << 20

// readHead reads up to and including `"rows":{`. The members before it are
// small, so they are read whole, written again, and compared.
func readHead(in *scanner) (*Document, error) {
	text, err := in.until(`,"rows":{`, maxHead)
	if err != nil {
		return nil, err
	}
	members, err := objectMembers(append(bytes.Clone(text), '}'))
	if err != nil {
		return nil, fmt.Errorf("the members before rows: %w", err)
	}
	var kindName string
	if err := json.Unmarshal(members["report_kind"], &kindName); err != nil {
		return nil, fmt.Errorf("report_kind: %w", err)
	}
	kind, err := ParseKind(kindName)
	if err != nil {
		return nil, err
	}
	filters, err := UnmarshalFilters(kind, members["filters"])
	if err != nil {
		return nil, err
	}
	document := &Document{Kind: kind, Filters: filters, Sections: Sections(kind, filters)}
	want := canonicalWriter{&Output{}}
	if err := want.head(document); err != nil {
		return nil, err
	}
	if got := string(text) + `,"rows":{`; got != string(want.Buf) {
		return nil, fmt.Errorf("columns, filters and report_kind are not in canonical form: want %.300s, found %.300s", want.Buf, got)
	}
	return document, nil
}

// readTail reads what stands after the rows.
func readTail(in *scanner, totals Totals) error {
	want := canonicalWriter{&Output{}}
	want.tail(totals)
	if err := in.literal(string(want.Buf)); err != nil {
		return err
	}
	return in.end()
}

// errStopped is how a section tells that its reader wants no more rows.
var errStopped = errors.New("the reader stopped early")

// sectionReader reads the rows of one section.
type sectionReader struct {
	*scanner
	section *Section
	first   bool  // no section stands before it
	rows    int64 // that were begun
	totals  Totals
	times   TimeParser
}

func (s *sectionReader) read(yield func(Batch, error) bool) error {
	start := string(AppendString(nil, s.section.Name)) + ":["
	if !s.first {
		start = "," + start
	}
	if err := s.literal(start); err != nil {
		return err
	}
	if err := s.totals.Add(s.section, nil); err != nil {
		return err
	}
	cells, b := canonicalCells(s.section.Columns), NewBuilder(s.section.Columns)
	for {
		more, err := s.row(cells, b)
		if err != nil {
			return err
		}
		if more && !b.EndRow() {
			continue
		}
		if err := s.hand(b, yield); err != nil || !more {
			return err
		}
	}
}

// hand gives the gathered rows to the reader.
func (s *sectionReader) hand(b *Builder, yield func(Batch, error) bool) error {
	if b.Len() == 0 {
		return nil
	}
	batch := b.Take()
	if err := s.totals.Add(s.section, batch); err != nil {
		return err
	}
	if !yield(batch, nil) {
		return errStopped
	}
	return nil
}

// row reads a row, or the end of the section.
func (s *sectionReader) row(cells []Cell, b *Builder) (more bool, err error) {
	c, err := s.next()
	if err != nil {
		return false, err
	}
	switch {
	case c == ']':
		return false, s.literal("]")
	case s.rows > 0:
		if err := s.literal(","); err != nil {
			return false, err
		}
	}
	s.rows++
	for i := range cells {
		if err := s.literal(cells[i].Before); err != nil {
			return false, err
		}
		if err := s.value(cells[i].Column, b); err != nil {
			return false, fmt.Errorf("column %s: %w", s.section.Columns[cells[i].Column].Name, err)
		}
	}
	return true, s.literal("}")
}

func (s *sectionReader) value(column int, b *Builder) error {
	typ := s.section.Columns[column].Type
	c, err := s.next()
	if err != nil {
		return err
	}
	if c == 'n' {
		if typ == String {
			b.Text(column, nil)
		} else {
			b.Int(column, Null)
		}
		return s.literal("null")
	}
	switch typ {
	case String:
		text, err := s.str()
		if err == nil && len(text) == 0 {
			err = errors.New(`"" where an absent value is null`)
		}
		b.Text(column, text)
		return err
	case Time:
		text, err := s.str()
		if err != nil {
			return err
		}
		ms, err := s.times.Parse(text)
		b.Int(column, ms)
		return err
	}
	v, err := s.integer()
	b.Int(column, v)
	return err
}
