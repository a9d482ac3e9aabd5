package ledger

import (
	"slices"
	"strings"

	"licensekit/exporter/report"
)

// matcher selects the rows of blocks.
type matcher struct{ report.Match }

// predicate tells whether a row is wanted.
type predicate func(row int) bool

// outside tells whether nothing from low to high is of the wanted time.
func (m *matcher) outside(low, high int64) bool {
	return m.From != nil && high < int64(*m.From) || m.To != nil && low >= int64(*m.To)
}

// predicates lists what has to be asked of each row of a block: nothing where
// the header or a dictionary answers for all rows. none says that no row is
// wanted.
func (m *matcher) predicates(b *block) (list []predicate, none bool, err error) {
	if m.outside(b.low, b.high) || m.Below > 0 && b.first >= m.Below {
		return nil, true, nil
	}
	if b.first+int64(b.rows)-1 <= m.Above {
		return nil, true, nil
	}
	if b.first <= m.Above {
		known := int(m.Above-b.first) + 1
		list = append(list, func(row int) bool { return row >= known })
	}
	if m.Below > 0 && b.first+int64(b.rows) > m.Below {
		rows := int(m.Below - b.first)
		list = append(list, func(row int) bool { return row < rows })
	}
	for field, want := range m.Equal {
		if want != "" && err == nil && !none {
			list, none, err = addText(list, b, report.Field(field), func(text string) bool { return text == want })
		}
	}
	if m.Usage && err == nil && !none {
		list, none, err = addText(list, b, report.FieldAction, func(text string) bool {
			return strings.HasPrefix(text, report.UsagePrefix)
		})
	}
	if err != nil || none {
		return nil, none, err
	}
	return m.addNumbers(list, b)
}

// addText asks a dictionary once per entry rather than once per row.
func addText(list []predicate, b *block, field report.Field, wanted func(string) bool) ([]predicate, bool, error) {
	c, err := b.text(field)
	if err != nil {
		return nil, false, err
	}
	if size, coded := c.dictionarySize(); !coded || size > b.rows/2 {
		return append(list, func(row int) bool { return wanted(c.at(row)) }), false, nil
	}
	entries, hits := c.dictionary(), 0
	verdicts := make([]bool, entries.Len())
	for i, entry := range entries.Each() {
		if verdicts[i] = wanted(entry); verdicts[i] {
			hits++
		}
	}
	switch hits {
	case 0:
		return nil, true, nil
	case len(verdicts):
		return list, false, nil
	}
	return append(list, func(row int) bool { return verdicts[c.code(row)] }), false, nil
}

func (m *matcher) addNumbers(list []predicate, b *block) ([]predicate, bool, error) {
	if m.From != nil && b.low < int64(*m.From) || m.To != nil && b.high >= int64(*m.To) {
		c, err := b.integers(columnOccurred)
		if err != nil {
			return nil, false, err
		}
		from, to := b.low, b.high
		if m.From != nil {
			from = max(from, int64(*m.From))
		}
		if m.To != nil {
			to = min(to, int64(*m.To)-1)
		}
		list = slices.Insert(list, 0, func(row int) bool { t := c.at(row); return from <= t && t <= to }) // leaves fewer than others
	}
	if m.Status != 0 {
		c, err := b.integers(columnStatus)
		if err != nil {
			return nil, false, err
		}
		list = append(list, func(row int) bool { return c.at(row) == m.Status })
	}
	return list, false, nil
}

// selected gives the wanted rows of a block; whole says that all are, and then
// the list is left out.
func (m *matcher) selected(b *block) (rows []uint32, whole bool, err error) {
	list, none, err := m.predicates(b)
	if err != nil || none {
		return nil, false, err
	}
	if len(list) == 0 {
		return nil, true, nil
	}
	for row := range b.rows {
		if list[0](row) {
			rows = append(rows, uint32(row))
		}
	}
	for _, wanted := range list[1:] {
		rows = slices.DeleteFunc(rows, func(row uint32) bool { return !wanted(int(row)) })
	}
	return rows, len(rows) == b.rows, nil
}

// rows is selected with the list written out.
func (m *matcher) rows(b *block) ([]uint32, error) {
	rows, whole, err := m.selected(b)
	if err != nil || !whole {
		return rows, err
	}
	rows = make([]uint32, b.rows)
	for i := range rows {
		rows[i] = uint32(i)
	}
	return rows, nil
}

// constants remembers, per column, the slice that a constant column was last
// decoded to: many blocks in a row share it, as batches are never changed.
type constants [numInts][]int64

// all decodes a column.
func (k *constants) all(column int, c *ints) []int64 {
	if c.width > 0 {
		return c.all()
	}
	if known := k[column]; len(known) < c.rows || known[0] != c.base {
		k[column] = c.all()
	}
	return k[column][:c.rows:c.rows]
}

// read gives the wanted rows of a block, nil if there are none.
func (m *matcher) read(b *block, fields report.FieldSet, k *constants) (*report.Facts, error) {
	rows, whole, err := m.selected(b)
	if err != nil || !whole && len(rows) == 0 {
		return nil, err
	}
	if whole {
		return readAll(b, fields, k)
	}
	return pick(b, rows, fields)
}

// readAll gives all rows of a block.
func readAll(b *block, fields report.FieldSet, k *constants) (*report.Facts, error) {
	facts := &report.Facts{Sequence: make([]int64, b.rows)}
	for i := range facts.Sequence {
		facts.Sequence[i] = b.first + int64(i)
	}
	return facts, readColumns(b, fields, facts, k.all, (*texts).all)
}

// pick gives some rows of a block, in the order of the list.
func pick(b *block, rows []uint32, fields report.FieldSet) (*report.Facts, error) {
	facts := &report.Facts{Sequence: make([]int64, len(rows))}
	for i, row := range rows {
		facts.Sequence[i] = b.first + int64(row)
	}
	return facts, readColumns(b, fields, facts,
		func(_ int, c *ints) []int64 { return c.pick(rows) },
		func(c *texts) report.Coded { return c.pick(rows) })
}

// readColumns fills in the integer columns and the text fields asked for.
func readColumns(b *block, fields report.FieldSet, facts *report.Facts, numbers func(int, *ints) []int64, text func(*texts) report.Coded) error {
	for column, dst := range integerColumns(facts) {
		c, err := b.integers(column)
		if err != nil {
			return err
		}
		*dst = numbers(column, c)
	}
	for field := range facts.Text {
		if !fields.Has(report.Field(field)) {
			continue
		}
		c, err := b.text(report.Field(field))
		if err != nil {
			return err
		}
		facts.Text[field] = text(c)
	}
	return nil
}

// integerColumns names the slices of a batch by their columns.
func integerColumns(f *report.Facts) [columnInferred]*[]int64 {
	return [...]*[]int64{
		columnOccurred: &f.OccurredAt, columnReceived: &f.ReceivedAt,
		columnAmount: &f.Amount, columnStatus: &f.StatusCode,
	}
}
