package rfc4180

import "strings"

// AppendRecord appends a whole record, its line end included. A record has at
// least one field; without any, dst comes back unchanged.
func AppendRecord(dst []byte, fields ...string) []byte {
	switch {
	case len(fields) == 0:
		return dst
	case len(fields) == 1 && fields[0] == "":
		return append(dst, `""`+LineEnd...)
	}
	for i, text := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendField(dst, text)
	}
	return append(dst, LineEnd...)
}

// AppendField appends one field, quoted only if it must be. Commas between the
// fields and the [LineEnd] are the caller's. A table of a single column needs
// [AppendRecord], since only a whole record shows whether an empty field is
// alone in it.
func AppendField(dst []byte, text string) []byte {
	start := len(dst)
	dst = append(dst, text...)
	if !NeedsQuotes(dst[start:]) {
		return dst
	}
	return appendQuoted(dst[:start], text)
}

func appendQuoted(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for {
		quote := strings.IndexByte(text, '"')
		if quote < 0 {
			break
		}
		dst = append(dst, text[:quote+1]...)
		dst = append(dst, '"')
		text = text[quote+1:]
	}
	dst = append(dst, text...)
	return append(dst, '"')
}

// NeedsQuotes tells whether text holds a comma, a quote, a CR or an LF. Most
// text holds nothing below '-' at all, which is seen eight bytes at a time.
func NeedsQuotes[T string | []byte](text T) bool {
	if len(text) < 8 {
		return anySpecial(text)
	}
	for i := 0; i < len(text); i += 8 {
		i = min(i, len(text)-8) // the last eight may overlap those before
		if eight := text[i : i+8]; anyBelowDash(word(eight)) && anySpecial(eight) {
			return true
		}
	}
	return false
}

func word[T string | []byte](text T) uint64 {
	_ = text[7]
	return uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
		uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
}

// anyBelowDash tells whether one of the word's eight bytes is less than '-',
// the first character above all those that need quotes. Subtracting '-' sets
// the top bit of a byte below it, and of bytes that had it set before, which
// the complement takes out. A borrow can only start at a byte below '-', so it
// never turns a no into a yes.
func anyBelowDash(word uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	return (word-'-'*ones)&^word&tops != 0
}

func anySpecial[T string | []byte](text T) bool {
	for i := range len(text) {
		if c := text[i]; c == ',' || c == '"' || c == '\r' || c == '\n' {
			return true
		}
	}
	return false
}
