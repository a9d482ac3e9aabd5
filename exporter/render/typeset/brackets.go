package typeset

import (
	"slices"

	"golang.org/x/text/unicode/bidi"
)

// brackets applies the rule N0: a pair of brackets takes one direction.
func brackets(classes, original []bidi.Class, text []rune, outside bidi.Class) {
	for _, pair := range bracketPairs(classes, text) {
		inside := false // whether there is any strong text
		same := false   // and some that runs as the paragraph does
		for _, c := range classes[pair[0]+1 : pair[1]] {
			if d := reading(c); d != bidi.ON {
				inside, same = true, same || d == outside
			}
		}
		if !inside {
			continue
		}
		d := outside
		if !same && before(classes, pair[0], outside) != outside {
			d = opposite(outside)
		}
		for _, i := range pair {
			classes[i] = d
			for j := i + 1; j < len(text) && original[j] == bidi.NSM; j++ {
				classes[j] = d
			}
		}
	}
}

// bracketPairs finds the pairs of brackets (BD16), by their opening ones.
func bracketPairs(classes []bidi.Class, text []rune) (pairs [][2]int) {
	const depth = 63
	var open []int
	for i, r := range text {
		_, opens := closing[r]
		switch {
		case classes[i] != bidi.ON:
		case opens && len(open) == depth:
			return sorted(pairs)
		case opens:
			open = append(open, i)
		default:
			for at := len(open) - 1; at >= 0; at-- {
				if closing[text[open[at]]] == r {
					pairs = append(pairs, [2]int{open[at], i})
					open = open[:at]
					break
				}
			}
		}
	}
	return sorted(pairs)
}

func sorted(pairs [][2]int) [][2]int {
	slices.SortFunc(pairs, func(a, b [2]int) int { return a[0] - b[0] })
	return pairs
}

// closing are the brackets that names are likely to have.
var closing = map[rune]rune{
	'(': ')', '[': ']', '{': '}', '⟨': '⟩', '〈': '〉', '《': '》', '「': '」', '『': '』', '【': '】', '（': '）', '［': '］',
}
