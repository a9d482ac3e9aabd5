package ledger

import (
	"strings"

	"licensekit/exporter/report"
)

// gathering collects rows from several blocks into one batch.
type gathering struct {
	blocks  []*block
	sources []uint32 // the blocks, as the timeline numbers them
	from    []uint32 // per row: the block, as an index into blocks
	rows    []uint32 // per row: the row in its block
}

// gather reads the activities of some keys.
func (t *timeline) gather(keys []entry) (*report.Facts, error) {
	g, err := t.locate(keys)
	if err != nil {
		return nil, err
	}
	facts := &report.Facts{Sequence: make([]int64, len(keys))}
	for i, row := range g.rows {
		facts.Sequence[i] = g.blocks[g.from[i]].first + int64(row)
	}
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
func (t *timeline) locate(keys []entry) (*gathering, error) {
	g := &gathering{from: make([]uint32, len(keys)), rows: make([]uint32, len(keys))}
	for i, k := range keys {
		at := uint32(k.value >> 32)
		index := t.sources[at].index
		if int(index) >= len(g.blocks) || g.sources[index] != at { // of another batch, or of none
			b, err := t.open(at)
			if err != nil {
				return nil, err
			}
			index = uint32(len(g.blocks))
			g.blocks, g.sources = append(g.blocks, b), append(g.sources, at)
			t.sources[at].index = index
		}
		g.from[i], g.rows[i] = index, uint32(k.value)
	}
	return g, nil
}

func (t *timeline) gatherInts(g *gathering, column int) ([]int64, error) {
	columns := make([]*ints, len(g.blocks))
	for i, b := range g.blocks {
		var err error
		if columns[i], err = b.integers(column); err != nil {
			return nil, t.snapshot.damagedBlock(b, err)
		}
	}
	out := make([]int64, len(g.rows))
	for i, row := range g.rows {
		out[i] = columns[g.from[i]].at(int(row))
	}
	return out, nil
}

// gatherText keeps the blocks' dictionaries, one behind the other, where they
// are small against the rows: a consumer then handles each entry once. The
// same text may stand in it several times.
func (t *timeline) gatherText(g *gathering, field report.Field) (report.Coded, error) {
	columns := make([]*texts, len(g.blocks))
	total, coded := 0, true
	for i, b := range g.blocks {
		var err error
		if columns[i], err = b.text(field); err != nil {
			return report.Coded{}, t.snapshot.damagedBlock(b, err)
		}
		size, has := columns[i].dictionarySize()
		total, coded = total+size, coded && has
	}
	if coded && total <= len(g.rows)/2 {
		return g.codes(columns, total), nil
	}
	return report.Coded{Values: t.texts(g, columns, field)}, nil
}

// texts copies what lies scattered in the blocks into one piece, in the order of
// the rows: whoever reads it, and often several do, goes straight on.
func (t *timeline) texts(g *gathering, columns []*texts, field report.Field) report.Texts {
	var (
		all    strings.Builder
		bounds = make([]uint32, 1, len(g.rows)+1)
		size   = &t.sizes[field]
	)
	all.Grow(*size + *size/16)
	for i, row := range g.rows {
		all.WriteString(columns[g.from[i]].at(int(row)))
		bounds = append(bounds, uint32(all.Len()))
	}
	*size = all.Len()
	return report.Texts{All: all.String(), Bounds: bounds}
}

// codes joins the dictionaries of the blocks.
func (g *gathering) codes(columns []*texts, total int) report.Coded {
	var (
		all    strings.Builder
		bounds = make([]uint32, 1, total+1)
		starts = make([]uint32, len(columns))
	)
	for i, c := range columns {
		starts[i] = uint32(len(bounds) - 1)
		for _, text := range c.dictionary().Each() {
			all.WriteString(text)
			bounds = append(bounds, uint32(all.Len()))
		}
	}
	codes := make([]uint32, len(g.rows))
	for i, row := range g.rows {
		from := g.from[i]
		codes[i] = starts[from] + columns[from].code(int(row))
	}
	return report.Coded{Values: report.Texts{All: all.String(), Bounds: bounds}, Codes: codes}
}
