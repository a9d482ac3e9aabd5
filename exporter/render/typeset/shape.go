package typeset

import (
	"math"
	"slices"
	"unicode"

	"github.com/go-text/typesetting/harfbuzz"
	"github.com/go-text/typesetting/language"
)

// complexLines sets text that needs shaping or the bidirectional algorithm.
// Its runes all have glyphs.
func (s *Setter) complexLines(style Style, text []rune, width int) (lines []Line) {
	base, levels := levels(text)
	marks := breakings(text)
	for start := 0; start < len(text); {
		n, line := s.fit(style, text[start:], base, levels[start:], marks[start:], width)
		lines = append(lines, line)
		start += n
	}
	return lines
}

// fit sets as much of a text as fits on a line. What the single letters add up
// to is only a guess of the width, so the line is set anew, with less on it,
// while it is too wide.
func (s *Setter) fit(style Style, text []rune, base uint8, levels []uint8, marks []breaking, width int) (int, Line) {
	for guess := width; ; {
		n := end(marks, guess, func(i int) int { return int(s.lookup(style, text[i]).glyph.Advance) })
		line := s.shapeLine(style, text[:n], base, levels[:n])
		if line.Width <= width || n <= cluster(marks, 0) {
			return n, line
		}
		guess = min(guess-1, math.MaxInt16*4)
		guess -= guess / 16
	}
}

// shapeLine sets a whole line.
func (s *Setter) shapeLine(style Style, text []rune, base uint8, levels []uint8) Line {
	line := Line{RTL: base == 1}
	for _, part := range visual(text, base, levels) {
		pieces := s.pieces(style, text, part)
		if part.level%2 == 1 {
			slices.Reverse(pieces)
		}
		for _, p := range pieces {
			line.Glyphs = s.shape(line.Glyphs, text, p, part.level)
		}
	}
	for _, g := range line.Glyphs {
		line.Width += int(g.Advance)
	}
	for i := len(text) - 1; i > 0 && unicode.Is(unicode.Zs, text[i]); i-- {
		line.Width -= int(s.lookup(style, text[i]).glyph.Advance)
	}
	return line
}

// piece is text of one face and one script.
type piece struct {
	start, end int
	face       int
	script     language.Script
}

// pieces cuts a span, in the order of its text. Marks stay with the letter
// that they stand on where its face has them.
func (s *Setter) pieces(style Style, text []rune, part span) (pieces []piece) {
	for i := part.start; i < part.end; i++ {
		face := int(s.lookup(style, text[i]).glyph.Face)
		script := language.LookupScript(text[i])
		last := len(pieces) - 1
		if last < 0 {
			pieces = append(pieces, piece{i, i + 1, face, script})
			continue
		}
		p := &pieces[last]
		if face != p.face && unicode.Is(unicode.M, text[i]) {
			if _, ok := s.face(p.face).parsed.NominalGlyph(text[i]); ok {
				face = p.face
			}
		}
		loose := script == language.Common || script == language.Inherited
		switch {
		case face != p.face, !loose && script != p.script && p.script != language.Common && p.script != language.Inherited:
			pieces = append(pieces, piece{i, i + 1, face, script})
		default:
			p.end = i + 1
			if !loose {
				p.script = script
			}
		}
	}
	return pieces
}

// shape sets a piece with its font's own rules for joining letters and placing
// marks.
func (s *Setter) shape(dst []Glyph, text []rune, p piece, level uint8) []Glyph {
	used := s.face(p.face)
	b := s.buffer
	b.Clear()
	b.AddRunes(text, p.start, p.end-p.start)
	b.Props = harfbuzz.SegmentProperties{Direction: harfbuzz.LeftToRight, Script: p.script, Language: language.NewLanguage("und")}
	if level%2 == 1 {
		b.Props.Direction = harfbuzz.RightToLeft
	}
	b.ClusterLevel = harfbuzz.MonotoneCharacters
	b.Flags = harfbuzz.DoNotinsertDottedCircle
	b.Shape(s.shaper[p.face], nil)
	said := said(b.Info, text, p)
	for i, info := range b.Info {
		pos := b.Pos[i]
		dst = append(dst, Glyph{
			Face:    uint8(p.face),
			Code:    used.code(uint16(info.Glyph), said[i]),
			Width:   int16(used.width(uint16(info.Glyph))),
			Advance: int16(used.scale(int(pos.XAdvance))),
			Right:   int16(used.scale(int(pos.XOffset))),
			Up:      int16(used.scale(int(pos.YOffset))),
		})
	}
	return dst
}

// Nothing is what a glyph says that is the second or a later one of a
// character: extraction needs a text for each glyph.
const Nothing = "\u200B"

// said gives the text of each glyph. Of the glyphs that show a cluster, the
// first in reading order says what it all is.
func said(infos []harfbuzz.GlyphInfo, text []rune, p piece) []string {
	texts := make([]string, len(infos))
	starts := make([]int, 0, len(infos))
	for _, info := range infos {
		starts = append(starts, info.Cluster)
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	told := map[int]bool{}
	for i, info := range infos {
		if told[info.Cluster] {
			texts[i] = Nothing
			continue
		}
		told[info.Cluster] = true
		end := p.end
		if at, _ := slices.BinarySearch(starts, info.Cluster); at+1 < len(starts) {
			end = starts[at+1]
		}
		texts[i] = string(text[info.Cluster:end])
	}
	return texts
}
