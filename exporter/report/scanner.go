package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"
)

// readAhead is how many bytes are read at a time, at least.
const readAhead = 64 << 10

// maxString bounds a string of the canonical form, in bytes as it stands there.
const maxString = 64 << 10

// scanner takes the canonical form apart. buf[pos:] is what was read and not
// yet taken; offset is where buf begins in the file.
type scanner struct {
	r      io.Reader
	buf    []byte
	pos    int
	offset int64
	eof    bool
}

func (in *scanner) wrap(err error) error {
	return fmt.Errorf("canonical JSON, byte %d: %w", in.offset+int64(in.pos), err)
}

// need makes n bytes available, or fails.
func (in *scanner) need(n int) error {
	if len(in.buf)-in.pos >= n {
		return nil
	}
	return in.fill(n)
}

func (in *scanner) fill(n int) error {
	for len(in.buf)-in.pos < n {
		if in.eof {
			return io.ErrUnexpectedEOF
		}
		in.offset += int64(in.pos)
		in.buf = in.buf[:copy(in.buf, in.buf[in.pos:])]
		in.pos = 0
		in.buf = slices.Grow(in.buf, max(n-len(in.buf), readAhead))
		got, err := in.r.Read(in.buf[len(in.buf):cap(in.buf)])
		in.buf = in.buf[:len(in.buf)+got]
		in.eof = err == io.EOF
		if err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}

// next is the next byte, which is not taken.
func (in *scanner) next() (byte, error) {
	if err := in.need(1); err != nil {
		return 0, err
	}
	return in.buf[in.pos], nil
}

// literal takes exactly this text.
func (in *scanner) literal(text string) error {
	if err := in.need(len(text)); err != nil {
		return fmt.Errorf("want %q: %w", text, err)
	}
	if got := in.buf[in.pos : in.pos+len(text)]; string(got) != text {
		return fmt.Errorf("want %q, found %q", text, got)
	}
	in.pos += len(text)
	return nil
}

// until takes what stands before a mark, and the mark.
func (in *scanner) until(mark string, limit int) ([]byte, error) {
	for n := len(mark); n <= limit; n = len(in.buf) - in.pos + 1 {
		if err := in.need(n); err != nil {
			return nil, fmt.Errorf("want %q: %w", mark, err)
		}
		window := in.buf[in.pos:]
		if i := bytes.Index(window, []byte(mark)); i >= 0 {
			in.pos += i + len(mark)
			return bytes.Clone(window[:i]), nil
		}
	}
	return nil, fmt.Errorf("no %q in the first %d bytes", mark, limit)
}

// end makes sure that nothing is left.
func (in *scanner) end() error {
	if err := in.need(1); err == nil {
		return errors.New("data after the end")
	} else if err != io.ErrUnexpectedEOF {
		return err
	}
	return nil
}

// str takes a string and gives its text, valid until the next call.
func (in *scanner) str() ([]byte, error) {
	if err := in.literal(`"`); err != nil {
		return nil, err
	}
	plain := plainLength(in.buf[in.pos:]) // most strings end there
	escaped := false
	for n := min(plain, maxString); n <= maxString; n++ {
		if err := in.need(n + 1); err != nil {
			return nil, err
		}
		switch in.buf[in.pos+n] {
		case '"':
			text := in.buf[in.pos : in.pos+n]
			in.pos += n + 1
			if escaped {
				return unescape(text)
			}
			return text, checkPlain(text, min(plain, n))
		case '\\':
			escaped = true
			n++
		}
	}
	return nil, fmt.Errorf("a string is longer than %d bytes", maxString)
}

// checkPlain checks text without escapes, which is known to begin with so many
// plain bytes.
func checkPlain(text []byte, plain int) error {
	for _, c := range text[plain:] {
		if c < 0x20 {
			return fmt.Errorf("a bare control character %#02x in a string", c)
		}
	}
	if !utf8.Valid(text) {
		return errors.New("a string is not valid UTF-8")
	}
	return nil
}

// unescape reads the inside of a string that has escapes, and refuses those
// that RFC 8785 does not write.
func unescape(inside []byte) ([]byte, error) {
	if !utf8.Valid(inside) {
		return nil, errors.New("a string is not valid UTF-8")
	}
	quoted := slices.Concat([]byte{'"'}, inside, []byte{'"'})
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil, err
	}
	if want := AppendString(nil, text); !bytes.Equal(want, quoted) {
		return nil, fmt.Errorf("a string is not in canonical form: want %.80q, found %.80q", want, quoted)
	}
	return []byte(text), nil
}

// integer takes an integer: digits, or a string of them beyond ±(2^53-1).
func (in *scanner) integer() (int64, error) {
	c, err := in.next()
	if err != nil {
		return 0, err
	}
	var text []byte
	if c == '"' {
		text, err = in.str()
	} else {
		text, err = in.digits()
	}
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a 64-bit integer", text)
	}
	var written [24]byte
	want := appendInteger(written[:0], v)
	if quoted := want[0] == '"'; quoted != (c == '"') || string(bytes.Trim(want, `"`)) != string(text) {
		return 0, fmt.Errorf("integer %s is not in canonical form: want %s", text, want)
	}
	return v, nil
}

func (in *scanner) digits() ([]byte, error) {
	for n := 0; n < 20; n++ {
		if in.pos+n >= len(in.buf) {
			if err := in.need(n + 1); err != nil {
				return nil, err
			}
		}
		if c := in.buf[in.pos+n]; c != '-' && (c < '0' || c > '9') {
			text := in.buf[in.pos : in.pos+n]
			in.pos += n
			return text, nil
		}
	}
	return nil, errors.New("a number has more than 19 digits")
}
