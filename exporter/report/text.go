package report

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// The limits of text, in bytes of UTF-8. With them, and without control
// characters, every value survives every format.
const (
	MaxID   = 128
	MaxText = 1024
)

// CheckText says what is wrong with a text, "" if nothing is: it must be valid
// UTF-8 of at most limit bytes, without control characters (C0, DEL, C1) and
// without the noncharacters U+FFFE and U+FFFF, which XML can't hold.
func CheckText(text string, limit int) string {
	if len(text) > limit {
		return fmt.Sprintf("is %d bytes long; the limit is %d", len(text), limit)
	}
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < 0x20 || c >= 0x7F {
			return checkRunes(text[i:], i)
		}
	}
	return ""
}

// checkRunes is the slow half of CheckText, for text that is not plain ASCII.
func checkRunes(text string, offset int) string {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return fmt.Sprintf("is not valid UTF-8 at byte %d", offset+i)
			}
		}
		if unicode.IsControl(r) || r == '\uFFFE' || r == '\uFFFF' {
			return fmt.Sprintf("has the control character U+%04X at byte %d", r, offset+i)
		}
	}
	return ""
}
