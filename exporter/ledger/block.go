package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/maphash"
	"sync"

	"licensekit/exporter/report"
)

// BlockRows is the most activities that a block holds, and so the longest
// batch that a [Snapshot] hands out.
const BlockRows = 8192

// A block holds activities with consecutive sequences, by column:
//
//	 0  CRC32C of the rest of the header (4 bytes)
//	 4  version, number of columns, two zero bytes
//	 8  the first sequence
//	16  the least occurred_at
//	24  the greatest occurred_at
//	32  rows (4 bytes)
//	36  per column: where it ends, counted from the end of the header, and the
//	    CRC32C of its bytes (4 bytes each)
//
// and then the columns, integers first. Integers are little-endian. A reader
// checks the columns that it touches and leaves the others alone.
const (
	blockVersion = 1
	directory    = 36
	blockHeader  = directory + 8*numColumns
)

// The integer columns; text field f is column numInts+f. The sequence is not
// stored: it is the block's first one plus the row.
const (
	columnOccurred = iota
	columnReceived
	columnAmount
	columnStatus
	columnInferred
	numInts
)

const numColumns = int(numInts) + report.NumFields

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

var (
	errChecksum  = errors.New("the checksum does not match")
	errHeader    = errors.New("the header is malformed")
	errMalformed = errors.New("the value is malformed")
)

// row is an activity on its way into the ledger. What the ledger adds stands
// beside it, so that the caller's activity needs neither be changed nor copied;
// where ids were inferred, it is a copy that has them.
type row struct {
	*report.Activity
	received int64
	inferred report.FieldSet
}

// storedRow is an activity that has all of that in itself.
func storedRow(a *report.Activity) row { return row{a, a.ReceivedAt, a.Inferred} }

func storedRows(list []report.Activity) []row {
	rows := make([]row, len(list))
	for i := range list {
		rows[i] = storedRow(&list[i])
	}
	return rows
}

// encoders keeps encoders for later use.
var encoders = sync.Pool{New: func() any { return newEncoder() }}

// encoder makes blocks. One is used by one goroutine at a time.
type encoder struct {
	dictionary dictionary
	ints       []int64
	buffer     []byte
}

func newEncoder() *encoder {
	return &encoder{dictionary: dictionary{seed: maphash.MakeSeed()}}
}

// encode makes a block of 1 to BlockRows activities, the first of which has the
// given sequence. Equal activities give equal bytes. The result is the
// caller's.
func (e *encoder) encode(first int64, rows []row) []byte {
	e.buffer = append(e.buffer[:0], make([]byte, blockHeader)...)
	for column := range numColumns {
		start := len(e.buffer)
		if column < numInts {
			e.gatherInts(rows, column)
			e.buffer = appendInts(e.buffer, e.ints)
		} else {
			e.buffer = e.dictionary.appendTexts(e.buffer, rows, report.Field(column-numInts))
		}
		slot := e.buffer[directory+8*column:]
		binary.LittleEndian.PutUint32(slot, uint32(len(e.buffer)-blockHeader))
		binary.LittleEndian.PutUint32(slot[4:], checksum(e.buffer[start:]))
	}
	e.putHeader(first, rows)
	clear(e.dictionary.entries) // the rows' texts are not ours to keep
	return append(make([]byte, 0, len(e.buffer)), e.buffer...)
}

func (e *encoder) gatherInts(rows []row, column int) {
	e.ints = e.ints[:0]
	for i := range rows {
		e.ints = append(e.ints, rows[i].integer(column))
	}
}

func (r *row) integer(column int) int64 {
	switch column {
	case columnOccurred:
		return r.OccurredAt
	case columnReceived:
		return r.received
	case columnAmount:
		return r.Amount
	case columnStatus:
		return r.StatusCode
	}
	return int64(r.inferred)
}

func (e *encoder) putHeader(first int64, rows []row) {
	low, high := rows[0].OccurredAt, rows[0].OccurredAt
	for i := range rows {
		low, high = min(low, rows[i].OccurredAt), max(high, rows[i].OccurredAt)
	}
	h := e.buffer[:blockHeader]
	h[4], h[5] = blockVersion, byte(numColumns)
	binary.LittleEndian.PutUint64(h[8:], uint64(first))
	binary.LittleEndian.PutUint64(h[16:], uint64(low))
	binary.LittleEndian.PutUint64(h[24:], uint64(high))
	binary.LittleEndian.PutUint32(h[32:], uint32(len(rows)))
	binary.LittleEndian.PutUint32(h, checksum(h[4:]))
}

// block reads a block in place. Columns are checked when first used.
type block struct {
	data     []byte
	first    int64
	low      int64 // the least occurred_at
	high     int64 // the greatest
	rows     int
	verified uint32 // columns whose checksum was found right
	opened   uint32
	ints     [numInts]ints
	texts    [report.NumFields]texts
}

// openBlock checks the header alone.
func openBlock(data []byte) (*block, error) {
	if len(data) < blockHeader {
		return nil, errHeader
	}
	if binary.LittleEndian.Uint32(data) != checksum(data[4:blockHeader]) {
		return nil, errChecksum
	}
	if data[4] != blockVersion || int(data[5]) != numColumns || data[6]|data[7] != 0 {
		return nil, fmt.Errorf("block version %d with %d columns is not known", data[4], data[5])
	}
	b := &block{
		data:  data,
		first: int64(binary.LittleEndian.Uint64(data[8:])),
		low:   int64(binary.LittleEndian.Uint64(data[16:])),
		high:  int64(binary.LittleEndian.Uint64(data[24:])),
		rows:  int(binary.LittleEndian.Uint32(data[32:])),
	}
	if b.first < 1 || b.low > b.high || b.rows < 1 || b.rows > BlockRows || !b.directoryFits() {
		return nil, errHeader
	}
	return b, nil
}

func (b *block) directoryFits() bool {
	end := uint32(0)
	for column := range numColumns {
		next := b.end(column)
		if next < end {
			return false
		}
		end = next
	}
	return uint64(end) == uint64(len(b.data)-blockHeader)
}

func (b *block) end(column int) uint32 {
	if column < 0 {
		return 0
	}
	return binary.LittleEndian.Uint32(b.data[directory+8*column:])
}

// column gives the bytes of a column after checking them once.
func (b *block) column(column int) ([]byte, error) {
	data := b.data[blockHeader:][b.end(column-1):b.end(column)]
	if b.verified&(1<<column) == 0 {
		if checksum(data) != binary.LittleEndian.Uint32(b.data[directory+8*column+4:]) {
			return nil, fmt.Errorf("column %d: %w", column, errChecksum)
		}
		b.verified |= 1 << column
	}
	return data, nil
}

// checkColumns compares all columns with their checksums.
func (b *block) checkColumns() error {
	for column := range numColumns {
		if _, err := b.column(column); err != nil {
			return err
		}
	}
	return nil
}

// integers opens an integer column.
func (b *block) integers(column int) (*ints, error) {
	if b.opened&(1<<column) != 0 {
		return &b.ints[column], nil
	}
	data, err := b.column(column)
	if err != nil {
		return nil, err
	}
	if b.ints[column], err = openInts(data, b.rows); err != nil {
		return nil, fmt.Errorf("column %d: %w", column, err)
	}
	b.opened |= 1 << column
	return &b.ints[column], nil
}

// text opens a text column.
func (b *block) text(field report.Field) (*texts, error) {
	column := numInts + int(field)
	if b.opened&(1<<column) != 0 {
		return &b.texts[field], nil
	}
	data, err := b.column(column)
	if err != nil {
		return nil, err
	}
	if b.texts[field], err = openTexts(data, b.rows); err != nil {
		return nil, fmt.Errorf("column %s: %w", field, err)
	}
	b.opened |= 1 << column
	return &b.texts[field], nil
}

// activity gathers a row; its text lies in the block.
func (b *block) activity(row int) (a report.Activity, err error) {
	a.Sequence = b.first + int64(row)
	var values [numInts]int64
	for column := range values {
		c, err := b.integers(column)
		if err != nil {
			return a, err
		}
		values[column] = c.at(row)
	}
	a.OccurredAt, a.ReceivedAt = values[columnOccurred], values[columnReceived]
	a.Amount, a.StatusCode = values[columnAmount], values[columnStatus]
	a.Inferred = report.FieldSet(values[columnInferred])
	for field := range a.Text {
		c, err := b.text(report.Field(field))
		if err != nil {
			return a, err
		}
		a.Text[field] = c.at(row)
	}
	return a, nil
}
