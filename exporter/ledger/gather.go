package ledger

import (
	"slices"
	"strings"

	"licensekit/exporter/report"
)

// gathering collects rows from several blocks into one batch. It is used again
// for the next one.
type gathering struct {
	blocks  []*block
	sources []uint32 // the blocks, as the timeline numbers them
	pieces  []piece
	rows    int
}

// piece is some rows that follow each other in a block as they do in the batch:
// most producers report in the order of time, so there are few pieces, and
// their values are copied together.
type piece struct {
	from     uint32 // the block, as an index into the gathering's
	row, end uint32 // in the block, from one row to before the other
}

func (p piece) len() int { return int(p.end - p.row) }

// gather reads the activities of some keys.
func (t *timeline) gather(keys []entry) (*report.Facts, error) {
	g := &t.gathering
	if err := t.locate(g, keys); err != nil {
		return nil, err
	}
	facts := &report.Facts{Sequence: g.sequences()}
	var err error
	for column, dst := range integerColumns(facts) {
		if *dst, err = t.gatherInts(g, column); err != nil {
			return nil, err
		}
	}
	for field := range facts.Text {
		if !t.fields.Has(report.Field(field)) {
			continue
		}
		if facts.Text[field], err = t.gatherText(g, report.Field(field)); err != nil {
			return nil, err
		}
	}
	return facts, nil
}

// locate opens the blocks that the keys point into, each once.
func (t *timeline) locate(g *gathering, keys []entry) error {
	g.blocks, g.sources, g.pieces, g.rows = g.blocks[:0], g.sources[:0], g.pieces[:0], len(keys)
	next := uint64(0) // what a key would be that goes on with the last piece
	for _, k := range keys {
		if k.value == next && len(g.pieces) > 0 {
			g.pieces[len(g.pieces)-1].end++
			next++
			continue
		}
		at, row := uint32(k.value>>32), uint32(k.value)
		index := t.sources[at].index
		if int(index) >= len(g.blocks) || g.sources[index] != at { // of another batch, or of none
			b, err := t.open(at)
			if err != nil {
				return err
			}
			index = uint32(len(g.blocks))
			g.blocks, g.sources = append(g.blocks, b), append(g.sources, at)
			t.sources[at].index = index
		}
		g.pieces = append(g.pieces, piece{index, row, row + 1})
		next = k.value + 1
	}
	return nil
}

// sequences are those of the rows.
func (g *gathering) sequences() []int64 {
	out := make([]int64, 0, g.rows)
	for _, p := range g.pieces {
		first := g.blocks[p.from].first
		for row := p.row; row < p.end; row++ {
			out = append(out, first+int64(row))
		}
	}
	return out
}

// columnsOf opens a column of each block.
func columnsOf[C any](s *Snapshot, g *gathering, open func(*block) (C, error)) (columns []C, err error) {
	columns = make([]C, len(g.blocks))
	for i, b := range g.blocks {
		if columns[i], err = open(b); err != nil {
			return nil, s.damagedBlock(b, err)
		}
	}
	return columns, nil
}

func (t *timeline) gatherInts(g *gathering, column int) ([]int64, error) {
	columns, err := columnsOf(t.snapshot, g, func(b *block) (*ints, error) { return b.integers(column) })
	if err != nil {
		return nil, err
	}
	out := make([]int64, g.rows)
	rest := out
	for _, p := range g.pieces {
		columns[p.from].decode(rest[:p.len()], int(p.row))
		rest = rest[p.len():]
	}
	return out, nil
}

// gatherText keeps the blocks' dictionaries, one behind the other, where they
// are small against the rows: a consumer then handles each entry once. The
// same text may stand in it several times.
func (t *timeline) gatherText(g *gathering, field report.Field) (report.Coded, error) {
	columns, err := columnsOf(t.snapshot, g, func(b *block) (*texts, error) { return b.text(field) })
	if err != nil {
		return report.Coded{}, err
	}
	total, coded := 0, true
	for _, c := range columns {
		size, has := c.dictionarySize()
		total, coded = total+size, coded && has
	}
	if sameConstant(columns) {
		return report.Coded{Values: columns[0].dictionary(), Codes: zeros[:g.rows]}, nil
	}
	if coded && total <= g.rows/2 {
		return g.codes(columns, total), nil
	}
	return report.Coded{Values: t.texts(g, columns, field)}, nil
}

// sameConstant tells whether the columns hold one text, and the same.
func sameConstant(columns []*texts) bool {
	for _, c := range columns {
		if c.form != textConstant || string(c.data) != string(columns[0].data) {
			return false
		}
	}
	return true
}

// texts copies what lies scattered in the blocks into one list, in the order of
// the rows: whoever reads it, and often several do, goes straight on.
func (t *timeline) texts(g *gathering, columns []*texts, field report.Field) report.Texts {
	size := &t.sizes[field]
	list := textList{bounds: make([]uint32, 1, g.rows+1)}
	list.all.Grow(*size + *size/16)
	for _, p := range g.pieces {
		columns[p.from].copy(&list, int(p.row), int(p.end))
	}
	*size = list.all.Len()
	gathered := list.texts()
	gathered.Clean = !slices.ContainsFunc(columns, func(c *texts) bool { return !c.isClean() })
	return gathered
}

// codes joins the dictionaries of the blocks.
func (g *gathering) codes(columns []*texts, total int) report.Coded {
	list := textList{bounds: make([]uint32, 1, total+1)}
	starts := make([]uint32, len(columns))
	for i, c := range columns {
		starts[i] = uint32(len(list.bounds) - 1)
		for _, text := range c.dictionary().Each() {
			list.add(text)
		}
	}
	codes := make([]uint32, g.rows)
	rest := codes
	for _, p := range g.pieces {
		columns[p.from].decode(rest[:p.len()], int(p.row), starts[p.from])
		rest = rest[p.len():]
	}
	return report.Coded{Values: list.texts(), Codes: codes}
}

// textList is a list of texts in the making.
type textList struct {
	all    strings.Builder
	bounds []uint32
}

func (l *textList) add(text string) {
	l.all.WriteString(text)
	l.bounds = append(l.bounds, uint32(l.all.Len()))
}

func (l *textList) texts() report.Texts { return report.Texts{All: l.all.String(), Bounds: l.bounds} }
