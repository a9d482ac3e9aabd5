package report

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// dimension is one of the things that facts are grouped by. It numbers its
// values from 0 in the order in which they are met.
type dimension interface {
	columns() []Column // of the output
	key() []string     // the columns in the order in which compare looks at them
	fields() FieldSet  // that number reads
	// number writes each fact's value number to codes.
	number(facts *Facts, codes []uint32)
	// compare orders two value numbers for the output.
	compare(a, b uint32) int
	// add appends a value to its columns of the output, from column on.
	add(b *Builder, column int, code uint32)
}

// numbering numbers the values that are met.
type numbering[V comparable] struct {
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

// textDimension groups by a text field.
type textDimension struct {
	numbering[string]
	field  Field
	global []uint32 // scratch: the numbers of a batch's own values, once they are met
}

func (d *textDimension) columns() []Column { return []Column{{Name: d.field.String(), Type: String}} }

func (d *textDimension) key() []string { return []string{d.field.String()} }

func (d *textDimension) fields() FieldSet { return SetOf(d.field) }

func (d *textDimension) number(facts *Facts, codes []uint32) {
	text := facts.Text[d.field]
	if text.Codes == nil {
		for i, value := range text.Values.Each() {
			codes[i] = d.numberOf(value)
		}
		return
	}
	const unmet = math.MaxUint32
	d.global = slices.Grow(d.global[:0], text.Values.Len())[:text.Values.Len()]
	for i := range d.global {
		d.global[i] = unmet
	}
	for i, code := range text.Codes {
		if d.global[code] == unmet {
			d.global[code] = d.numberOf(text.Values.At(int(code)))
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

func (d *textDimension) compare(a, b uint32) int { return strings.Compare(d.values[a], d.values[b]) }

func (d *textDimension) add(b *Builder, column int, code uint32) {
	b.String(column, d.values[code])
}

// bucketDimension groups by hour or day.
type bucketDimension struct {
	numbering[int64]
	buckets *buckets
}

func (d *bucketDimension) columns() []Column { return []Column{{Name: "bucket_start", Type: Time}} }

func (d *bucketDimension) key() []string { return []string{"bucket_start"} }

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

func (d *bucketDimension) compare(a, b uint32) int { return cmp.Compare(d.values[a], d.values[b]) }

func (d *bucketDimension) add(b *Builder, column int, code uint32) {
	b.Int(column, d.values[code])
}
