package ledger

import (
	"encoding/binary"
	"errors"
	"math"

	"licensekit/exporter/report"
)

// Integer columns. The first byte is the width of a value in bytes (0 for a
// constant column, 1, 2, 4, 8), plus nullable where the largest code of that
// width stands for [report.Null]. Then comes the base as 8 bytes, to which
// every code adds, and the codes. All integers are little-endian.
const (
	nullable  = 0x80
	intHeader = 9
)

var errColumn = errors.New("the column is malformed")

// ints reads an integer column in place.
type ints struct {
	base  int64
	width int
	null  int64 // the decoded form of the code for Null; base where there is none
	holes bool  // null is in use
	rows  int
	data  []byte
}

// appendInts encodes a column in the narrowest form that holds it.
func appendInts(dst []byte, values []int64) []byte {
	low, high, holes := bounds(values)
	width := widthOf(uint64(high)-uint64(low), holes)
	switch {
	case low > high: // nothing but Null
		low, width, holes = report.Null, 0, false
	case width == 8:
		low, holes = 0, false // as they are: Null is a number of its own
	}
	form := byte(width)
	if holes {
		form |= nullable
	}
	dst = binary.LittleEndian.AppendUint64(append(dst, form), uint64(low))
	return appendCodes(dst, values, low, width)
}

// bounds finds the extremes of the values that are not Null.
func bounds(values []int64) (low, high int64, holes bool) {
	low, high = math.MaxInt64, math.MinInt64
	for _, v := range values {
		if v == report.Null {
			holes = true
			continue
		}
		low, high = min(low, v), max(high, v)
	}
	return low, high, holes
}

func widthOf(spread uint64, holes bool) int {
	if spread == 0 && !holes {
		return 0
	}
	for _, width := range []int{1, 2, 4} {
		largest := uint64(1)<<(8*width) - 1
		if spread < largest || spread == largest && !holes {
			return width
		}
	}
	return 8
}

func appendCodes(dst []byte, values []int64, low int64, width int) []byte {
	for _, v := range values {
		code := uint64(v) - uint64(low)
		if v == report.Null && width < 8 {
			code = math.MaxUint64
		}
		switch width {
		case 1:
			dst = append(dst, byte(code))
		case 2:
			dst = binary.LittleEndian.AppendUint16(dst, uint16(code))
		case 4:
			dst = binary.LittleEndian.AppendUint32(dst, uint32(code))
		case 8:
			dst = binary.LittleEndian.AppendUint64(dst, code)
		}
	}
	return dst
}

// openInts checks that a column of that many rows is well formed.
func openInts(data []byte, rows int) (ints, error) {
	if len(data) < intHeader {
		return ints{}, errColumn
	}
	c := ints{
		base:  int64(binary.LittleEndian.Uint64(data[1:])),
		width: int(data[0] &^ nullable),
		holes: data[0]&nullable != 0,
		rows:  rows,
		data:  data[intHeader:],
	}
	switch c.width {
	case 0, 1, 2, 4, 8:
	default:
		return ints{}, errColumn
	}
	if len(c.data) != rows*c.width || c.holes && (c.width == 0 || c.width == 8) {
		return ints{}, errColumn
	}
	if c.holes {
		c.null = c.base + int64(uint64(1)<<(8*c.width)-1)
	}
	return c, nil
}

func (c *ints) at(row int) int64 {
	v := c.base
	switch c.width {
	case 1:
		v += int64(c.data[row])
	case 2:
		v += int64(binary.LittleEndian.Uint16(c.data[2*row:]))
	case 4:
		v += int64(binary.LittleEndian.Uint32(c.data[4*row:]))
	case 8:
		v += int64(binary.LittleEndian.Uint64(c.data[8*row:]))
	}
	if c.holes && v == c.null {
		return report.Null
	}
	return v
}

// pick decodes some rows.
func (c *ints) pick(rows []uint32) []int64 {
	out := make([]int64, len(rows))
	for i, row := range rows {
		out[i] = c.at(int(row))
	}
	return out
}

// all decodes the column.
func (c *ints) all() []int64 {
	out := make([]int64, c.rows)
	c.decode(out, 0)
	return out
}

// decode decodes rows from one on, as many as out holds. One loop per width, so
// that none has a branch in it: this is where a scan spends its time.
func (c *ints) decode(out []int64, from int) {
	base, data := c.base, c.data[from*c.width:]
	switch c.width {
	case 0:
		for i := range out {
			out[i] = base
		}
	case 1:
		for i, code := range data[:len(out)] {
			out[i] = base + int64(code)
		}
	case 2:
		for i := range out {
			out[i] = base + int64(binary.LittleEndian.Uint16(data[2*i:]))
		}
	case 4:
		for i := range out {
			out[i] = base + int64(binary.LittleEndian.Uint32(data[4*i:]))
		}
	case 8:
		for i := range out {
			out[i] = base + int64(binary.LittleEndian.Uint64(data[8*i:]))
		}
	}
	if c.holes {
		punch(out, c.null)
	}
}

// punch puts Null where the code for it was decoded as a number.
func punch(values []int64, null int64) {
	for i, v := range values {
		if v == null {
			values[i] = report.Null
		}
	}
}
