package report

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Change is what became of a row between two reports.
type Change string

// The changes of rows.
const (
	Added   Change = "added"
	Removed Change = "removed"
	Changed Change = "changed"
)

// Difference is a row that two reports don't share. Rows are told apart by the
// key of their section; a row that has the same key in both and other values
// elsewhere is changed.
type Difference struct {
	Section string         `json:"section"`
	Change  Change         `json:"change"`
	Before  map[string]any `json:"before"` // nil if added; see [Batch.Row]
	After   map[string]any `json:"after"`  // nil if removed
}

// Compared says how the rows of a section differ.
type Compared struct {
	Key       []string `json:"key"`
	Added     int64    `json:"added"`
	Removed   int64    `json:"removed"`
	Changed   int64    `json:"changed"`
	Unchanged int64    `json:"unchanged"`
}

// Comparison says how two reports differ, in numbers.
type Comparison struct {
	Sections     map[string]*Compared `json:"sections"`
	TotalsBefore Totals               `json:"totals_before"`
	TotalsAfter  Totals               `json:"totals_after"`
}

// Differences is the number of rows that differ.
func (c *Comparison) Differences() (n int64) {
	for _, s := range c.Sections {
		n += s.Added + s.Removed + s.Changed
	}
	return n
}

// IncomparableError says why two reports have no rows in common to compare.
type IncomparableError struct{ Problem string }

func (e *IncomparableError) Error() string { return e.Problem }

// Compare finds the rows by which two reports of a kind differ, in the order of
// their sections and keys, and hands each to each. Their filters may differ, but
// not their columns. It reads both once, side by side, and holds a batch of
// either. Errors: *[IncomparableError], those of the documents and of each.
func Compare(before, after *Document, each func(Difference) error) (*Comparison, error) {
	if err := alike(before, after); err != nil {
		return nil, err
	}
	c := &Comparison{Sections: map[string]*Compared{}, TotalsBefore: Totals{}, TotalsAfter: Totals{}}
	for i := range before.Sections {
		if err := c.section(&before.Sections[i], &after.Sections[i], each); err != nil {
			return nil, fmt.Errorf("compare section %s: %w", before.Sections[i].Name, err)
		}
	}
	return c, nil
}

func alike(a, b *Document) error {
	if a.Kind != b.Kind {
		return &IncomparableError{fmt.Sprintf("one is a %s, the other a %s", a.Kind, b.Kind)}
	}
	for i := range a.Sections {
		s, t := a.Sections[i], b.Sections[i]
		if !slices.Equal(s.Columns, t.Columns) {
			return &IncomparableError{fmt.Sprintf("one is grouped by %s, the other by %s", strings.Join(s.Key, ", "), strings.Join(t.Key, ", "))}
		}
	}
	return nil
}

func (c *Comparison) section(before, after *Section, each func(Difference) error) error {
	found := &Compared{Key: before.Key}
	c.Sections[before.Name] = found
	a, err := newCursor(before, c.TotalsBefore)
	if err != nil {
		return err
	}
	defer a.stop()
	b, err := newCursor(after, c.TotalsAfter)
	if err != nil {
		return err
	}
	defer b.stop()
	for !a.ended || !b.ended {
		d := Difference{Section: before.Name}
		order := a.compare(b)
		switch {
		case order < 0:
			found.Removed++
			d.Change, d.Before = Removed, a.current()
		case order > 0:
			found.Added++
			d.Change, d.After = Added, b.current()
		case a.equal(b):
			found.Unchanged++
		default:
			found.Changed++
			d.Change, d.Before, d.After = Changed, a.current(), b.current()
		}
		if d.Change != "" {
			if err := each(d); err != nil {
				return err
			}
		}
		if err := errors.Join(a.passIf(order <= 0), b.passIf(order >= 0)); err != nil {
			return err
		}
	}
	return nil
}

// cursor goes through the rows of a section, one at a time.
type cursor struct {
	section *Section
	key     []int // columns
	totals  Totals
	pull    func() (Batch, error, bool)
	stop    func()
	batch   Batch
	row     int
	ended   bool
}

func newCursor(s *Section, totals Totals) (*cursor, error) {
	c := &cursor{section: s, totals: totals}
	for _, name := range s.Key {
		c.key = append(c.key, slices.IndexFunc(s.Columns, func(c Column) bool { return c.Name == name }))
	}
	if err := totals.Add(s, nil); err != nil {
		return nil, err
	}
	c.pull, c.stop = iter.Pull2(iter.Seq2[Batch, error](s.Rows))
	return c, c.fill()
}

// fill goes on to the next batch that has rows.
func (c *cursor) fill() error {
	for c.row = 0; ; {
		batch, err, more := c.pull()
		if c.ended = !more; c.ended || err != nil {
			return err
		}
		if c.batch = batch; batch.Len() > 0 {
			return c.totals.Add(c.section, batch)
		}
	}
}

// passIf goes on to the next row, which must have a greater key.
func (c *cursor) passIf(pass bool) error {
	if !pass || c.ended {
		return nil
	}
	last, row := c.batch, c.row
	if c.row++; c.row == c.batch.Len() {
		if err := c.fill(); err != nil || c.ended {
			return err
		}
	}
	if c.orders(last, row, c.batch, c.row) >= 0 {
		return fmt.Errorf("rows are not sorted by %s", strings.Join(c.section.Key, ", "))
	}
	return nil
}

// compare orders the rows of two cursors by key; one that has ended comes last.
func (c *cursor) compare(other *cursor) int {
	switch {
	case c.ended:
		return 1
	case other.ended:
		return -1
	}
	return c.orders(c.batch, c.row, other.batch, other.row)
}

func (c *cursor) orders(a Batch, i int, b Batch, j int) int {
	for _, column := range c.key {
		order := 0
		if c.section.Columns[column].Type == String {
			order = strings.Compare(a[column].Text.At(i), b[column].Text.At(j))
		} else {
			order = cmp.Compare(a[column].Int[i], b[column].Int[j])
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

// equal tells whether two rows have the same values in all columns.
func (c *cursor) equal(other *cursor) bool {
	for i, column := range c.section.Columns {
		if column.Type == String {
			if c.batch[i].Text.At(c.row) != other.batch[i].Text.At(other.row) {
				return false
			}
		} else if c.batch[i].Int[c.row] != other.batch[i].Int[other.row] {
			return false
		}
	}
	return true
}

func (c *cursor) current() map[string]any { return c.batch.Row(c.section.Columns, c.row) }
