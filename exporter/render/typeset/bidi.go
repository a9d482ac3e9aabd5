package typeset

import (
	"slices"

	"golang.org/x/text/unicode/bidi"
)

// rightToLeft tells whether a rune asks for the bidirectional algorithm.
func rightToLeft(r rune) bool {
	if r < 0x590 {
		return false
	}
	switch class(r) {
	case bidi.R, bidi.AL, bidi.AN:
		return true
	}
	return false
}

func class(r rune) bidi.Class {
	properties, _ := bidi.LookupRune(r)
	return properties.Class()
}

// levels applies the rules P2 to I2 of the Unicode bidirectional algorithm
// (UAX 9) to a text without characters that command a direction. Text of even
// levels runs from left to right, text of odd levels from right to left. The
// first level is the paragraph's own.
func levels(text []rune) (base uint8, result []uint8) {
	classes := make([]bidi.Class, len(text))
	for i, r := range text {
		classes[i] = class(r)
	}
	if first := slices.IndexFunc(classes, strong); first >= 0 && classes[first] != bidi.L {
		base = 1
	}
	original := slices.Clone(classes)
	weak(classes, direction(base))
	brackets(classes, original, text, direction(base))
	neutral(classes, direction(base))
	result = make([]uint8, len(text))
	for i, c := range classes {
		switch {
		case c == bidi.R && base%2 == 0, c == bidi.L && base%2 == 1:
			result[i] = base + 1
		case c == bidi.AN, c == bidi.EN:
			result[i] = base + 2 - base%2
		default:
			result[i] = base
		}
	}
	return base, result
}

func strong(c bidi.Class) bool { return c == bidi.L || c == bidi.R || c == bidi.AL }

func direction(level uint8) bidi.Class {
	if level%2 == 1 {
		return bidi.R
	}
	return bidi.L
}

// weak applies the rules W1 to W7.
func weak(classes []bidi.Class, outside bidi.Class) {
	previous := outside // W1: a mark is like what it stands on
	for i, c := range classes {
		if c == bidi.NSM {
			classes[i] = previous
		}
		previous = classes[i]
	}
	last := outside // W2 and W3: numbers and letters of Arabic
	for i, c := range classes {
		if c == bidi.EN && last == bidi.AL {
			classes[i] = bidi.AN
		}
		if strong(c) {
			last = c
		}
	}
	for i, c := range classes {
		if c == bidi.AL {
			classes[i] = bidi.R
		}
	}
	separated(classes)
	terminated(classes)
	last = outside // W7: numbers in text from left to right
	for i, c := range classes {
		if c == bidi.EN && last == bidi.L {
			classes[i] = bidi.L
		}
		if c == bidi.L || c == bidi.R {
			last = c
		}
	}
}

// separated applies the rule W4: a separator within a number is part of it.
func separated(classes []bidi.Class) {
	for i := 1; i < len(classes)-1; i++ {
		before, c, after := classes[i-1], classes[i], classes[i+1]
		number := before == after && (before == bidi.EN || before == bidi.AN)
		if number && (c == bidi.CS || c == bidi.ES && before == bidi.EN) {
			classes[i] = before
		}
	}
}

// terminated applies the rules W5 and W6: signs such as % beside a number are
// part of it, and what is left of signs and separators is neutral.
func terminated(classes []bidi.Class) {
	for i := 0; i < len(classes); i++ {
		if classes[i] != bidi.ET {
			continue
		}
		end := i
		for end < len(classes) && classes[end] == bidi.ET {
			end++
		}
		if i > 0 && classes[i-1] == bidi.EN || end < len(classes) && classes[end] == bidi.EN {
			fill(classes[i:end], bidi.EN)
		}
		i = end - 1
	}
	for i, c := range classes {
		if c == bidi.ET || c == bidi.ES || c == bidi.CS {
			classes[i] = bidi.ON
		}
	}
}

func fill(classes []bidi.Class, c bidi.Class) {
	for i := range classes {
		classes[i] = c
	}
}

// reading is the direction of a class for the neutral text beside it, ON if it
// has none.
func reading(c bidi.Class) bidi.Class {
	switch c {
	case bidi.L:
		return bidi.L
	case bidi.R, bidi.EN, bidi.AN:
		return bidi.R
	}
	return bidi.ON
}

func opposite(d bidi.Class) bidi.Class {
	if d == bidi.L {
		return bidi.R
	}
	return bidi.L
}

// before is the direction of the text in front of i.
func before(classes []bidi.Class, i int, outside bidi.Class) bidi.Class {
	for i--; i >= 0; i-- {
		if d := reading(classes[i]); d != bidi.ON {
			return d
		}
	}
	return outside
}

// neutral applies the rules N1 and N2: what has no direction takes the one of
// the text around it, or the paragraph's.
func neutral(classes []bidi.Class, outside bidi.Class) {
	for i := 0; i < len(classes); i++ {
		if reading(classes[i]) != bidi.ON {
			continue
		}
		end := i
		for end < len(classes) && reading(classes[end]) == bidi.ON {
			end++
		}
		left, right := before(classes, i, outside), outside
		if end < len(classes) {
			right = reading(classes[end])
		}
		if left == right {
			fill(classes[i:end], left)
		} else {
			fill(classes[i:end], outside)
		}
		i = end - 1
	}
}
