package report

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// wordCells write a text in braces and a number after a colon, each in a way
// that shows where it came from.
func wordCells() []Cell {
	text := func(buf []byte, text string) []byte {
		if text == "" {
			return append(buf, '-')
		}
		return append(append(append(buf, '<'), strings.ToUpper(text)...), '<')
	}
	plain := func(texts Texts) bool {
		for _, text := range texts.Each() {
			if text == "" || strings.ToUpper(text) != text {
				return false
			}
		}
		return true
	}
	number := func(buf []byte, v int64) []byte { return strconv.AppendInt(buf, v, 10) }
	return []Cell{
		{Column: 2, Before: "a=", Text: text, Plain: plain, Quote: '<'},
		{Column: 0, Before: " b=", Int: number},
		{Column: 1, Before: " a name that is longer than a piece of thirty-two bytes=", Text: text},
		{Column: 3, Before: " d=", Text: text, Plain: plain, Quote: '<'},
	}
}

// Whatever a batch looks like, its rows are written as if each cell was
// written by itself.
func TestRowFormWritesEachCell(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	cells := wordCells()
	for range 50 {
		var got, want bytes.Buffer
		form, out := NewRowForm(cells, "|", ",\n"), NewOutput(&got)
		for range 1 + random.IntN(4) {
			batch := randomBatch(random, []int{0, 1, groupRows, 700}[random.IntN(4)])
			if err := form.Write(out, batch); err != nil {
				t.Fatal(err)
			}
			for row := range batch.Len() {
				if want.Len() > 0 {
					want.WriteString(",\n")
				}
				want.Write(rowOf(cells, batch, row))
			}
		}
		if err := out.Flush(0); err != nil {
			t.Fatal(err)
		}
		if i := mismatch(got.String(), want.String()); i >= 0 {
			t.Fatalf("byte %d: got %.90q, want %.90q", i, got.String()[i:], want.String()[i:])
		}
	}
}

func rowOf(cells []Cell, batch Batch, row int) (text []byte) {
	for _, c := range cells {
		text = append(text, c.Before...)
		if c.Int != nil {
			text = c.Int(text, batch[c.Column].Int[row])
		} else {
			text = c.Text(text, batch[c.Column].Text.At(row))
		}
	}
	return append(text, '|')
}

// mismatch is where two texts begin to differ, -1 if they don't.
func mismatch(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}

// randomBatch has a column of numbers and three of text, each coded or not, of
// one text or many, plain for the most part, short or long.
func randomBatch(random *rand.Rand, rows int) Batch {
	batch := make(Batch, 4)
	for range rows {
		batch[0].Int = append(batch[0].Int, random.Int64N(1e6)-1000)
	}
	for column := 1; column < 4; column++ {
		values := make([]string, []int{1, 3, rows}[random.IntN(3)])
		coded := len(values) < rows || random.IntN(2) == 0
		for i := range values {
			values[i] = fmt.Sprint("X", strings.Repeat("Y", random.IntN(12)*random.IntN(12)), random.IntN(1000))
			switch random.IntN(400) {
			case 0:
				values[i] = ""
			case 1:
				values[i] = "small"
			}
		}
		batch[column].Text = Coded{Values: ListTexts(values...)}
		if coded {
			codes := make([]uint32, rows)
			for i := range codes {
				codes[i] = uint32(random.IntN(len(values)))
			}
			batch[column].Text.Codes = codes
		}
	}
	return batch
}

func TestTexts(t *testing.T) {
	texts := ListTexts("one", "", "three", "日本")
	if got := texts.Len(); got != 4 {
		t.Errorf("%d texts, want 4", got)
	}
	part := texts.Part(1, 4)
	for i, want := range []string{"", "three", "日本"} {
		if got := part.At(i); got != want {
			t.Errorf("text %d of the part is %q, want %q", i, got, want)
		}
	}
	if got, want := part.Whole(), "three日本"; got != want {
		t.Errorf("the part holds %q, want %q", got, want)
	}
	for _, empty := range []Texts{{}, ListTexts(), texts.Part(2, 2)} {
		if empty.Len() != 0 || empty.Whole() != "" {
			t.Errorf("an empty list has %d texts, %q", empty.Len(), empty.Whole())
		}
	}
}
