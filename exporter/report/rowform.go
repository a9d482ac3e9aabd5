package report

import (
	"encoding/binary"
	"slices"
)

// Cell says how a form of text writes the values of one column: Text those of
// a String column, where "" is absent, and Int those of the others, where
// [Null] is.
type Cell struct {
	Column int
	Before string // stands in front of each value, also of an absent one
	Text   func(buf []byte, text string) []byte
	Int    func(buf []byte, v int64) []byte

	// Plain tells that Text would write each of some texts as it is, with Quote
	// on both sides unless it is 0. Without Plain they all go through Text.
	Plain func(Texts) bool
	Quote byte
}

// RowForm writes the rows of a section as text. What repeats in a batch is
// encoded once and copied for each row; what all of its rows have in common
// becomes a part of the text between the cells.
type RowForm struct {
	between string // stands between two rows
	end     string // stands behind the last cell
	columns []formColumn
	begun   bool

	vary []*formColumn // the columns whose cells differ in the batch
	last []byte        // what stands behind the last of them
}

// formColumn is a column as a batch has it.
type formColumn struct {
	Cell
	before []byte // stands in front of each value
	lead   []byte // before and the quote
	values Vector
	way    way
	text   []byte  // of the forms
	forms  []place // by code
}

// way is how the cells of a column are written.
type way int

const (
	oneByOne way = iota // by Text
	numbers             // by Int
	coded               // as copies of forms
	plain               // as copies of the texts
)

// place is where a form is.
type place struct{ at, size uint32 }

// groupRows is how many rows are looked at column by column before they are
// written one by one: few enough that what was seen is still near.
const groupRows = 256

// NewRowForm gives a form of rows with these cells, in their order.
func NewRowForm(cells []Cell, end, between string) *RowForm {
	f := &RowForm{between: between, end: end, columns: make([]formColumn, len(cells))}
	for i := range cells {
		f.columns[i].Cell = cells[i]
	}
	return f
}

// Write writes the rows of a batch.
func (f *RowForm) Write(out *Output, batch Batch) error {
	f.bind(batch)
	for from, rows := 0, batch.Len(); from < rows; from += groupRows {
		if err := f.write(out, from, min(from+groupRows, rows)); err != nil {
			return err
		}
	}
	return nil
}

// write writes some rows of the batch that the form is bound to.
func (f *RowForm) write(out *Output, from, to int) error {
	for _, c := range f.vary {
		c.look(from, to)
	}
	for row := from; row < to; row++ {
		start := len(out.Buf)
		out.Buf = appendPiece(f.append(out.Buf, row), f.last)
		if !f.begun { // each row begins with what stands between two
			out.Buf = slices.Delete(out.Buf, start, start+len(f.between))
			f.begun = true
		}
		if err := out.Flush(FlushAt); err != nil {
			return err
		}
	}
	return nil
}

// bind readies the form for the rows of a batch, and encodes what repeats.
func (f *RowForm) bind(batch Batch) {
	f.vary = f.vary[:0]
	before := append(f.last[:0], f.between...)
	for i := range f.columns {
		c := &f.columns[i]
		c.values = batch[c.Column]
		c.precede(before)
		before = before[:0]
		if c.encode() {
			before = append(before, c.form(0)...)
		} else {
			f.vary = append(f.vary, c)
		}
	}
	f.last = slices.Grow(append(before, f.end...), piece)
}

// precede sets what stands in front of each value.
func (c *formColumn) precede(before []byte) {
	c.before = slices.Grow(append(append(c.before[:0], before...), c.Before...), piece)
	c.lead = append(c.lead[:0], c.before...)
	if c.Quote != 0 {
		c.lead = append(c.lead, c.Quote)
	}
	c.lead = slices.Grow(c.lead, piece)
}

// encode encodes the values of a column that repeat. It tells whether there is
// but one.
func (c *formColumn) encode() (same bool) {
	c.way = oneByOne
	if c.Int != nil {
		c.way = numbers
	}
	if c.Int != nil || !c.values.Text.Repeats() {
		return false
	}
	c.way = coded
	c.text, c.forms = c.text[:0], c.forms[:0]
	values := c.values.Text.Values
	same = true
	for _, value := range values.Each() {
		start := len(c.text)
		c.text = c.Text(append(c.text, c.before...), value)
		c.forms = append(c.forms, place{uint32(start), uint32(len(c.text) - start)})
		same = same && value == values.At(0)
	}
	c.text = slices.Grow(c.text, piece)
	return same
}

// form gives an encoded value.
func (c *formColumn) form(code uint32) []byte {
	p := c.forms[code]
	return c.text[p.at : p.at+p.size]
}

// look tells how the cells of some rows are written.
func (c *formColumn) look(from, to int) {
	if c.way == numbers || c.way == coded {
		return
	}
	c.way = oneByOne
	if text := c.values.Text; c.Plain != nil && text.Codes == nil && c.Plain(text.Values.Part(from, to)) {
		c.way = plain
	}
}

// append appends the cells of a row, save what stands behind the last that vary.
func (f *RowForm) append(buf []byte, row int) []byte {
	for _, c := range f.vary {
		switch c.way {
		case coded:
			buf = appendPiece(buf, c.form(c.values.Text.Codes[row]))
		case numbers:
			buf = c.Int(appendPiece(buf, c.before), c.values.Int[row])
		case plain:
			buf = appendWords(appendPiece(buf, c.lead), &c.values.Text.Values, row)
			if c.Quote != 0 {
				buf = append(buf, c.Quote)
			}
		default:
			buf = c.Text(appendPiece(buf, c.before), c.values.Text.At(row))
		}
	}
	return buf
}

// piece is how many bytes are copied at a time: of the few that most cells
// have, copying some too many costs less than counting them.
const piece = 32

// appendPiece appends text; there may be anything behind it.
func appendPiece(buf, text []byte) []byte {
	n := len(buf)
	if len(text) > piece || cap(text) < piece || cap(buf)-n < piece {
		return append(buf, text...)
	}
	buf = buf[:n+piece]
	*(*[piece]byte)(buf[n:]) = *(*[piece]byte)(text[:piece])
	return buf[:n+len(text)]
}

// appendWords appends a text of a list, eight bytes at a time.
func appendWords(buf []byte, texts *Texts, i int) []byte {
	from, to := int(texts.Bounds[i]), int(texts.Bounds[i+1])
	n := len(buf)
	size := to - from
	if size > 2*piece || to+8 > len(texts.All) || cap(buf)-n < size+8 {
		return append(buf, texts.All[from:to]...)
	}
	buf = buf[:n+size+8]
	for at := 0; at < size; at += 8 {
		binary.LittleEndian.PutUint64(buf[n+at:], word(texts.All[from+at:]))
	}
	return buf[:n+size]
}
