package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// MaxGroups bounds how many rows a grouping may give; they are held in memory
// until they are sorted.
const MaxGroups = 2_000_000

// groupLimit is MaxGroups, but in tests.
var groupLimit = MaxGroups

// ErrTooManyGroups reports a grouping with more than [MaxGroups] rows.
var ErrTooManyGroups = fmt.Errorf("the grouping has more than %d rows; narrow the filters, group by less, or take usage-ledger", MaxGroups)

// groups groups facts by one or more dimensions and takes measures of each
// group.
type groups struct {
	dimensions []dimension
	measures   []measure
	pairs      []pairing // pairs[i] joins the groups of dimensions[:i+1] with dimensions[i+1]
	size       int       // the number of groups
	limit      int       // on size
	ids, codes []uint32  // scratch, one per fact of a batch
}

func newGroups(dimensions []dimension, measures ...measure) *groups {
	return &groups{dimensions: dimensions, measures: measures, limit: groupLimit, pairs: make([]pairing, len(dimensions)-1)}
}

// columns are those of the dimensions, then one per measure.
func (g *groups) columns() (columns []Column) {
	for _, d := range g.dimensions {
		columns = append(columns, d.columns()...)
	}
	for _, m := range g.measures {
		columns = append(columns, m.column)
	}
	return columns
}

// section is the table of the groups, without rows.
func (g *groups) section(name string) Section {
	s := Section{Name: name, Columns: g.columns()}
	for _, d := range g.dimensions {
		s.Key = append(s.Key, d.key()...)
	}
	return s
}

func (g *groups) fields() (fields FieldSet) {
	for _, d := range g.dimensions {
		fields |= d.fields()
	}
	for _, m := range g.measures {
		fields |= m.fields
	}
	return fields
}

// scan reads the activities once for all of these groupings.
func scan(ctx context.Context, source Source, match Match, all ...*groups) error {
	var fields FieldSet
	for _, g := range all {
		fields |= g.fields()
	}
	for facts, err := range source.Activities(ctx, Scan{Match: match, Fields: fields}) {
		if err != nil {
			return err
		}
		for _, g := range all {
			if err := g.add(facts); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *groups) add(facts *Facts) error {
	n := facts.Len()
	if n == 0 {
		return nil
	}
	g.ids, g.codes = slices.Grow(g.ids[:0], n)[:n], slices.Grow(g.codes[:0], n)[:n]
	g.dimensions[0].number(facts, g.ids)
	for i := range g.pairs {
		g.dimensions[i+1].number(facts, g.codes)
		g.pairs[i].join(g.ids, g.codes)
	}
	if err := g.grow(int(slices.Max(g.ids)) + 1); err != nil {
		return err
	}
	for i := range g.measures {
		if err := g.measures[i].add(facts, g.ids); err != nil {
			return err
		}
	}
	return nil
}

// grow makes room for so many groups at least.
func (g *groups) grow(size int) error {
	if size <= g.size {
		return nil
	}
	if size > g.limit {
		return ErrTooManyGroups
	}
	g.size = size
	for i := range g.measures {
		g.measures[i].grow(size)
	}
	return nil
}

// rows streams the groups, sorted.
func (g *groups) rows(yield func(Batch, error) bool) {
	ranks := make([]ranking, len(g.dimensions))
	for i, d := range g.dimensions {
		ranks[i] = g.rank(i, d)
	}
	order := make([]uint32, g.size)
	for id := range order {
		order[id] = uint32(id)
	}
	slices.SortFunc(order, func(a, b uint32) int {
		for i := range ranks {
			if c := cmp.Compare(ranks[i].of[a], ranks[i].of[b]); c != 0 {
				return c
			}
		}
		return 0
	})
	b := NewBuilder(g.columns())
	for _, id := range order {
		g.row(b, id, ranks)
		if b.EndRow() && !yield(b.Take(), nil) {
			return
		}
	}
	if b.Len() > 0 {
		yield(b.Take(), nil)
	}
}

func (g *groups) row(b *Builder, id uint32, ranks []ranking) {
	column := 0
	for i, d := range g.dimensions {
		d.add(b, column, ranks[i].values[ranks[i].of[id]])
		column += len(d.columns())
	}
	for i := range g.measures {
		b.Int(column+i, g.measures[i].totals[id])
	}
}

// ranking is the order of the groups in one dimension: its values are sorted
// once, so that sorting the groups compares small integers.
type ranking struct {
	values []uint32 // value numbers, sorted
	of     []uint32 // per group, where its value stands in values
}

func (g *groups) rank(dimension int, d dimension) ranking {
	r := ranking{of: make([]uint32, g.size)}
	most := uint32(0)
	for id := range r.of {
		r.of[id] = g.code(uint32(id), dimension)
		most = max(most, r.of[id])
	}
	r.values = make([]uint32, most+1)
	for code := range r.values {
		r.values[code] = uint32(code)
	}
	slices.SortFunc(r.values, d.compare)
	place := make([]uint32, len(r.values))
	for rank, code := range r.values {
		place[code] = uint32(rank)
	}
	for id, code := range r.of {
		r.of[id] = place[code]
	}
	return r
}

// code is the value number of a group in one dimension.
func (g *groups) code(id uint32, dimension int) uint32 {
	for i := len(g.pairs) - 1; i >= 0; i-- {
		left, right := g.pairs[i].split(id)
		if i+1 == dimension {
			return right
		}
		id = left
	}
	return id
}

// pairing numbers the pairs of two numbers that are met.
type pairing struct {
	numbers map[uint64]uint32
	pairs   []uint64
}

// join replaces each number on the left by the number of its pair.
func (p *pairing) join(left, right []uint32) {
	if p.numbers == nil {
		p.numbers = map[uint64]uint32{}
	}
	for i, l := range left {
		pair := uint64(l)<<32 | uint64(right[i])
		number, ok := p.numbers[pair]
		if !ok {
			number = uint32(len(p.pairs))
			p.numbers[pair] = number
			p.pairs = append(p.pairs, pair)
		}
		left[i] = number
	}
}

func (p *pairing) split(number uint32) (left, right uint32) {
	pair := p.pairs[number]
	return uint32(pair >> 32), uint32(pair)
}
