package rfc4180

import (
	"strings"
	"testing"
)

func addSeeds(f *testing.F) {
	for _, seed := range []string{
		"", "a,b\r\nc,d\r\n", "\"\"\r\n", "\"a\r\nb\",\"\"\"\"\r\n", "\ufeffa;b\n\n\"c\";d", "a\"b\n\"c\"d\n\"e", "\"a\"\r", "a\r\r\n", ",\r\n,\r\n",
	} {
		f.Add(seed, uint8(0))
		f.Add(seed, uint8(7))
	}
}

// What strict reading accepts is the written form of what it read.
func FuzzStrictReencodes(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, input string, _ uint8) {
		rows, err := readAll(strings.NewReader(input), Options{Strict: true})
		if err != nil {
			return
		}
		if got := string(encode(rows)); got != input {
			t.Errorf("%q was read as %q, which is written %q", input, rows, got)
		}
	})
}

// The outcome does not depend on how the input is cut, and encoding/csv agrees
// where it should. Limit 0 is the default limit.
func FuzzOutcome(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, input string, limit uint8) {
		checkChunks(t, input, Options{MaxRecord: int(limit)})
		checkChunks(t, input, Options{MaxRecord: int(limit), Strict: true})
		compareStandard(t, input)
	})
}

// Lenient reading always gets to the end, moving on with every Read, and what
// it accepted survives being written and read again.
func FuzzLenientProgress(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, input string, limit uint8) {
		r := NewReader(strings.NewReader(input), Options{MaxRecord: int(limit), Delimiter: ';'})
		for at := int64(0); ; {
			record, err := r.Read()
			if record == nil && r.err != nil {
				break
			}
			if r.InputOffset() <= at {
				t.Fatalf("%q: Read (%q, %v) stays at offset %d", input, record, err, at)
			}
			at = r.InputOffset()
			checkRewrite(t, record)
		}
		if r.InputOffset() != int64(len(input)) {
			t.Errorf("%q: ended at offset %d, want %d", input, r.InputOffset(), len(input))
		}
	})
}

func checkRewrite(t *testing.T, record [][]byte) {
	t.Helper()
	if record == nil {
		return
	}
	var row []string
	for _, field := range record {
		row = append(row, string(field))
	}
	again, err := readAll(strings.NewReader(string(AppendRecord(nil, row...))), Options{Strict: true})
	if want := [][]string{row}; err != nil || !sameRows(again, want) {
		t.Errorf("%q was read again as %q, %v", want, again, err)
	}
}
