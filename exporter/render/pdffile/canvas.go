package pdffile

import (
	"math"
	"slices"

	"licensekit/exporter/render/typeset"
)

// Color is red, green and blue, 0 to 255 each.
type Color struct{ R, G, B uint8 }

// Canvas is the content of a page. Lengths are in points of 1/72 inch, counted
// from the page's upper left corner to the right and down.
type Canvas struct {
	content []byte
	height  int // of the page, in hundredths of a point
	fill    Color
	face    int // the font that is set
	size    int
}

// Begin empties the canvas for a page of this height.
func (c *Canvas) Begin(height float64) {
	*c = Canvas{content: c.content[:0], height: hundredths(height), face: -1}
}

// Bytes is the content stream; the next Begin overwrites it.
func (c *Canvas) Bytes() []byte { return c.content }

func hundredths(points float64) int { return int(math.Round(points * 100)) }

// number writes a count of hundredths.
func (c *Canvas) number(n int) {
	if n < 0 {
		c.content = append(c.content, '-')
		n = -n
	}
	c.integer(n / 100)
	if n %= 100; n != 0 {
		c.content = append(c.content, '.', '0'+byte(n/10))
		if n%10 != 0 {
			c.content = append(c.content, '0'+byte(n%10))
		}
	}
	c.content = append(c.content, ' ')
}

func (c *Canvas) integer(n int) {
	start := len(c.content)
	for {
		c.content = append(c.content, '0'+byte(n%10))
		if n /= 10; n == 0 {
			break
		}
	}
	slices.Reverse(c.content[start:])
}

func (c *Canvas) operator(name string) { c.content = append(append(c.content, name...), '\n') }

func (c *Canvas) setFill(color Color) {
	if color == c.fill {
		return
	}
	c.fill = color
	for _, part := range []uint8{color.R, color.G, color.B} {
		c.number((int(part)*100 + 127) / 255)
	}
	c.operator("rg")
}

// Rect fills a rectangle.
func (c *Canvas) Rect(x, y, width, height float64, color Color) {
	c.setFill(color)
	c.number(hundredths(x))
	c.number(c.height - hundredths(y+height))
	c.number(hundredths(width))
	c.number(hundredths(height))
	c.operator("re f")
}

// Text draws a line from x on with its baseline at y.
func (c *Canvas) Text(x, y, size float64, line typeset.Line, color Color) {
	if len(line.Glyphs) == 0 {
		return
	}
	c.setFill(color)
	c.content = append(c.content, "BT "...)
	c.number(hundredths(x))
	c.number(c.height - hundredths(y))
	c.content = append(c.content, "Td "...)
	for rest := line.Glyphs; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Face == rest[0].Face && rest[n].Up == rest[0].Up {
			n++
		}
		c.run(rest[:n], size)
		rest = rest[n:]
	}
	c.operator("ET")
}

// run draws glyphs of one face at one height.
func (c *Canvas) run(glyphs []typeset.Glyph, size float64) {
	if face, hundred := int(glyphs[0].Face), hundredths(size); face != c.face || hundred != c.size {
		c.face, c.size = face, hundred
		c.content = append(c.content, "/F"...)
		c.integer(face)
		c.content = append(c.content, ' ')
		c.number(hundred)
		c.content = append(c.content, "Tf "...)
	}
	if up := int(glyphs[0].Up); up != 0 {
		c.number(up * c.size / 1000)
		c.content = append(c.content, "Ts "...)
		defer func() { c.content = append(c.content, "0 Ts "...) }()
	}
	if plain(glyphs) {
		c.codes(glyphs)
		c.content = append(c.content, "Tj "...)
		return
	}
	c.content = append(c.content, '[')
	for i, g := range glyphs {
		c.shift(-int(g.Right))
		c.codes(glyphs[i : i+1])
		c.shift(int(g.Right) + int(g.Width) - int(g.Advance))
	}
	c.content = append(c.content, "]TJ "...)
}

// shift moves what follows to the left, by thousandths of the font size.
func (c *Canvas) shift(n int) {
	if n != 0 {
		c.number(100 * n)
	}
}

// plain tells whether the glyphs stand where the font puts them.
func plain(glyphs []typeset.Glyph) bool {
	for _, g := range glyphs {
		if g.Right != 0 || g.Advance != g.Width {
			return false
		}
	}
	return true
}

// codes writes a string; some bytes mean something else in it.
func (c *Canvas) codes(glyphs []typeset.Glyph) {
	b := append(c.content, '(')
	for _, g := range glyphs {
		for _, octet := range [2]byte{byte(g.Code >> 8), byte(g.Code)} {
			switch octet {
			case '(', ')', '\\':
				b = append(b, '\\', octet)
			case '\r':
				b = append(b, '\\', 'r')
			default:
				b = append(b, octet)
			}
		}
	}
	c.content = append(b, ')')
}
