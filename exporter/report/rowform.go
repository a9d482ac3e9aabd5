package report

// Cell says how a form of text writes the values of one column: Text those of
// a String column, where "" is absent, and Int those of the others, where
// [Null] is.
type Cell struct {
	Column int
	Before string // stands in front of each value, also of an absent one
	Text   func(buf []byte, text string) []byte
	Int    func(buf []byte, v int64) []byte
}

// RowForm writes the rows of a section as text, cell by cell. What repeats in
// a batch is encoded once and copied for each row; what all of its rows have in
// common becomes a part of the text between the cells.
type RowForm struct {
	cells  []Cell
	end    string // stands behind the last cell
	steps  []step
	tables []table // per cell
	last   []byte  // what stands behind the last step
}

// step writes a text and a value behind it, which is one of three.
type step struct {
	before []byte
	cell   *Cell

	codes []uint32 // a value by its code; the table has the text before it, too
	table *table
	text  Coded
	ints  []int64
}

// NewRowForm gives a form of rows with these cells, in their order.
func NewRowForm(cells []Cell, end string) *RowForm {
	return &RowForm{cells: cells, end: end, tables: make([]table, len(cells))}
}

// Bind readies the form for the rows of a batch.
func (f *RowForm) Bind(batch Batch) {
	f.steps = f.steps[:0]
	before := f.last[:0]
	for i := range f.cells {
		cell, table := &f.cells[i], &f.tables[i]
		table.before = append(append(table.before[:0], before...), cell.Before...)
		text := batch[cell.Column].Text
		switch {
		case cell.Int != nil:
			f.steps = append(f.steps, step{before: table.before, cell: cell, ints: batch[cell.Column].Int})
		case !text.Repeats():
			f.steps = append(f.steps, step{before: table.before, cell: cell, text: text})
		case table.encode(text.Values, cell.Text):
			before = append(before[:0], table.form(0)...)
			continue
		default:
			f.steps = append(f.steps, step{codes: text.Codes, table: table})
		}
		before = before[:0]
	}
	f.last = append(before, f.end...)
}

// Append appends a row of the batch that the form is bound to.
func (f *RowForm) Append(buf []byte, row int) []byte {
	for i := range f.steps {
		s := &f.steps[i]
		switch {
		case s.codes != nil:
			buf = append(buf, s.table.form(s.codes[row])...)
		case s.ints != nil:
			buf = s.cell.Int(append(buf, s.before...), s.ints[row])
		default:
			buf = s.cell.Text(append(buf, s.before...), s.text.At(row))
		}
	}
	return append(buf, f.last...)
}

// table holds the encoded forms of the values of a coded column, each with the
// text before it.
type table struct {
	before []byte
	text   []byte
	starts []int // where each form begins in text, and the end
}

// encode fills the table anew, and tells whether all forms are the same.
func (t *table) encode(values []string, encode func([]byte, string) []byte) (same bool) {
	t.text, t.starts, same = t.text[:0], append(t.starts[:0], 0), true
	for i, value := range values {
		t.text = encode(append(t.text, t.before...), value)
		t.starts = append(t.starts, len(t.text))
		same = same && (i == 0 || value == values[0])
	}
	return same
}

// form is the encoded form of a value, by its code.
func (t *table) form(code uint32) []byte { return t.text[t.starts[code]:t.starts[code+1]] }
