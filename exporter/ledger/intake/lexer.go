package intake

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep a row's values are nested.
const maxDepth = 64

// lexer takes JSON (RFC 8259) apart. It exists because rows must be refused
// for what encoding/json lets pass: names that stand twice, invalid UTF-8 and
// unpaired surrogates, which it would replace.
type lexer struct {
	data    []byte
	pos     int
	depth   int
	scratch []byte       // texts whose escapes were undone
	number  func([]byte) // told of each number literal, if not nil
}

// syntaxError is JSON that is none.
type syntaxError struct {
	pos     int
	problem string
}

func (l *lexer) errorf(format string, args ...any) *syntaxError {
	return &syntaxError{l.pos, fmt.Sprintf(format, args...)}
}

// reset starts on another row.
func (l *lexer) reset(data []byte) {
	l.data, l.pos, l.depth, l.scratch = data, 0, 0, l.scratch[:0]
}

func (l *lexer) space() {
	for l.pos < len(l.data) && isSpace(l.data[l.pos]) {
		l.pos++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// peek gives the next byte that is not white space, 0 at the end.
func (l *lexer) peek() byte {
	l.space()
	if l.pos == len(l.data) {
		return 0
	}
	return l.data[l.pos]
}

// expect consumes a byte that must come next.
func (l *lexer) expect(c byte) *syntaxError {
	if l.peek() != c {
		return l.unexpected(fmt.Sprintf("%q", c))
	}
	l.pos++
	return nil
}

func (l *lexer) unexpected(want string) *syntaxError {
	if l.pos >= len(l.data) {
		return l.errorf("JSON ends where %s is due", want)
	}
	r, _ := utf8.DecodeRune(l.data[l.pos:])
	return l.errorf("JSON has %q where %s is due", r, want)
}

// members walks over an object, whose { comes next. each is called with the
// value still to be read, and must read it.
func (l *lexer) members(each func(name []byte) *syntaxError) *syntaxError {
	if err := l.expect('{'); err != nil {
		return err
	}
	if l.peek() == '}' {
		l.pos++
		return nil
	}
	for {
		if l.peek() != '"' {
			return l.unexpected("a name")
		}
		name, err := l.text()
		if err != nil {
			return err
		}
		if err := l.expect(':'); err != nil {
			return err
		}
		if err := each(name); err != nil {
			return err
		}
		if l.peek() == '}' {
			l.pos++
			return nil
		}
		if err := l.expect(','); err != nil {
			return l.unexpected("',' or '}'")
		}
	}
}

// value reads any value.
func (l *lexer) value() (cell, *syntaxError) {
	c := l.peek()
	start := l.pos
	switch {
	case c == '"':
		text, err := l.text()
		return cell{jsonString, text}, err
	case c == '{':
		err := l.nested(func() *syntaxError {
			return l.members(func([]byte) *syntaxError { _, err := l.value(); return err })
		})
		return cell{jsonObject, l.data[start:l.pos]}, err
	case c == '[':
		err := l.nested(l.array)
		return cell{jsonArray, l.data[start:l.pos]}, err
	case c == '-' || c >= '0' && c <= '9':
		return l.numeral()
	}
	return l.word()
}

// words are the literals that are neither texts nor numbers.
var words = []struct {
	text string
	kind cellKind
}{{"true", jsonBool}, {"false", jsonBool}, {"null", jsonNull}}

func (l *lexer) word() (cell, *syntaxError) {
	rest := l.data[l.pos:]
	for _, w := range words {
		if len(rest) >= len(w.text) && string(rest[:len(w.text)]) == w.text {
			l.pos += len(w.text)
			return cell{w.kind, rest[:len(w.text)]}, nil
		}
	}
	return cell{}, l.unexpected("a value")
}

func (l *lexer) nested(read func() *syntaxError) *syntaxError {
	if l.depth++; l.depth > maxDepth {
		return l.errorf("JSON is nested more than %d deep", maxDepth)
	}
	err := read()
	l.depth--
	return err
}

func (l *lexer) array() *syntaxError {
	l.pos++
	if l.peek() == ']' {
		l.pos++
		return nil
	}
	for {
		if _, err := l.value(); err != nil {
			return err
		}
		if l.peek() == ']' {
			l.pos++
			return nil
		}
		if err := l.expect(','); err != nil {
			return l.unexpected("',' or ']'")
		}
	}
}

// numeral reads a number literal, by JSON's grammar.
func (l *lexer) numeral() (cell, *syntaxError) {
	start := l.pos
	if l.data[l.pos] == '-' {
		l.pos++
	}
	whole := l.pos
	if l.digits() == 0 || l.data[whole] == '0' && l.pos > whole+1 {
		return cell{}, l.errorf("JSON has the number %s, which is none", quote(l.data[start:l.pos]))
	}
	ok := true
	if l.skip(".") {
		ok = l.digits() > 0
	}
	if ok && l.skip("eE") {
		l.skip("+-")
		ok = l.digits() > 0
	}
	if !ok {
		return cell{}, l.errorf("JSON has the number %s, which is none", quote(l.data[start:l.pos]))
	}
	literal := l.data[start:l.pos]
	if l.number != nil {
		l.number(literal)
	}
	return cell{jsonNumber, literal}, nil
}

func (l *lexer) digits() (n int) {
	for l.pos < len(l.data) && l.data[l.pos]-'0' <= 9 {
		l.pos++
		n++
	}
	return n
}

// skip consumes one byte if it is one of some.
func (l *lexer) skip(set string) bool {
	if l.pos < len(l.data) && strings.IndexByte(set, l.data[l.pos]) >= 0 {
		l.pos++
		return true
	}
	return false
}
