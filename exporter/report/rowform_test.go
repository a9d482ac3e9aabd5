package report

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// wordCells write texts, numbers and instants, each in a way that shows where
// it came from.
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
	number := func(buf []byte, v int64) []byte {
		if v > MaxAmount || v < -MaxAmount {
			buf = append(buf, '#')
		}
		return strconv.AppendInt(buf, v, 10)
	}
	instant := func(buf []byte, ms int64) []byte { return append(AppendTime(append(buf, '<'), ms), '<') }
	return []Cell{
		{Column: 2, Type: String, Before: "a=", Text: text, Plain: plain, Quote: '<'},
		{Column: 0, Type: Integer, Before: " b=", Int: number, Absent: "nothing"},
		{Column: 1, Type: String, Before: " a name that is longer than a piece of thirty-two bytes=", Text: text, Quote: '<'},
		{Column: 4, Type: Time, Before: " c=", Int: instant, Quote: '<', Absent: "never, which is longer than a piece is"},
		{Column: 3, Type: String, Before: " d=", Text: text, Plain: plain, Quote: '<'},
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
			batch := randomBatch(random, []int{0, 1, sheetRows, groupRows, 700}[random.IntN(5)])
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
		switch values := batch[c.Column]; {
		case c.Type == String:
			text = c.Text(text, values.Text.At(row))
		case values.Int[row] == Null:
			text = append(text, c.Absent...)
		default:
			text = c.Int(text, values.Int[row])
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

// randomBatch has a column of numbers, three of text and one of instants. The
// texts are coded or not, of one text or many, most of them plain or clean,
// short or long.
func randomBatch(random *rand.Rand, rows int) Batch {
	batch := make(Batch, 5)
	odd := random.IntN(3) // how often there is something unusual
	for range rows {
		number, instant := random.Int64N(1_000)*random.Int64N(1_000)*random.Int64N(1_000_000)-100, random.Int64N(4e12)
		switch random.IntN(300) {
		case 0, 1, 2:
			if odd > 0 {
				number, instant = Null, Null
			}
		case 3:
			if odd > 1 {
				number = []int64{MaxAmount + 1, -MaxAmount - 1, -MaxAmount, MaxAmount, math.MaxInt64}[random.IntN(5)]
			}
		}
		batch[0].Int = append(batch[0].Int, number)
		batch[4].Int = append(batch[4].Int, instant)
	}
	for column := 1; column < 4; column++ {
		values := make([]string, []int{1, 3, rows}[random.IntN(3)])
		coded := len(values) < rows || random.IntN(2) == 0
		clean := random.IntN(2) == 0
		for i := range values {
			values[i] = fmt.Sprint("X", strings.Repeat("Y", random.IntN(12)*random.IntN(12)), random.IntN(1000))
			switch {
			case clean:
				values[i] = values[i][:min(len(values[i]), CleanSize)]
			case odd > 0 && random.IntN(400) == 0:
				values[i] = ""
			case odd > 0 && random.IntN(400) == 1:
				values[i] = "small"
			}
		}
		batch[column].Text = Coded{Values: ListTexts(values...)}
		batch[column].Text.Values.Clean = clean
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

// Rows of which few fit in a sheet, or one does not, are written like others.
func TestRowFormWritesWideRows(t *testing.T) {
	const rows = 2*sheetRows + 3
	cells := wordCells()
	for _, size := range []int{sheetSize / sheetRows, sheetSize / 3, sheetSize, 3 * sheetSize} {
		batch := randomBatch(rand.New(rand.NewPCG(3, 4)), rows)
		for column := 1; column < 4; column++ {
			texts := make([]string, rows)
			for i := range texts {
				texts[i] = fmt.Sprint("T", i)
			}
			texts[column], texts[rows-column] = strings.Repeat("W", size), strings.Repeat("V", size-column)
			batch[column].Text = Coded{Values: ListTexts(texts...)}
		}
		batch[3].Text = Coded{ListTexts(strings.Repeat("U", size), "SHORT"), make([]uint32, rows)}
		batch[3].Text.Codes[rows/2] = 1
		var got, want bytes.Buffer
		out := NewOutput(&got)
		if err := NewRowForm(cells, "|", "").Write(out, batch); err != nil {
			t.Fatal(err)
		}
		if err := out.Flush(0); err != nil {
			t.Fatal(err)
		}
		for row := range rows {
			want.Write(rowOf(cells, batch, row))
		}
		if i := mismatch(got.String(), want.String()); i >= 0 {
			t.Errorf("texts of %d bytes, byte %d: got %.90q, want %.90q", size, i, got.String()[i:], want.String()[i:])
		}
	}
}

// Text that is not UTF-8 is refused in each of the ways to write it.
func TestRowFormRefusesText(t *testing.T) {
	for name, text := range map[string]Coded{
		"plain":  {Values: ListTexts("good", "bad\xff", "good")},
		"by row": {Values: ListTexts("good", "bad\xff", "good")},
		"coded":  {Values: ListTexts("good", "bad\xff"), Codes: []uint32{0, 1, 0, 0}},
		"same":   {Values: ListTexts("bad\xff"), Codes: []uint32{0, 0}},
		"beyond": {Values: ListTexts("good", "other"), Codes: []uint32{0, 1, 2, 0}},

		// One behind the other they are a character.
		"plain halves":  {Values: ListTexts("bad\xe6\x97", "\xa5bad")},
		"halves by row": {Values: ListTexts("bad\xe6\x97", "\xa5bad")},
		"coded halves":  {Values: ListTexts("bad\xe6\x97", "\xa5bad"), Codes: []uint32{0, 1, 0, 1}},
	} {
		cells := []Cell{{Type: String, Text: func(buf []byte, text string) []byte { return append(buf, text...) }}}
		if strings.HasPrefix(name, "plain") {
			cells[0].Plain = func(Texts) bool { return true }
		}
		err := NewRowForm(cells, "|", "").Write(NewOutput(new(bytes.Buffer)), Batch{{Text: text}})
		want := errNotUTF8.Error()
		if name == "beyond" {
			want = "code 2 of 2 texts"
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

func TestPutDigits(t *testing.T) {
	values := []uint64{0, 7, MaxAmount}
	for power := uint64(10); power < MaxAmount; power *= 10 {
		values = append(values, power-1, power, power+1, 7*power)
	}
	for _, v := range values {
		buf := []byte("=..................................")
		if got, want := string(buf[:putDigits(buf, 1, v)]), fmt.Sprint("=", v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// What is said to be clean is written by the canonical form as it is.
func TestCleanIsWrittenAsItIs(t *testing.T) {
	for c := range 256 {
		for length := range 20 {
			for at := range length {
				text := []byte(strings.Repeat("a", length))
				text[at] = byte(c)
				clean := CleanStart(text) && CleanRest(string(text))
				if want := `"` + string(text) + `"`; clean && string(AppendString(nil, string(text))) != want {
					t.Errorf("%q is called clean", text)
				}
				letter := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
				if letter && !clean || c == '-' && at > 0 && !clean {
					t.Errorf("%q is not called clean", text)
				}
			}
		}
	}
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
