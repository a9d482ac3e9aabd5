package typeset

import (
	"strings"
	"unicode"
)

// breaking says whether a line may end behind a rune.
type breaking uint8

const (
	never    breaking = iota // a mark follows, which belongs to it
	atWorst                  // nowhere near is a better place
	welcome                  // a separator, before what is spelled out, or between CJK characters
	anywhere                 // a space, which may stick out
)

// separators are what a line may end with. A hyphen, a dot or a slash is often
// the only good place in an identifier.
const separators = "-_./:@,;|&=?"

// breakings says where a line of the text may end.
func breakings(text []rune) []breaking {
	marks := make([]breaking, 0, len(text))
	for i, r := range text {
		next := rune(0)
		if i+1 < len(text) {
			next = text[i+1]
		}
		switch {
		case unicode.Is(unicode.M, next) || next == zwj || next == zwnj || r == zwj:
			marks = append(marks, never)
		case r != '\u00A0' && unicode.Is(unicode.Zs, r):
			marks = append(marks, anywhere)
		case strings.ContainsRune(separators, r) || next == '[' || ideographic(r) && ideographic(next):
			marks = append(marks, welcome)
		default:
			marks = append(marks, atWorst)
		}
	}
	return marks
}

func ideographic(r rune) bool {
	return r >= 0x2E80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// end finds how many runes of a text fit in the width. Its remaining spaces
// don't count.
func end(marks []breaking, width int, advance func(i int) int) int {
	used, better, worse := 0, 0, 0
	for i := range marks {
		used += advance(i)
		if marks[i] == anywhere {
			better = i + 1
			continue
		}
		if used > width {
			switch {
			case better > 0:
				return better
			case worse > 0:
				return worse
			}
			return cluster(marks, i)
		}
		switch marks[i] {
		case welcome:
			better = i + 1
		case atWorst:
			worse = i + 1
		}
	}
	return len(marks)
}

// cluster ends the character that rune i belongs to: one alone may be too wide.
func cluster(marks []breaking, i int) int {
	for i < len(marks)-1 && marks[i] == never {
		i++
	}
	return i + 1
}

// wrapSimple cuts a line of plain glyphs, one for each rune.
func wrapSimple(line Line, text []rune, width int) (lines []Line) {
	marks := breakings(text)
	for glyphs := line.Glyphs; len(glyphs) > 0; {
		n := end(marks, width, func(i int) int { return int(glyphs[i].Advance) })
		cut := Line{Glyphs: glyphs[:n:n]}
		for i := range n {
			cut.Width += int(glyphs[i].Advance)
		}
		for i := n - 1; i >= 0 && marks[i] == anywhere; i-- {
			cut.Width -= int(glyphs[i].Advance)
		}
		lines = append(lines, cut)
		glyphs, marks = glyphs[n:], marks[n:]
	}
	return lines
}
