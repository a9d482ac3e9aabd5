package render

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// escapeLength is that of an escape: _xHHHH_ stands for a UTF-16 unit.
const escapeLength = len("_xHHHH_")

// appendXMLText writes text as the content of an element. What XML can't hold,
// and a CR, which it turns into LF, becomes _xHHHH_; an underscore with which
// such an escape would begin by chance becomes _x005F_.
func appendXMLText(dst []byte, text string) []byte {
	written := 0
	for i := 0; i < len(text); i++ {
		if !special[text[i]] {
			continue
		}
		escape, size := xmlEscape(text, i)
		if escape == "" {
			continue
		}
		dst = append(dst, text[written:i]...)
		dst = append(dst, escape...)
		written = i + size
		i = written - 1
	}
	return append(dst, text[written:]...)
}

// special marks the bytes with which something that needs an escape begins.
var special = func() (s [256]bool) {
	for c := range 0x20 {
		s[c] = c != '\t' && c != '\n'
	}
	for _, c := range []byte{'&', '<', '>', '_', 0xEF} {
		s[c] = true
	}
	return s
}()

// xmlEscape gives what stands for the text's bytes from i on, and how many
// they are; "" if nothing need be done.
func xmlEscape(text string, i int) (escape string, size int) {
	c := text[i]
	switch {
	case !special[c]:
		return "", 0
	case c == '&':
		return "&amp;", 1
	case c == '<':
		return "&lt;", 1
	case c == '>':
		return "&gt;", 1
	case c == '_' && looksEscaped(text, i):
		return "_x005F_", 1
	case c < 0x20:
		return unitEscape(rune(c)), 1
	case strings.HasPrefix(text[i:], "\uFFFE"), strings.HasPrefix(text[i:], "\uFFFF"):
		r, size := utf8.DecodeRuneInString(text[i:])
		return unitEscape(r), size
	}
	return "", 0
}

func unitEscape(r rune) string {
	hex := strings.ToUpper(strconv.FormatUint(uint64(r), 16))
	return "_x" + "0000"[len(hex):] + hex + "_"
}

// looksEscaped tells whether an escape seems to begin at i. Its last
// underscore may be one of the text or the first of an escape that follows.
func looksEscaped(text string, i int) bool {
	end := i + escapeLength - 1
	if len(text) <= end || text[i+1] != 'x' || !isHex(text[i+2:end]) {
		return false
	}
	if text[end] == '_' {
		return true
	}
	escape, _ := xmlEscape(text, end)
	return strings.HasPrefix(escape, "_")
}

func isHex(digits string) bool {
	for i := range len(digits) {
		if !strings.ContainsRune("0123456789ABCDEFabcdef", rune(digits[i])) {
			return false
		}
	}
	return true
}

// entities are those of appendXMLText.
var entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

// readXMLText undoes appendXMLText, in place where it can. Of what that does
// not write it makes something or other; the reader writes it again to find
// that out.
func readXMLText(text []byte) []byte {
	if bytes.IndexByte(text, '&') >= 0 {
		text = []byte(entities.Replace(string(text)))
	}
	if !bytes.Contains(text, []byte("_x")) {
		return text
	}
	plain := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if !looksLikeUnit(text[i:]) {
			plain = append(plain, text[i])
			continue
		}
		unit, _ := strconv.ParseUint(string(text[i+2:i+escapeLength-1]), 16, 16)
		plain = utf8.AppendRune(plain, rune(unit))
		i += escapeLength - 1
	}
	return plain
}

func looksLikeUnit(text []byte) bool {
	return len(text) >= escapeLength && text[0] == '_' && text[1] == 'x' && text[escapeLength-1] == '_' && isHex(string(text[2:escapeLength-1]))
}

// keepsSpace tells whether XML must be told to keep the text's white space.
func keepsSpace(text string) bool {
	return text[0] <= ' ' || text[len(text)-1] <= ' ' || strings.IndexByte(text, '\n') >= 0 || strings.IndexByte(text, '\t') >= 0
}
