package report

// BatchRows is how many rows decoders and kinds put into a batch.
const BatchRows = 2048

// Builder gathers values into batches, row by row. Text is copied.
type Builder struct {
	columns []Column
	arena   []byte  // the text of all string columns
	ends    [][]int // per string column, where each value ends in its own order
	starts  [][]int
	ints    [][]int64
	rows    int
}

// NewBuilder gives an empty builder for rows of these columns.
func NewBuilder(columns []Column) *Builder {
	b := &Builder{columns: columns}
	b.reset()
	return b
}

func (b *Builder) reset() {
	n := len(b.columns)
	*b = Builder{columns: b.columns, arena: b.arena[:0], starts: make([][]int, n), ends: make([][]int, n), ints: make([][]int64, n)}
}

// Text adds a value to a String column; an empty one is absent.
func (b *Builder) Text(column int, value []byte) {
	b.starts[column] = append(b.starts[column], len(b.arena))
	b.arena = append(b.arena, value...)
	b.ends[column] = append(b.ends[column], len(b.arena))
}

// String is Text for a string.
func (b *Builder) String(column int, value string) {
	b.starts[column] = append(b.starts[column], len(b.arena))
	b.arena = append(b.arena, value...)
	b.ends[column] = append(b.ends[column], len(b.arena))
}

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
	text := string(b.arena)
	batch := make(Batch, len(b.columns))
	for i, c := range b.columns {
		if c.Type != String {
			batch[i].Int = b.ints[i]
			continue
		}
		values := make([]string, len(b.ends[i]))
		for row, end := range b.ends[i] {
			values[row] = text[b.starts[i][row]:end]
		}
		batch[i].Text.Values = values
	}
	b.reset()
	return batch
}
