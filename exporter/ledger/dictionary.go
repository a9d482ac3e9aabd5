package ledger

import (
	"encoding/binary"
	"hash/maphash"
	"math"
)

// tableSize keeps the table that finds entries at most half full: a block has
// at most BlockRows distinct texts, and their codes fit in two bytes.
const tableSize = 2 * BlockRows

// probe is the number of rows after which a column that hardly repeats is
// given up on and stored plain.
const probe = 512

// dictionary gathers the distinct texts of a column in the order in which they
// first appear, so that equal rows always give equal bytes.
type dictionary struct {
	seed    maphash.Seed // places entries in the table; leaves no trace in the result
	table   [tableSize]uint16
	entries []string
	codes   []uint16
	size    int // bytes of the entries
}

// appendTexts encodes a column in its shortest form.
func (d *dictionary) appendTexts(dst []byte, values []string) []byte {
	size, equal := 0, true
	for _, v := range values {
		size += len(v)
		equal = equal && len(v) == len(values[0])
	}
	direct := 4*(len(values)+1) + size
	if equal {
		direct = 4 + size
	}
	repeats := d.gather(values)
	switch {
	case repeats && len(d.entries) == 1:
		return append(append(dst, textConstant), values[0]...)
	case repeats && d.cost(len(values)) < direct:
		return d.appendCoded(dst)
	case equal:
		dst = binary.LittleEndian.AppendUint32(append(dst, textFixed), uint32(len(values[0])))
		return appendAll(dst, values)
	}
	return appendAll(appendOffsets(append(dst, textPlain), values), values)
}

// gather assigns the codes; false says that the texts hardly repeat.
func (d *dictionary) gather(values []string) bool {
	clear(d.table[:])
	d.entries, d.codes, d.size = d.entries[:0], d.codes[:0], 0
	var last uint16
	for i, v := range values {
		if i == 0 || v != d.entries[last] {
			last = d.code(v)
		}
		d.codes = append(d.codes, last)
		if i == probe && len(d.entries) > probe/8*7 {
			return false
		}
	}
	return true
}

// code finds a text in the table or adds it. The table holds codes + 1.
func (d *dictionary) code(text string) uint16 {
	for slot := maphash.String(d.seed, text) % tableSize; ; slot = (slot + 1) % tableSize {
		known := d.table[slot]
		if known == 0 {
			d.entries = append(d.entries, text)
			d.size += len(text)
			d.table[slot] = uint16(len(d.entries))
			return uint16(len(d.entries) - 1)
		}
		if d.entries[known-1] == text {
			return known - 1
		}
	}
}

func (d *dictionary) form() byte {
	if len(d.entries) <= math.MaxUint8+1 {
		return textCoded1
	}
	return textCoded2
}

// cost is the size of the coded form.
func (d *dictionary) cost(rows int) int {
	return 4 + 4*(len(d.entries)+1) + d.size + rows*int(d.form()-textCoded1+1)
}

func (d *dictionary) appendCoded(dst []byte) []byte {
	form := d.form()
	dst = binary.LittleEndian.AppendUint32(append(dst, form), uint32(len(d.entries)))
	dst = appendAll(appendOffsets(dst, d.entries), d.entries)
	for _, code := range d.codes {
		if dst = append(dst, byte(code)); form == textCoded2 {
			dst = append(dst, byte(code>>8))
		}
	}
	return dst
}

func appendOffsets(dst []byte, values []string) []byte {
	offset := uint32(0)
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint32(dst, offset)
		offset += uint32(len(v))
	}
	return binary.LittleEndian.AppendUint32(dst, offset)
}

func appendAll(dst []byte, values []string) []byte {
	for _, v := range values {
		dst = append(dst, v...)
	}
	return dst
}
