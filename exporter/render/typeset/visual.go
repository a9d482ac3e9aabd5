package typeset

import (
	"slices"
	"unicode"
)

// span is a part of a line whose runes have one level.
type span struct {
	start, end int
	level      uint8
}

// visual cuts a line into spans and puts them in the order in which they stand
// on the page (L1, L2).
func visual(text []rune, base uint8, levels []uint8) (spans []span) {
	levels = slices.Clone(levels)
	for i := len(text) - 1; i >= 0 && unicode.Is(unicode.Zs, text[i]); i-- {
		levels[i] = base
	}
	highest := uint8(0)
	for i, level := range levels {
		highest = max(highest, level)
		if last := len(spans) - 1; last >= 0 && spans[last].level == level {
			spans[last].end = i + 1
		} else {
			spans = append(spans, span{i, i + 1, level})
		}
	}
	for level := highest; level > 0; level-- {
		for i := 0; i < len(spans); i++ {
			end := i
			for end < len(spans) && spans[end].level >= level {
				end++
			}
			slices.Reverse(spans[i:end])
			i = end
		}
	}
	return spans
}
