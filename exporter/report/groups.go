package report

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// MaxGroups bounds how many rows a grouping may give; they are held in memory
// until they are sorted.
const MaxGroups = 2_000_000

// ErrTooManyGroups reports a grouping with more than [MaxGroups] rows.
var ErrTooManyGroups = fmt.Errorf("the grouping has more than %d rows; narrow the filters, group by less, or take usage-ledger", MaxGroups)

// dimension is one of the things that facts are grouped by. It numbers its
// values from 0 in the order in which they are met.
type dimension interface {
	fields() FieldSet
	// number writes each fact's value number to codes.
	number(facts *Facts, codes []uint32)
	// compare orders two value numbers for the output.
	compare(a, b uint32) int
	// add appends a value to a column of the output.
	add(b *Builder, column int, code uint32)
}

// groups counts facts and adds up their amounts by one or more dimensions.
type groups struct {
	dimensions []dimension
	pairs      []pairing // pairs[i] joins the groups of dimensions[:i+1] with dimensions[i+1]
	events     []int64
	amounts    []int64
	ids, codes []uint32 // scratch, one per fact of a batch
}

func newGroups(dimensions []dimension) *groups {
	return &groups{dimensions: dimensions, pairs: make([]pairing, len(dimensions)-1)}
}

func (g *groups) scan(ctx context.Context, source Source, match Match) error {
	var fields FieldSet
	for _, d := range g.dimensions {
		fields |= d.fields()
	}
	for facts, err := range source.Activities(ctx, Scan{Match: match, Fields: fields}) {
		if err != nil {
			return err
		}
		if err := g.add(facts); err != nil {
			return err
		}
	}
	return nil
}

func (g *groups) add(facts *Facts) error {
	n := facts.Len()
	g.ids, g.codes = slices.Grow(g.ids[:0], n)[:n], slices.Grow(g.codes[:0], n)[:n]
	g.dimensions[0].number(facts, g.ids)
	for i := range g.pairs {
		g.dimensions[i+1].number(facts, g.codes)
		g.pairs[i].join(g.ids, g.codes)
	}
	for row, id := range g.ids {
		if int(id) >= len(g.events) {
			if id >= MaxGroups {
				return ErrTooManyGroups
			}
			g.events = append(g.events, make([]int64, int(id)+1-len(g.events))...)
			g.amounts = append(g.amounts, make([]int64, int(id)+1-len(g.amounts))...)
		}
		sum, err := AddInt(g.amounts[id], facts.Amount[row])
		if err != nil {
			return err
		}
		g.events[id]++
		g.amounts[id] = sum
	}
	return nil
}

// rows hands out the groups, sorted.
func (g *groups) rows(columns []Column, yield func(Batch, error) bool) {
	order := make([]uint32, len(g.events))
	for id := range order {
		order[id] = uint32(id)
	}
	slices.SortFunc(order, g.compare)
	b := NewBuilder(columns)
	for _, id := range order {
		for i := range g.dimensions {
			g.dimensions[i].add(b, i, g.code(id, i))
		}
		b.Int(len(g.dimensions), g.events[id])
		b.Int(len(g.dimensions)+1, g.amounts[id])
		if b.EndRow() && !yield(b.Take(), nil) {
			return
		}
	}
	if b.Len() > 0 {
		yield(b.Take(), nil)
	}
}

func (g *groups) compare(a, b uint32) int {
	for i, d := range g.dimensions {
		if c := d.compare(g.code(a, i), g.code(b, i)); c != 0 {
			return c
		}
	}
	return 0
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

// numbering numbers the values that are met.
type numbering[V cmp.Ordered] struct {
	numbers map[V]uint32
	values  []V
}

func (n *numbering[V]) number(value V) uint32 {
	number, ok := n.numbers[value]
	if !ok {
		if n.numbers == nil {
			n.numbers = map[V]uint32{}
		}
		number = uint32(len(n.values))
		n.numbers[value] = number
		n.values = append(n.values, value)
	}
	return number
}

func (n *numbering[V]) compare(a, b uint32) int { return cmp.Compare(n.values[a], n.values[b]) }

// textDimension groups by a text field.
type textDimension struct {
	numbering[string]
	field  Field
	global []uint32 // scratch: the numbers of a batch's own values, once they are met
}

func (d *textDimension) fields() FieldSet { return SetOf(d.field) }

func (d *textDimension) number(facts *Facts, codes []uint32) {
	text := facts.Text[d.field]
	if text.Codes == nil {
		for i, value := range text.Values {
			codes[i] = d.numberOf(value)
		}
		return
	}
	const unmet = math.MaxUint32
	d.global = slices.Grow(d.global[:0], len(text.Values))[:len(text.Values)]
	for i := range d.global {
		d.global[i] = unmet
	}
	for i, code := range text.Codes {
		if d.global[code] == unmet {
			d.global[code] = d.numberOf(text.Values[code])
		}
		codes[i] = d.global[code]
	}
}

// numberOf copies a value that it keeps, for it lives longer than its batch.
func (d *textDimension) numberOf(value string) uint32 {
	if number, ok := d.numbers[value]; ok {
		return number
	}
	return d.numbering.number(strings.Clone(value))
}

func (d *textDimension) add(b *Builder, column int, code uint32) {
	b.String(column, d.values[code])
}

// bucketDimension groups by hour or day.
type bucketDimension struct {
	numbering[int64]
	buckets *buckets
}

func (d *bucketDimension) fields() FieldSet { return 0 }

func (d *bucketDimension) number(facts *Facts, codes []uint32) {
	last, code := Null, uint32(0)
	for i, ms := range facts.OccurredAt {
		if start := d.buckets.start(ms); start != last {
			last, code = start, d.numbering.number(start)
		}
		codes[i] = code
	}
}

func (d *bucketDimension) add(b *Builder, column int, code uint32) {
	b.Int(column, d.values[code])
}
