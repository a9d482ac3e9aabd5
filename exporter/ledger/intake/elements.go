package intake

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// readJSON reads an array of JSON objects, or one object. An element that is
// well-formed but wrong is a rejected row; where the file stops being JSON the
// reading ends.
func readJSON(in *source, w *writer) error {
	return readElements(in, w, newObjectRow(w).read)
}

// rowParser fills the row that was begun.
type rowParser func(data []byte) (bad *fault, malformed *syntaxError)

func readElements(in *source, w *writer, parse rowParser) error {
	text, err := in.text()
	if err != nil {
		return err
	}
	w.current.elements = true
	elements := elementReader{in: text, limit: w.limits.RowBytes, line: 1}
	for {
		data, err := elements.next()
		line := elements.started
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case elements.tooLong:
			err = w.reject(line, faultf(CodeMalformedRow, "is longer than %d bytes", elements.limit))
		default:
			err = w.element(data, line, parse)
		}
		if err != nil {
			return err
		}
	}
}

// element reads one element. Errors: *[FileError] where it is no JSON.
func (w *writer) element(data []byte, line int64, parse rowParser) error {
	w.start()
	bad, malformed := parse(data)
	if malformed == nil {
		return w.end(line, len(data), bad)
	}
	w.drop()
	at := line + int64(countLines(data[:malformed.pos]))
	return &FileError{Line: at, Code: CodeMalformedFile, Message: fmt.Sprintf("element %d: %s", w.row+1, malformed.problem),
		Hint: "the rows before it were read; as NDJSON, one object per line, a bad row costs only itself"}
}

// elementReader finds the elements of a JSON array by their brackets and
// quotes, without judging what is between them. Its memory is bounded by its
// limit.
type elementReader struct {
	in      *bufio.Reader
	limit   int
	line    int64 // of the next byte
	started int64 // line on which the last element starts
	tooLong bool  // the last element is beyond the limit and was passed over
	state   elementState
	data    []byte
}

type elementState uint8

const (
	beforeArray elementState = iota
	afterBracket
	afterElement
	afterObject // which stands alone, without an array
)

// next gives the next element, valid until the call after it. Errors: io.EOF
// behind the end of the array; *[FileError].
func (r *elementReader) next() ([]byte, error) {
	c, err := r.visible()
	switch {
	case r.state == beforeArray && err == io.EOF:
		return nil, &FileError{Code: CodeEmptyFile, Message: "the file is empty"}
	case r.state == beforeArray && err == nil && c == '{':
		r.state = afterObject
		return r.element(c)
	case r.state == beforeArray && err == nil && c == '[':
		r.state = afterBracket
		c, err = r.visible()
	case r.state == beforeArray && err == nil:
		return nil, r.malformed("the file begins with %q, where [ or { is due", c)
	case r.state == afterObject:
		return nil, r.end(c, err)
	}
	switch {
	case err != nil:
		return nil, r.broken(err)
	case c == ']':
		return nil, r.end(r.visible())
	case r.state == afterElement && c != ',':
		return nil, r.malformed("the array has %q where , or ] is due", c)
	case r.state == afterElement:
		if c, err = r.visible(); err != nil {
			return nil, r.broken(err)
		}
	}
	r.state = afterElement
	return r.element(c)
}

// end sees to it that nothing follows.
func (r *elementReader) end(c byte, err error) error {
	switch {
	case err == io.EOF:
		return io.EOF
	case err != nil:
		return r.broken(err)
	}
	e := r.malformed("more follows after the end: %q", c)
	if r.state == afterObject {
		e.Hint = "if the file has one object per line, its format is ndjson"
	}
	return e
}

func (r *elementReader) malformed(format string, args ...any) *FileError {
	return &FileError{Line: r.line, Code: CodeMalformedFile, Message: fmt.Sprintf(format, args...)}
}

func (r *elementReader) broken(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return broken(r.line, err)
}

// element reads the element that begins with c, which was read already.
func (r *elementReader) element(c byte) ([]byte, error) {
	if c == ',' || c == ']' || c == '}' || c == ':' {
		return nil, r.malformed("the array has %q where an element is due", c)
	}
	r.started, r.tooLong, r.data = r.line, false, r.data[:0]
	if err := r.in.UnreadByte(); err != nil {
		return nil, err
	}
	var s extent
	for done := false; !done; {
		if _, err := r.in.Peek(1); err != nil {
			return nil, r.broken(err)
		}
		chunk, err := r.in.Peek(r.in.Buffered())
		if err != nil {
			return nil, r.broken(err)
		}
		var size int
		size, done = s.scan(chunk)
		r.keep(chunk[:size])
		if _, err := r.in.Discard(size); err != nil {
			return nil, r.broken(err)
		}
	}
	return r.data, nil
}

func (r *elementReader) keep(bytes []byte) {
	r.line += int64(countLines(bytes))
	if r.tooLong = r.tooLong || len(r.data)+len(bytes) > r.limit; !r.tooLong {
		r.data = append(r.data, bytes...)
	}
}

// extent finds where an element ends.
type extent struct {
	depth           int
	quoted, escaped bool
}

// scan goes on with the next bytes; size is how many belong to the element.
func (s *extent) scan(bytes []byte) (size int, done bool) {
	for i, c := range bytes {
		switch {
		case s.escaped:
			s.escaped = false
		case s.quoted:
			s.escaped = c == '\\'
			s.quoted = c != '"'
			if !s.quoted && s.depth == 0 {
				return i + 1, true
			}
		case c == '"':
			s.quoted = true
		case c == '{' || c == '[':
			s.depth++
		case s.depth == 0 && (isSpace(c) || c == ',' || c == '}' || c == ']'):
			return i, true
		case c == '}' || c == ']':
			if s.depth--; s.depth == 0 {
				return i + 1, true
			}
		}
	}
	return len(bytes), false
}

// visible gives the next byte that is not white space.
func (r *elementReader) visible() (byte, error) {
	for {
		c, err := r.byte()
		if err != nil || !isSpace(c) {
			return c, err
		}
	}
}

func (r *elementReader) byte() (byte, error) {
	c, err := r.in.ReadByte()
	if c == '\n' {
		r.line++
	}
	return c, err
}

func countLines(text []byte) int { return bytes.Count(text, []byte{'\n'}) }
