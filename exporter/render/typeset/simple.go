package typeset

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// simple says how a rune is drawn on its own.
type simple struct {
	glyph Glyph
	known bool // it was looked up
	shown bool // there is a glyph; else it is spelled out
	plain bool // alone or among others it looks the same: no shaping, no bidi
}

// lookup finds how a rune is drawn. One that is to be spelled out has the
// width of its spelling.
func (s *Setter) lookup(style Style, r rune) simple {
	if r < commonRunes {
		if found := s.common[style][r]; found.known {
			return found
		}
	} else if found, ok := s.others[style][r]; ok {
		return found
	}
	made := s.look(style, r)
	if r < commonRunes {
		s.common[style][r] = made
	} else {
		s.others[style][r] = made
	}
	return made
}

func (s *Setter) look(style Style, r rune) simple {
	number, glyph, ok := s.find(style, r)
	if !ok {
		return simple{glyph: Glyph{Advance: int16(s.Measure(style, spelled(r)))}, known: true}
	}
	used := s.face(number)
	width := int16(used.width(glyph))
	plain := !unicode.Is(unicode.M, r) && !rightToLeft(r) && r != zwj && r != zwnj
	made := simple{glyph: Glyph{Face: uint8(number), Width: width, Advance: width}, known: true, shown: true, plain: plain}
	if plain {
		made.glyph.Code = used.code(glyph, string(r))
	}
	return made
}

// find chooses the face for a rune: the style's own, or the one for CJK.
func (s *Setter) find(style Style, r rune) (face int, glyph uint16, ok bool) {
	if hidden(r) {
		return 0, 0, false
	}
	for _, number := range []int{int(style), cjkFace} {
		if number == cjkFace && r < 0x1100 {
			break // and don't read that font for nothing
		}
		if id, found := s.face(number).parsed.NominalGlyph(r); found && id != 0 {
			return number, uint16(id), true
		}
	}
	return 0, 0, false
}

// The joiners mean something between the letters of Arabic alone.
const (
	zwnj = '\u200C'
	zwj  = '\u200D'
)

// hidden tells whether a rune is spelled out although a font may have it.
func hidden(r rune) bool {
	switch {
	case r < 0x20 || r > 0xFFFF:
		return true
	case r < 0x7F || r == zwj || r == zwnj:
		return false
	}
	return unicode.In(r, unicode.C, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Zl, unicode.Zp)
}

// spelled is how a rune is spelled out.
func spelled(r rune) string { return fmt.Sprintf("[U+%04X]", r) }

// Display gives what the lines of a text say: the text itself, with runes that
// have no glyph spelled out.
func (s *Setter) Display(style Style, text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !s.lookup(style, r).plain }) {
		return text
	}
	shown := make([]byte, 0, 2*len(text))
	previous := rune(0)
	for _, r := range text {
		joiner := (r == zwj || r == zwnj) && !arabic(previous)
		if s.lookup(style, r).shown && !joiner {
			shown = utf8.AppendRune(shown, r)
		} else {
			shown = append(shown, spelled(r)...)
		}
		previous = r
	}
	return string(shown)
}

func arabic(r rune) bool { return unicode.Is(unicode.Arabic, r) }

// simpleLine sets a text whose runes are all plain.
func (s *Setter) simpleLine(style Style, text string) (line Line, ok bool) {
	line.Glyphs = make([]Glyph, 0, len(text))
	for _, r := range text {
		var found simple
		if r < commonRunes && s.common[style][r].known {
			found = s.common[style][r]
		} else {
			found = s.lookup(style, r)
		}
		if !found.plain {
			return line, false
		}
		line.Width += int(found.glyph.Advance)
		line.Glyphs = append(line.Glyphs, found.glyph)
	}
	return line, true
}
