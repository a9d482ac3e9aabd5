package ledger

import (
	"encoding/binary"
	"math"
	"unsafe"

	"licensekit/exporter/report"
)

// Text columns. The first byte is the form:
//
//	constant    the text, to the end
//	fixed       length (4 bytes), then the texts, all of that length
//	plain       an offset (4 bytes) per text and one for the end, then the texts
//	coded1      entries (4 bytes), their offsets and texts as in plain,
//	            then a code of 1 byte per row
//	coded2      the same with codes of 2 bytes
//
// The shortest of them is used; what repeats is coded.
const (
	textConstant = iota
	textFixed
	textPlain
	textCoded1
	textCoded2
)

// texts reads a text column in place.
type texts struct {
	form    byte
	rows    int
	length  int          // of each text of a fixed column
	offsets []byte       // of a plain column's texts or a coded column's dictionary
	data    []byte       // the bytes of the texts
	codes   []byte       // of a coded column
	entries report.Texts // the dictionary, made when first asked for
	asked   bool         // whether the next is known
	clean   bool         // each text that the column stores is
}

// openTexts checks a column of that many rows, so that reading it can't fail.
func openTexts(data []byte, rows int) (texts, error) {
	if len(data) == 0 {
		return texts{}, errColumn
	}
	c := texts{form: data[0], rows: rows, data: data[1:]}
	switch c.form {
	case textConstant:
		return c, nil
	case textFixed:
		return c, c.openFixed()
	case textPlain:
		return c, c.openOffsets(rows)
	case textCoded1, textCoded2:
		return c, c.openCoded()
	}
	return c, errColumn
}

func (c *texts) openFixed() error {
	if len(c.data) < 4 {
		return errColumn
	}
	length := binary.LittleEndian.Uint32(c.data)
	c.data = c.data[4:]
	if uint64(length)*uint64(c.rows) != uint64(len(c.data)) {
		return errColumn
	}
	c.length = int(length)
	return nil
}

func (c *texts) openOffsets(count int) error {
	size := 4 * (count + 1)
	if len(c.data) < size {
		return errColumn
	}
	c.offsets, c.data = c.data[:size], c.data[size:]
	previous := binary.LittleEndian.Uint32(c.offsets)
	falls := previous != 0
	for at := 4; at < size; at += 4 {
		next := binary.LittleEndian.Uint32(c.offsets[at:])
		falls = falls || next < previous
		previous = next
	}
	if falls || uint64(previous) != uint64(len(c.data)) {
		return errColumn
	}
	return nil
}

func (c *texts) openCoded() error {
	width := c.codeWidth()
	if len(c.data) < 4+width*c.rows {
		return errColumn
	}
	count := binary.LittleEndian.Uint32(c.data)
	split := len(c.data) - width*c.rows
	c.codes, c.data = c.data[split:], c.data[4:split]
	if count > math.MaxUint16+1 || c.largestCode() >= count {
		return errColumn
	}
	return c.openOffsets(int(count))
}

func (c *texts) codeWidth() int { return int(c.form-textCoded1) + 1 }

func (c *texts) coded() bool { return c.form >= textCoded1 }

func (c *texts) largestCode() (largest uint32) {
	if c.form == textCoded1 {
		for _, code := range c.codes {
			largest = max(largest, uint32(code))
		}
		return largest
	}
	for at := 0; at+2 <= len(c.codes); at += 2 {
		largest = max(largest, uint32(binary.LittleEndian.Uint16(c.codes[at:])))
	}
	return largest
}

// code is the dictionary code of a row; a constant column has the code 0 alone.
func (c *texts) code(row int) uint32 {
	switch c.form {
	case textCoded1:
		return uint32(c.codes[row])
	case textCoded2:
		return uint32(binary.LittleEndian.Uint16(c.codes[2*row:]))
	}
	return 0
}

func (c *texts) at(row int) string {
	switch c.form {
	case textConstant:
		return inPlace(c.data)
	case textFixed:
		return inPlace(c.data[row*c.length : (row+1)*c.length])
	case textPlain:
		return c.slot(row)
	}
	return c.slot(int(c.code(row)))
}

// slot is the text between two offsets.
func (c *texts) slot(i int) string {
	return inPlace(c.data[c.offset(i):c.offset(i+1)])
}

// offset is where a text begins.
func (c *texts) offset(i int) uint32 { return binary.LittleEndian.Uint32(c.offsets[4*i:]) }

// dictionary lists the texts of a coded or constant column.
func (c *texts) dictionary() report.Texts {
	if c.entries.Len() == 0 {
		c.entries = c.list()
	}
	return c.entries
}

// list gives what the column stores, in place: each text of a plain or fixed
// column, the dictionary of another.
func (c *texts) list() report.Texts {
	var bounds []uint32
	switch c.form {
	case textConstant:
		bounds = []uint32{0, uint32(len(c.data))}
	case textFixed:
		bounds = make([]uint32, c.rows+1)
		for i := range bounds {
			bounds[i] = uint32(i * c.length)
		}
	default:
		bounds = make([]uint32, len(c.offsets)/4)
		for i := range bounds {
			bounds[i] = binary.LittleEndian.Uint32(c.offsets[4*i:])
		}
	}
	return report.Texts{All: inPlace(c.data), Bounds: bounds}
}

// dictionarySize is how many texts the dictionary lists; ok says that there is
// one.
func (c *texts) dictionarySize() (size int, ok bool) {
	if c.form == textConstant {
		return 1, true
	}
	return len(c.offsets)/4 - 1, c.coded()
}

// zeros are the codes of constant columns, shared by all of them. Batches are
// never changed, so this is never written.
var zeros [BlockRows]uint32

// all gives the whole column.
func (c *texts) all() report.Coded {
	if _, ok := c.dictionarySize(); !ok {
		return report.Coded{Values: c.list()}
	}
	values := c.dictionary()
	if c.form == textConstant {
		return report.Coded{Values: values, Codes: zeros[:c.rows]}
	}
	codes := make([]uint32, c.rows)
	c.decode(codes, 0, 0)
	return report.Coded{Values: values, Codes: codes}
}

// decode gives the codes of rows from one on, as many as out holds, with a
// number added to each.
func (c *texts) decode(out []uint32, from int, start uint32) {
	switch c.form {
	case textCoded1:
		for i, code := range c.codes[from : from+len(out)] {
			out[i] = start + uint32(code)
		}
	case textCoded2:
		codes := c.codes[2*from:]
		for i := range out {
			out[i] = start + uint32(binary.LittleEndian.Uint16(codes[2*i:]))
		}
	default:
		for i := range out {
			out[i] = start
		}
	}
}

// isClean tells whether the texts that the column stores are clean, as those
// of [report.Texts] are.
func (c *texts) isClean() bool {
	if !c.asked {
		c.asked, c.clean = true, c.startsAreClean() && report.CleanRest(inPlace(c.data))
	}
	return c.clean
}

func (c *texts) startsAreClean() bool {
	switch c.form {
	case textConstant:
		return report.CleanStart(c.data)
	case textFixed:
		for at := 0; at < len(c.data); at += c.length {
			if !report.CleanStart(c.data[at : at+c.length]) {
				return false
			}
		}
		return c.length > 0
	}
	from := uint32(0)
	for i := 1; 4*i < len(c.offsets); i++ {
		to := c.offset(i)
		if !report.CleanStart(c.data[from:to]) {
			return false
		}
		from = to
	}
	return true
}

// copy adds rows, from one to before another, to a list.
func (c *texts) copy(list *textList, from, to int) {
	start := uint32(list.all.Len())
	switch c.form {
	case textFixed:
		list.all.WriteString(inPlace(c.data[from*c.length : to*c.length]))
		for i := 1; i <= to-from; i++ {
			list.bounds = append(list.bounds, start+uint32(i*c.length))
		}
	case textPlain:
		first, last := c.offset(from), c.offset(to)
		list.all.WriteString(inPlace(c.data[first:last]))
		for i := from + 1; i <= to; i++ {
			list.bounds = append(list.bounds, start+c.offset(i)-first)
		}
	case textCoded2:
		for at := 2 * from; at < 2*to; at += 2 {
			list.add(c.slot(int(binary.LittleEndian.Uint16(c.codes[at:]))))
		}
	default:
		for row := from; row < to; row++ {
			list.add(c.at(row))
		}
	}
}

// pick gives some rows of the column, at most BlockRows.
func (c *texts) pick(rows []uint32) report.Coded {
	if _, ok := c.dictionarySize(); !ok {
		values := make([]string, len(rows))
		for i, row := range rows {
			values[i] = c.at(int(row))
		}
		return report.Coded{Values: report.ListTexts(values...)}
	}
	if c.form == textConstant {
		return report.Coded{Values: c.dictionary(), Codes: zeros[:len(rows)]}
	}
	codes := make([]uint32, len(rows))
	for i, row := range rows {
		codes[i] = c.code(int(row))
	}
	return report.Coded{Values: c.dictionary(), Codes: codes}
}

// inPlace reads bytes as text without copying them. The bytes are those of the
// mapped file (or of a tail that was encoded in memory): nobody writes to them
// while the transaction is open that they were read in, and no text may be used
// after it. That is the life of a batch that [report.Source] promises.
func inPlace(data []byte) string {
	return unsafe.String(unsafe.SliceData(data), len(data))
}
