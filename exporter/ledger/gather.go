package ledger

import (
	"strings"

	"licensekit/exporter/report"
)

// gathering collects rows from several blocks into one batch.
type gathering struct {
	blocks []*block
	from   []uint32 // per row: the block, as an index into blocks
	rows   []uint32 // per row: the row in its block
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
	seen := map[uint32]uint32{}
	last, index := uint32(0), uint32(0)
	for i, k := range keys {
		if at := uint32(k.value >> 32); i == 0 || at != last {
			known, ok := seen[at]
			if !ok {
				b, err := t.open(at)
				if err != nil {
					return nil, err
				}
				known = uint32(len(g.blocks))
				g.blocks = append(g.blocks, b)
				seen[at] = known
			}
			last, index = at, known
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
	return report.Coded{Values: g.texts(columns)}, nil
}

// texts copies what lies scattered in the blocks into one piece, in the order of
// the rows: whoever reads it, and often several do, goes straight on.
func (g *gathering) texts(columns []*texts) []string {
	values := make([]string, len(g.rows))
	size := 0
	for i, row := range g.rows {
		values[i] = columns[g.from[i]].at(int(row))
		size += len(values[i])
	}
	var piece strings.Builder
	piece.Grow(size)
	for _, value := range values {
		piece.WriteString(value)
	}
	rest := piece.String()
	for i, value := range values {
		values[i], rest = rest[:len(value)], rest[len(value):]
	}
	return values
}

func (g *gathering) codes(columns []*texts, total int) report.Coded {
	out := report.Coded{Values: make([]string, 0, total), Codes: make([]uint32, len(g.rows))}
	starts := make([]uint32, len(columns))
	for i, c := range columns {
		starts[i] = uint32(len(out.Values))
		out.Values = append(out.Values, c.dictionary()...)
	}
	for i, row := range g.rows {
		from := g.from[i]
		out.Codes[i] = starts[from] + columns[from].code(int(row))
	}
	return out
}
