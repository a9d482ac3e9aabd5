// Package typeset turns text into lines of glyphs that a PDF can draw.
//
// # Promises
//
//   - Every rune of a text is on a line. One that no font has, that lies above
//     U+FFFF, or that would not be seen (control, format and other ignorable
//     characters, private use) is spelled out as [U+1F600].
//   - Lines break at spaces, behind separators of identifiers and between CJK
//     characters; where none is near, anywhere but in front of a combining
//     mark. A line is never wider than asked for, unless one character is.
//   - Hebrew and Arabic run from right to left, by the Unicode bidirectional
//     algorithm, and Arabic letters are joined. Characters that command a
//     direction (U+202E and its like) are spelled out and have no effect: they
//     could make a text look like another one.
//   - The same texts in the same order give the same glyphs and codes.
//
// # Refusals
//
// Scripts that the fonts don't have, among them those of India, are spelled
// out. There is no hyphenation and no justified text.
package typeset

import (
	"math"

	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/harfbuzz"
)

// Style is a cut of the text face.
type Style uint8

// The styles.
const (
	Regular Style = iota
	Bold
	styles
)

// Glyph is a code of a face at its place in a line. Lengths are in thousandths
// of the font size.
type Glyph struct {
	Face    uint8
	Code    uint16
	Width   int16 // the font's own advance
	Advance int16 // what the line advances; differs from Width where text is shaped
	Right   int16 // how far the glyph is moved to the right, and
	Up      int16 // upwards, without moving the ones behind it
}

// Line is a line of text from left to right.
type Line struct {
	Glyphs []Glyph
	Width  int  // in thousandths of the font size, without the spaces at the end
	RTL    bool // the text is one that runs from right to left
}

// Faces of a document: each style's own, then the one for CJK.
const (
	cjkFace = int(styles)
	faces   = cjkFace + 1
)

// Setter sets the text of one document. It is not for concurrent use.
type Setter struct {
	used   [faces]*Used
	shaper [faces]*harfbuzz.Font
	buffer *harfbuzz.Buffer
	common [styles][commonRunes]simple
	others [styles]map[rune]simple
}

// commonRunes is where the quick table of runes ends: Latin, Greek, Cyrillic.
const commonRunes = 0x530

// NewSetter begins a document.
func NewSetter() *Setter {
	s := &Setter{buffer: harfbuzz.NewBuffer()}
	for style := range s.others {
		s.others[style] = map[rune]simple{}
	}
	return s
}

// Fonts gives the faces that are in use, by the number that glyphs name them
// with; nil stands for one that is not.
func (s *Setter) Fonts() [faces]*Used { return s.used }

// Full tells whether the document had so many different characters that a font
// ran out of codes. Its lines then lack some.
func (s *Setter) Full() bool {
	for _, used := range s.used {
		if used != nil && used.full {
			return true
		}
	}
	return false
}

// face readies a face at its first use.
func (s *Setter) face(number int) *Used {
	if s.used[number] == nil {
		f := [faces]func() *Font{regular, bold, cjk}[number]()
		s.used[number] = newUsed(f)
		s.shaper[number] = harfbuzz.NewFont(font.NewFace(f.parsed))
	}
	return s.used[number]
}

// Line sets a text as one line, however long.
func (s *Setter) Line(style Style, text string) Line {
	return s.Lines(style, text, math.MaxInt32)[0]
}

// Lines sets a text in lines of at most this width, in thousandths of the font
// size. There is at least one line.
func (s *Setter) Lines(style Style, text string, width int) []Line {
	line, ok := s.simpleLine(style, text)
	if !ok {
		text = s.Display(style, text)
		line, ok = s.simpleLine(style, text)
	}
	switch {
	case !ok:
		return s.complexLines(style, []rune(text), width)
	case line.Width <= width:
		return []Line{line}
	}
	return wrapSimple(line, []rune(text), width)
}

// Measure is the width of a text on one line. For text that needs shaping it
// is what the single letters add up to.
func (s *Setter) Measure(style Style, text string) (width int) {
	for _, r := range text {
		width += int(s.lookup(style, r).glyph.Advance)
	}
	return width
}
