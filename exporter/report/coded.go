package report

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// Texts is a list of texts that lie one behind the other: text i is what lies
// between two bounds. The zero value is empty. A list is never changed.
type Texts struct {
	All    string
	Bounds []uint32 // one more than there are texts, the first at most len(All)

	// Clean tells that each text is known to begin with a letter or a digit, to
	// hold nothing but ASCII from '-' on, without the backslash, and to have at
	// most [CleanSize] bytes, as most ids do. JSON and CSV write that as it is, so
	// they need not look at it again. Without it texts may be so, or not.
	Clean bool
}

// CleanSize is the most bytes that a clean text has.
const CleanSize = 2 * piece

// CleanStart tells whether a text may be clean by its size and its first byte.
// With [CleanRest], which many texts in a row are asked for at once, it is.
func CleanStart(text []byte) bool {
	if len(text) < 1 || len(text) > CleanSize {
		return false
	}
	c := text[0]
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// CleanRest tells whether clean texts may hold these bytes.
func CleanRest(text string) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(text) >= 8; text = text[8:] {
		word := word(text)
		backslash := word ^ ones*'\\'
		if (word|(word-ones*'-')|(backslash-ones))&highs != 0 {
			return false
		}
	}
	for i := range len(text) {
		if c := text[i]; c < '-' || c >= 0x80 || c == '\\' {
			return false
		}
	}
	return true
}

// ListTexts puts texts into a list, in one piece. A single one is not copied.
func ListTexts(texts ...string) Texts {
	bounds := make([]uint32, 1, len(texts)+1)
	for _, text := range texts {
		bounds = append(bounds, bounds[len(bounds)-1]+uint32(len(text)))
	}
	return Texts{All: strings.Join(texts, ""), Bounds: bounds}
}

// Len is the number of texts.
func (t Texts) Len() int { return max(0, len(t.Bounds)-1) }

// At gives text i.
func (t Texts) At(i int) string { return t.All[t.Bounds[i]:t.Bounds[i+1]] }

// Each gives the texts with their places.
func (t Texts) Each() iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for i := range t.Len() {
			if !yield(i, t.At(i)) {
				return
			}
		}
	}
}

// Part gives the texts from one on to before another one.
func (t Texts) Part(from, to int) Texts {
	if from == to {
		return Texts{}
	}
	return Texts{t.All, t.Bounds[from : to+1], t.Clean}
}

// Whole gives all texts, one behind the other.
func (t Texts) Whole() string {
	if len(t.Bounds) == 0 {
		return ""
	}
	return t.All[t.Bounds[0]:t.Bounds[len(t.Bounds)-1]]
}

// check makes sure that the texts are valid UTF-8, each of them: of a character
// that lies across two, neither has a whole one.
func (t Texts) check() error {
	if t.Clean || t.Len() == 0 {
		return nil
	}
	if !utf8.ValidString(t.Whole()) {
		return errNotUTF8
	}
	for _, at := range t.Bounds[:t.Len()] {
		if int(at) < len(t.All) && !utf8.RuneStart(t.All[at]) {
			return errNotUTF8
		}
	}
	return nil
}

// longest is the size of the longest text, in bytes, or more.
func (t Texts) longest() (most int) {
	if t.Clean {
		return CleanSize
	}
	for i := range t.Len() {
		most = max(most, int(t.Bounds[i+1]-t.Bounds[i]))
	}
	return most
}

// Coded holds text that repeats: value i is Values.At(Codes[i]), or
// Values.At(i) where Codes is nil. The empty string stands for an absent value.
type Coded struct {
	Values Texts
	Codes  []uint32
}

// Len is the number of values, repetitions included.
func (c Coded) Len() int {
	if c.Codes == nil {
		return c.Values.Len()
	}
	return len(c.Codes)
}

// Repeats tells whether values repeat so often that writing out each of them
// once, to copy it from there, is worth it.
func (c Coded) Repeats() bool { return len(c.Codes) > 0 && 2*c.Values.Len() <= len(c.Codes) }

// At gives value i.
func (c Coded) At(i int) string {
	if c.Codes == nil {
		return c.Values.At(i)
	}
	return c.Values.At(int(c.Codes[i]))
}

// Head gives the first values, at most so many.
func (c Coded) Head(most int) Coded {
	switch {
	case c.Len() <= most:
		return c
	case c.Codes == nil:
		return Coded{Values: c.Values.Part(0, most)}
	}
	return Coded{c.Values, c.Codes[:most]}
}

// plain writes out each value.
func (c Coded) plain() Coded {
	values := make([]string, c.Len())
	for i := range values {
		values[i] = c.At(i)
	}
	return Coded{Values: ListTexts(values...)}
}
