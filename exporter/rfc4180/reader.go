package rfc4180

import (
	"bytes"
	"fmt"
	"io"
)

// Options say what a [Reader] accepts. The zero value reads leniently, with
// commas and the default limit.
type Options struct {
	Delimiter byte // between fields; an ASCII character, 0 for ','
	MaxRecord int  // bytes of a record, quotes and line end included; 0 for DefaultMaxRecord
	Strict    bool // accept the written form alone; then the delimiter is ','
}

// DefaultMaxRecord is the limit on a record's bytes if the options set none.
const DefaultMaxRecord = 1 << 20

const byteOrderMark = "\xef\xbb\xbf"

// Reader reads records. It allocates nothing per record once its buffers have
// grown to the size of the records. It is for one goroutine.
type Reader struct {
	input     buffer
	delimiter byte
	limit     int
	strict    bool

	started bool
	line    int // of the first waiting byte
	current int // line where the current record started
	fields  int // in the first record; 0 before it
	err     error

	// About the record being split. The slices are reused by the next.
	record  [][]byte
	doubled []int // indices of fields in which quotes are still doubled
	field   int   // where the field being split starts, from the record's start
}

// NewReader reads from source, ahead of what was asked for. Options that make
// no sense are reported by the first Read.
func NewReader(source io.Reader, options Options) *Reader {
	r := &Reader{
		input:     buffer{source: source},
		delimiter: options.Delimiter,
		limit:     options.MaxRecord,
		strict:    options.Strict,
		line:      1,
		current:   1,
		err:       options.check(),
	}
	if r.delimiter == 0 {
		r.delimiter = ','
	}
	if r.limit == 0 {
		r.limit = DefaultMaxRecord
	}
	return r
}

func (o Options) check() error {
	switch c := o.Delimiter; {
	case c == '"', c == '\r', c == '\n', c >= 0x80:
		return fmt.Errorf("read csv: %q can't be a delimiter", c)
	case o.Strict && c != 0 && c != ',':
		return fmt.Errorf("read csv: delimiter %q: strict reading knows the comma only", c)
	case o.MaxRecord < 0:
		return fmt.Errorf("read csv: a record limit of %d bytes", o.MaxRecord)
	}
	return nil
}

// Read gives the next record. Its fields are valid until the next Read and may
// be changed by the caller.
//
// Errors: io.EOF after the last record; a [*SyntaxError]; whatever the source
// failed with, wrapped. Only a syntax error of lenient reading can be followed
// by more: Read again to go on behind the fault. All other errors repeat.
//
// Lenient reading gives a record that has more or fewer fields than the first
// one beside its error, for consumers that know what to make of it. With every
// other error the record is nil.
func (r *Reader) Read() (record [][]byte, err error) {
	r.start()
	for r.err == nil {
		window := r.window()
		size, fault := r.split(window)
		switch {
		case fault != nil:
			return nil, r.reject(fault)
		case size == incomplete:
			r.more(len(window))
		default:
			if r.accept(window[:size]); len(r.record) > 0 {
				return r.counted()
			}
		}
	}
	return nil, r.err
}

// Line is the line, counted from 1, on which the record (or the faulty record)
// of the last Read started.
func (r *Reader) Line() int { return r.current }

// InputOffset is the number of input bytes up to the end of the last Read's
// record, or up to where reading goes on after a fault.
func (r *Reader) InputOffset() int64 { return r.input.offset }

// start skips a byte order mark, once, when reading leniently.
func (r *Reader) start() {
	if r.started || r.err != nil {
		return
	}
	r.started = true
	r.input.fill(len(byteOrderMark))
	if !r.strict && bytes.HasPrefix(r.input.waiting(), []byte(byteOrderMark)) {
		r.input.consume(len(byteOrderMark))
	}
}

// accept consumes a record that was split, or a skipped empty line.
func (r *Reader) accept(raw []byte) {
	r.current = r.line
	r.advance(raw)
	for _, i := range r.doubled {
		r.record[i] = undouble(r.record[i])
	}
}

// counted gives the record that was accepted, with an error if its number of
// fields differs from the first one's.
func (r *Reader) counted() ([][]byte, error) {
	if r.fields == 0 {
		r.fields = len(r.record)
	}
	if len(r.record) == r.fields {
		return r.record, nil
	}
	err := &SyntaxError{Line: r.current, Column: 1, Problem: wrongCount(len(r.record), r.fields)}
	if r.strict {
		r.err = err
		return nil, err
	}
	return r.record, err
}

// reject ends strict reading, and moves lenient reading to the line after the
// one on which the faulty field started.
func (r *Reader) reject(fault *SyntaxError) error {
	r.current = r.line
	if r.strict {
		r.err = fault
		return fault
	}
	r.advance(r.input.waiting()[:r.field])
	for {
		waiting := r.input.waiting()
		if end := bytes.IndexByte(waiting, '\n'); end >= 0 {
			r.advance(waiting[:end+1])
			return fault
		}
		r.advance(waiting)
		if r.input.err != nil {
			return fault
		}
		r.input.fill(1)
	}
}

// advance consumes bytes and counts their lines.
func (r *Reader) advance(raw []byte) {
	r.line += bytes.Count(raw, []byte{'\n'})
	r.input.consume(len(raw))
}
