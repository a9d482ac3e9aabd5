package report

import "encoding/binary"

// BatchRows is how many rows decoders and kinds put into a batch.
const BatchRows = 2048

// Builder gathers values into batches, row by row. Text is copied; what
// repeats is found for the most part, and copied once per batch.
type Builder struct {
	columns []Column
	texts   []textBuilder // per column
	ints    [][]int64
	rows    int
}

// textBuilder gathers the values of one string column.
type textBuilder struct {
	arena  []byte   // the values, one behind the other
	bounds []uint32 // of the values in the arena
	codes  []uint32 // per row: its value
	recent [1 << recentBits]uint32
}

// recentBits sizes the memory for values that were met: by a hash of a value,
// 1 + the code of the last one that had it. A value that was forgotten gets
// another code, which costs nothing but space.
const recentBits = 10

// NewBuilder gives an empty builder for rows of these columns.
func NewBuilder(columns []Column) *Builder {
	return &Builder{columns: columns, texts: make([]textBuilder, len(columns)), ints: make([][]int64, len(columns))}
}

// Text adds a value to a String column; an empty one is absent.
func (b *Builder) Text(column int, value []byte) {
	c := &b.texts[column]
	recent := &c.recent[hashOf(value)]
	if known := *recent; known > 0 && string(c.arena[c.bounds[known-1]:c.bounds[known]]) == string(value) {
		c.codes = append(c.codes, known-1)
		return
	}
	if len(c.bounds) == 0 {
		c.bounds = append(c.bounds, 0)
	}
	c.arena = append(c.arena, value...)
	c.codes = append(c.codes, uint32(len(c.bounds)-1))
	*recent = uint32(len(c.bounds))
	c.bounds = append(c.bounds, uint32(len(c.arena)))
}

// hashOf looks at a value's end, which is where ids differ.
func hashOf(value []byte) uint32 {
	var end uint32
	if n := len(value); n >= 4 {
		end = binary.LittleEndian.Uint32(value[n-4:])
	} else {
		for _, c := range value {
			end = end<<8 | uint32(c)
		}
	}
	return (end + uint32(len(value))) * 0x9E3779B1 >> (32 - recentBits)
}

// String is Text for a string.
func (b *Builder) String(column int, value string) { b.Text(column, []byte(value)) }

// Int adds a value to an Integer or Time column.
func (b *Builder) Int(column int, value int64) {
	b.ints[column] = append(b.ints[column], value)
}

// EndRow closes the row and tells whether the batch is full.
func (b *Builder) EndRow() (full bool) {
	b.rows++
	return b.rows >= BatchRows
}

// Len is the number of rows gathered since the last batch.
func (b *Builder) Len() int { return b.rows }

// Take hands out what was gathered and begins anew.
func (b *Builder) Take() Batch {
	batch := make(Batch, len(b.columns))
	for i, c := range b.columns {
		if c.Type == String {
			batch[i].Text = b.texts[i].take()
		} else {
			batch[i].Int = b.ints[i]
			b.ints[i] = make([]int64, 0, b.rows)
		}
	}
	b.rows = 0
	return batch
}

// take hands out the values, coded where they repeat.
func (c *textBuilder) take() Coded {
	coded := Coded{Texts{All: string(c.arena), Bounds: c.bounds}, c.codes}
	switch {
	case coded.Repeats():
		c.codes = nil
	case coded.Values.Len() == len(c.codes): // each row has its own, in their order
		coded.Codes = nil
	default:
		coded = coded.plain()
	}
	c.arena, c.bounds, c.codes = c.arena[:0], make([]uint32, 0, len(c.bounds)), c.codes[:0]
	clear(c.recent[:])
	return coded
}
