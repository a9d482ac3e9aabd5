package intake

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads a string, whose quote comes next, and undoes its escapes. The
// bytes are valid until reset.
func (l *lexer) text() ([]byte, *syntaxError) {
	l.pos++
	start := l.pos
	for ; l.pos < len(l.data); l.pos++ {
		switch c := l.data[l.pos]; {
		case c == '"':
			l.pos++
			return l.data[start : l.pos-1], nil
		case c == '\\':
			return l.escaped(start)
		case c < ' ':
			return nil, l.errorf("JSON has the control character U+%04X in a string, where it must be escaped", c)
		}
	}
	return nil, l.errorf("JSON ends within a string")
}

// escaped reads on in a string that has escapes.
func (l *lexer) escaped(start int) ([]byte, *syntaxError) {
	from := len(l.scratch)
	l.scratch = append(l.scratch, l.data[start:l.pos]...)
	for l.pos < len(l.data) {
		c := l.data[l.pos]
		l.pos++
		switch {
		case c == '"':
			return l.scratch[from:], nil
		case c < ' ':
			l.pos--
			return nil, l.errorf("JSON has the control character U+%04X in a string, where it must be escaped", c)
		case c != '\\':
			l.scratch = append(l.scratch, c)
		default:
			if err := l.escape(); err != nil {
				return nil, err
			}
		}
	}
	return nil, l.errorf("JSON ends within a string")
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape undoes one escape, behind its backslash.
func (l *lexer) escape() *syntaxError {
	if l.pos == len(l.data) {
		return l.errorf("JSON ends within a string")
	}
	c := l.data[l.pos]
	if plain := escapes[c]; plain != 0 {
		l.pos++
		l.scratch = append(l.scratch, plain)
		return nil
	}
	r, ok := l.unit(l.pos)
	if c != 'u' || !ok {
		return l.errorf("JSON has a bad escape in a string")
	}
	l.pos += 5
	if utf16.IsSurrogate(r) {
		low, ok := l.unit(l.pos + 1)
		pair := utf16.DecodeRune(r, low)
		if !ok || l.data[l.pos] != '\\' || pair == utf8.RuneError {
			// Half a pair is well-formed JSON but not text. As three bytes that
			// are not UTF-8 it is refused where texts are.
			l.scratch = append(l.scratch, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
			return nil
		}
		l.pos += 6
		r = pair
	}
	l.scratch = utf8.AppendRune(l.scratch, r)
	return nil
}

// unit reads uXXXX at a position.
func (l *lexer) unit(at int) (rune, bool) {
	if at+5 > len(l.data) || l.data[at] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(l.data[at+1:at+5]), 16, 16)
	return rune(n), err == nil
}
