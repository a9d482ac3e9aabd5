package report

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// formColumn is a column of a [RowForm] as a batch has it.
type formColumn struct {
	Cell
	before []byte // stands in front of each value
	lead   []byte // before and the quote
	absent []byte // before and what stands for an absent value
	values Vector
	way    way
	text   []byte  // of the forms
	forms  []place // by code, or by row from first on
	first  int
	widest int  // of the forms
	holes  bool // some integers of the group are absent
	times  timeText
}

// way is how the cells of a column are written.
type way int

const (
	byCode   way = iota // as copies of forms, one per code
	byRow               // as forms that were made for each row
	plain               // as copies of the texts
	numbers             // in digits
	instants            // as times
)

// place is where a form is.
type place struct{ at, size uint32 }

// precede sets what stands in front of each value.
func (c *formColumn) precede(before []byte) {
	c.before = append(append(c.before[:0], before...), c.Before...)
	c.absent = append(append(c.absent[:0], c.before...), c.Absent...)
	c.lead = append(c.lead[:0], c.before...)
	if c.Quote != 0 {
		c.lead = append(c.lead, c.Quote)
	}
	c.before, c.absent, c.lead = slices.Grow(c.before, piece), slices.Grow(c.absent, piece), slices.Grow(c.lead, piece)
}

// encode encodes the values of a column that repeat. It tells whether there is
// but one.
func (c *formColumn) encode() (same bool, err error) {
	c.way = byRow
	if c.Type != String || !c.values.Text.Repeats() {
		return false, nil
	}
	c.way = byCode
	c.begin()
	values := c.values.Text.Values
	same = true
	for _, value := range values.Each() {
		c.add(c.Text(append(c.text, c.before...), value))
		same = same && value == values.At(0)
	}
	return same, c.end()
}

// begin begins the forms anew.
func (c *formColumn) begin() { c.text, c.forms, c.widest = c.text[:0], c.forms[:0], 0 }

// add adds what text has more than before as a form.
func (c *formColumn) add(text []byte) {
	size := len(text) - len(c.text)
	c.forms = append(c.forms, place{uint32(len(c.text)), uint32(size)})
	c.text, c.widest = text, max(c.widest, size)
}

// end readies the forms for being copied. They are checked in one piece, and
// that no character lies across two.
func (c *formColumn) end() error {
	c.text = slices.Grow(c.text, piece)
	if !utf8.Valid(c.text) {
		return errNotUTF8
	}
	for _, form := range c.forms {
		if form.size > 0 && !utf8.RuneStart(c.text[form.at]) {
			return errNotUTF8
		}
	}
	return nil
}

var errNotUTF8 = errors.New("text is not valid UTF-8")

// form gives an encoded value.
func (c *formColumn) form(code uint32) []byte {
	p := c.forms[code]
	return c.text[p.at : p.at+p.size]
}

// look tells how the cells of some rows are written, and gives the most bytes
// that one of them takes.
func (c *formColumn) look(from, to int) (most int, err error) {
	switch {
	case c.way == byCode:
		return c.widest, c.knows(c.values.Text.Codes[from:to])
	case c.Type == Integer && c.allWithin(c.values.Int[from:to], -MaxAmount, MaxAmount):
		c.way = numbers
		return max(len(c.before)+maxDigits+1, len(c.absent)), nil
	case c.Type == Time && c.allWithin(c.values.Int[from:to], MinInstant, MaxInstant):
		c.way = instants
		return max(len(c.lead)+len(timeLayout)+1, len(c.absent)), nil
	case c.Type == String && c.values.Text.Codes == nil:
		texts := c.values.Text.Values.Part(from, to)
		if texts.Clean || c.Plain != nil && c.Plain(texts) {
			c.way = plain
			return len(c.lead) + texts.longest() + 1, texts.check()
		}
	}
	c.way, c.first = byRow, from
	c.begin()
	for row := from; row < to; row++ {
		c.add(c.one(append(c.text, c.before...), row))
	}
	return c.widest, c.end()
}

// knows makes sure that there are forms of all codes. Looking at them here, by
// the hundred, also brings them near.
func (c *formColumn) knows(codes []uint32) error {
	highest := uint32(0)
	for _, code := range codes {
		highest = max(highest, code)
	}
	if int(highest) >= len(c.forms) {
		return fmt.Errorf("code %d of %d texts", highest, len(c.forms))
	}
	return nil
}

// allWithin tells whether all integers that are not absent are within bounds,
// and notes whether some are absent.
func (c *formColumn) allWithin(values []int64, low, high int64) bool {
	c.holes = false
	for _, v := range values {
		if v < low || v > high {
			if v != Null {
				return false
			}
			c.holes = true
		}
	}
	return true
}

// one appends a value.
func (c *formColumn) one(buf []byte, row int) []byte {
	if c.Type == String {
		return c.Text(buf, c.values.Text.At(row))
	}
	if v := c.values.Int[row]; v != Null {
		return c.Int(buf, v)
	}
	return append(buf, c.Absent...)
}

// fill writes the cells of the rows from one on where the ends say, and moves
// those behind them.
func (c *formColumn) fill(sheet []byte, ends []int, from int) {
	switch to := from + len(ends); c.way {
	case byCode:
		c.fillForms(sheet, ends, c.values.Text.Codes[from:to])
	case byRow:
		c.fillForms(sheet, ends, ordinals[from-c.first:to-c.first])
	case plain:
		c.fillTexts(sheet, ends, c.values.Text.Values.Part(from, to))
	case numbers:
		c.fillNumbers(sheet, ends, c.values.Int[from:to])
	case instants:
		c.fillInstants(sheet, ends, c.values.Int[from:to])
	}
}

// fillSame writes the same text for all rows.
func fillSame(sheet []byte, ends []int, text []byte) {
	first := words((*[piece]byte)(text[:piece]))
	for i, at := range ends {
		first.put((*[piece]byte)(sheet[at:]))
		if len(text) > piece {
			put(sheet, at+piece, text[piece:])
		}
		ends[i] = at + len(text)
	}
}

func (c *formColumn) fillForms(sheet []byte, ends []int, codes []uint32) {
	text, forms := c.text, c.forms
	codes = codes[:len(ends)]
	for i, at := range ends {
		form := forms[codes[i]]
		start, end := int(form.at), int(form.at+form.size)
		putPiece((*[piece]byte)(sheet[at:]), (*[piece]byte)(text[start:start+piece]))
		if start+piece < end {
			put(sheet, at+piece, text[start+piece:end])
		}
		ends[i] = at + end - start
	}
}

func (c *formColumn) fillTexts(sheet []byte, ends []int, texts Texts) {
	fillSame(sheet, ends, c.lead)
	from := texts.Bounds[0]
	bounds := texts.Bounds[1:][:len(ends)]
	for i, at := range ends {
		to := bounds[i]
		ends[i] = putText(sheet, at, texts.All, int(from), int(to))
		from = to
	}
	fillQuote(sheet, ends, c.Quote)
}

// fillQuote writes a quote, if there is one.
func fillQuote(sheet []byte, ends []int, quote byte) {
	if quote == 0 {
		return
	}
	for i, at := range ends {
		sheet[at] = quote
		ends[i] = at + 1
	}
}

func (c *formColumn) fillNumbers(sheet []byte, ends []int, values []int64) {
	c.fillLead(sheet, ends, values, c.before)
	for i, v := range values[:len(ends)] {
		switch at := ends[i]; {
		case v == Null:
		case uint64(v) < 1000:
			ends[i] = putSmall(sheet, at, threes[v])
		case v < 0:
			sheet[at] = '-'
			ends[i] = putDigits(sheet, at+1, uint64(-v))
		default:
			ends[i] = putDigits(sheet, at, uint64(v))
		}
	}
}

func (c *formColumn) fillInstants(sheet []byte, ends []int, values []int64) {
	c.fillLead(sheet, ends, values, c.lead)
	for i, v := range values[:len(ends)] {
		if v == Null {
			continue
		}
		at := ends[i] + len(timeLayout)
		c.times.put(sheet[ends[i]:], v)
		sheet[at] = c.Quote
		if c.Quote != 0 {
			at++
		}
		ends[i] = at
	}
}

// fillLead writes what stands in front of values, or all there is of those that
// are absent.
func (c *formColumn) fillLead(sheet []byte, ends []int, values []int64, lead []byte) {
	if !c.holes {
		fillSame(sheet, ends, lead)
		return
	}
	for i, v := range values[:len(ends)] {
		text := lead
		if v == Null {
			text = c.absent
		}
		ends[i] = put(sheet, ends[i], text)
	}
}

// ordinals are the codes of forms that were made for each row.
var ordinals = func() (rows [groupRows]uint32) {
	for i := range rows {
		rows[i] = uint32(i)
	}
	return rows
}()
