package ledger

import (
	"encoding/binary"
	"hash/maphash"
	"math"

	"licensekit/exporter/report"
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

	// Of all texts of the column:
	total int  // bytes
	equal bool // they have the same length
}

// appendTexts encodes a text column of some rows in its shortest form. It reads
// the texts where they are: gathering them first would cost more than reading
// the few columns twice that are not coded.
func (d *dictionary) appendTexts(dst []byte, rows []row, field report.Field) []byte {
	repeats := d.gather(rows, field)
	direct := 4*(len(rows)+1) + d.total
	if d.equal {
		direct = 4 + d.total
	}
	first := rows[0].Text[field]
	switch {
	case repeats && len(d.entries) == 1:
		return append(append(dst, textConstant), first...)
	case repeats && d.cost(len(rows)) < direct:
		return d.appendCoded(dst)
	case d.equal:
		dst = binary.LittleEndian.AppendUint32(append(dst, textFixed), uint32(len(first)))
	default:
		dst = appendOffsets(append(dst, textPlain), len(rows), func(i int) int { return len(rows[i].Text[field]) })
	}
	for i := range rows {
		dst = append(dst, rows[i].Text[field]...)
	}
	return dst
}

// gather measures the texts and assigns their codes; false says that they
// hardly repeat, and then there are no codes.
func (d *dictionary) gather(rows []row, field report.Field) bool {
	clear(d.table[:])
	d.entries, d.codes, d.size = d.entries[:0], d.codes[:0], 0
	d.total, d.equal = 0, true
	first, repeats, last := rows[0].Text[field], true, uint16(0)
	for i := range rows {
		text := rows[i].Text[field]
		d.total += len(text)
		d.equal = d.equal && len(text) == len(first)
		if !repeats {
			continue
		}
		if i == 0 || text != d.entries[last] {
			last = d.code(text)
		}
		d.codes = append(d.codes, last)
		repeats = i != probe || len(d.entries) <= probe/8*7
	}
	return repeats
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
	dst = appendOffsets(dst, len(d.entries), func(i int) int { return len(d.entries[i]) })
	for _, entry := range d.entries {
		dst = append(dst, entry...)
	}
	for _, code := range d.codes {
		if dst = append(dst, byte(code)); form == textCoded2 {
			dst = append(dst, byte(code>>8))
		}
	}
	return dst
}

// appendOffsets writes where texts of the given lengths begin, and the end.
func appendOffsets(dst []byte, count int, length func(i int) int) []byte {
	offset := 0
	for i := range count {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(offset))
		offset += length(i)
	}
	return binary.LittleEndian.AppendUint32(dst, uint32(offset))
}
