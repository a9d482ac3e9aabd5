package render

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"licensekit/exporter/render/typeset"
)

// mark is a character of a page that is not white space.
type mark struct {
	r     rune
	apart bool // there is white space in front of it
}

// marks drops the white space of a text, and what stands for nothing.
func marks(text string) (found []mark) {
	apart := true
	for _, c := range unligated.Replace(text) {
		switch {
		case unicode.IsSpace(c):
			apart = true
		case string(c) != typeset.Nothing:
			found = append(found, mark{c, apart})
			apart = false
		}
	}
	return found
}

// unligated spells ligatures out, as the extraction of text does.
var unligated = strings.NewReplacer("ﬀ", "ff", "ﬁ", "fi", "ﬂ", "fl", "ﬃ", "ffi", "ﬄ", "ffl", "ﬅ", "st", "ﬆ", "st")

// same compares what was found with what should be there. Text that runs from
// right to left comes out of a page in an order that depends on the reader and
// on where its lines break. So for such a text the characters must be the same
// ones, and those of each word or number in Latin script in their order.
func same(want, found []mark) error {
	a, b := runes(want), runes(found)
	if slices.Equal(a, b) {
		return nil
	}
	if slices.ContainsFunc(a, fromTheRight) && slices.Equal(latin(want), latin(found)) {
		slices.Sort(a)
		slices.Sort(b)
		if slices.Equal(a, b) {
			return nil
		}
	}
	return fmt.Errorf("want %q, found %q", excerpt(want), excerpt(found))
}

func fromTheRight(r rune) bool { return unicode.In(r, unicode.Hebrew, unicode.Arabic) }

// latin lists, sorted, what of a text are runs of ASCII letters and digits.
func latin(text []mark) []string {
	var b strings.Builder
	for _, m := range text {
		if m.apart {
			b.WriteByte(' ')
		}
		b.WriteRune(m.r)
	}
	words := strings.FieldsFunc(b.String(), func(r rune) bool {
		return r >= 0x80 || !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	slices.Sort(words)
	return words
}

func runes(marks []mark) []rune {
	text := make([]rune, len(marks))
	for i, m := range marks {
		text[i] = m.r
	}
	return text
}

// excerpt is the begin of a text, for messages.
func excerpt(marks []mark) string {
	var b strings.Builder
	for _, m := range marks[:min(len(marks), 60)] {
		if m.apart && b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(m.r)
	}
	return b.String()
}
