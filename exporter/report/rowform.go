package report

import "slices"

// Cell says how a form of text writes the values of one column. The form itself
// writes what is usual: texts that are clean (see [Texts]) or Plain, and instants
// as [FormatTime] gives them, both with Quote on both sides, numbers up to
// ±[MaxAmount] in digits, and Absent for what is [Null]. All else it leaves to
// Text, where "" is absent, and to Int.
type Cell struct {
	Column int
	Type   Type
	Before string // stands in front of each value, also of an absent one
	Quote  byte   // 0 for none
	Absent string
	Text   func(buf []byte, text string) []byte
	Int    func(buf []byte, v int64) []byte

	// Plain tells that Text would write each of some texts as it is, within
	// quotes. Without it only clean texts don't go through Text.
	Plain func(Texts) bool
}

// RowForm writes the rows of a section as text. What repeats in a batch is
// encoded once and copied for each row; what all of its rows have in common
// becomes a part of the text between the cells. The other cells are written
// column by column, each row into a strip of a sheet that is wide enough for
// all: a loop that does one thing need not ask each cell what it is.
type RowForm struct {
	between string // stands between two rows
	end     string // stands behind the last cell
	columns []formColumn
	begun   bool

	vary  []*formColumn // the columns whose cells differ in the batch
	last  []byte        // what stands behind the last of them
	sheet []byte
	ends  []int // where the text of each strip ends
}

// A sheet has so many strips, and fewer where they are so wide that it would
// not fit in a processor's cache.
const (
	sheetRows = 32
	sheetSize = 64 << 10
)

// groupRows is how many rows are looked at before they are written: few, so
// that one odd value doesn't slow down many, and what was seen is still near.
const groupRows = 8 * sheetRows

// NewRowForm gives a form of rows with these cells, in their order.
func NewRowForm(cells []Cell, end, between string) *RowForm {
	f := &RowForm{between: between, end: end, columns: make([]formColumn, len(cells))}
	for i := range cells {
		f.columns[i].Cell = cells[i]
	}
	return f
}

// Write writes the rows of a batch. Errors: those of the output, text that is
// not valid UTF-8, and a code that no text has.
func (f *RowForm) Write(out *Output, batch Batch) error {
	if err := f.bind(batch); err != nil {
		return err
	}
	for from, rows := 0, batch.Len(); from < rows; from += groupRows {
		if err := f.write(out, from, min(from+groupRows, rows)); err != nil {
			return err
		}
	}
	return nil
}

// bind readies the form for the rows of a batch, and encodes what repeats.
func (f *RowForm) bind(batch Batch) error {
	f.vary = f.vary[:0]
	before := append(f.last[:0], f.between...)
	for i := range f.columns {
		c := &f.columns[i]
		c.values = batch[c.Column]
		c.precede(before)
		before = before[:0]
		same, err := c.encode()
		switch {
		case err != nil:
			return err
		case same:
			before = append(before, c.form(0)...)
		default:
			f.vary = append(f.vary, c)
		}
	}
	f.last = slices.Grow(append(before, f.end...), piece)
	return nil
}

// write writes some rows of the batch that the form is bound to.
func (f *RowForm) write(out *Output, from, to int) error {
	width := len(f.last) + slack
	for _, c := range f.vary {
		most, err := c.look(from, to)
		if err != nil {
			return err
		}
		width += most
	}
	rows := min(max(1, sheetSize/width), sheetRows)
	f.sheet = slices.Grow(f.sheet[:0], rows*width)[:rows*width]
	for ; from < to; from += rows {
		f.fill(from, min(from+rows, to), width)
		if err := f.copy(out, width); err != nil {
			return err
		}
	}
	return nil
}

// fill writes rows into the strips of the sheet.
func (f *RowForm) fill(from, to, width int) {
	f.ends = f.ends[:0]
	for i := range to - from {
		f.ends = append(f.ends, i*width)
	}
	for _, c := range f.vary {
		c.fill(f.sheet, f.ends, from)
	}
	fillSame(f.sheet, f.ends, f.last)
}

// copy copies what the strips hold, one behind the other.
func (f *RowForm) copy(out *Output, width int) error {
	for i, end := range f.ends {
		start := i * width
		if !f.begun { // each row begins with what stands between two
			start += len(f.between)
			f.begun = true
		}
		out.Buf = append(out.Buf, f.sheet[start:end]...)
	}
	return out.Flush(FlushAt)
}
