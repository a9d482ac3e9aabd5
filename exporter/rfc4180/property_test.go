package rfc4180

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// pieces are what random fields and files are made of.
var pieces = []string{
	"", ",", `"`, `""`, "\r", "\n", "\r\n", ";", " ", "a", "plain", "é", "日本", "\U0001F600",
	"\ufeff", "\x00", "\xff", "2026-01-15T10:20:30.123Z", "'=1+2",
}

func randomText(random *rand.Rand, most int) string {
	var text strings.Builder
	for range random.IntN(most + 1) {
		text.WriteString(pieces[random.IntN(len(pieces))])
	}
	return text.String()
}

func randomRows(random *rand.Rand) [][]string {
	rows := make([][]string, random.IntN(8))
	columns := 1 + random.IntN(5)
	for i := range rows {
		for range columns {
			rows[i] = append(rows[i], randomText(random, 4))
		}
	}
	return rows
}

// readAll copies all records and joins the errors.
func readAll(source io.Reader, options Options) (rows [][]string, err error) {
	r := NewReader(source, options)
	for {
		record, fault := r.Read()
		if fault == io.EOF {
			return rows, err
		}
		err = errors.Join(err, fault)
		if fault != nil && options.Strict {
			return rows, err
		}
		var row []string
		for _, field := range record {
			row = append(row, string(field))
		}
		rows = append(rows, row)
	}
}

func sameRows(a, b [][]string) bool {
	return slices.EqualFunc(a, b, func(x, y []string) bool { return slices.Equal(x, y) })
}

func TestDecodeUndoesEncode(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 3_000 {
		rows := randomRows(random)
		data := encode(rows)
		for _, strict := range []bool{true, false} {
			if !strict && bytes.HasPrefix(data, []byte(byteOrderMark)) {
				continue // lenient reading takes the mark off, as promised
			}
			got, err := readAll(bytes.NewReader(data), Options{Strict: strict})
			if err != nil || !sameRows(got, rows) {
				t.Fatalf("strict %t: read %q = %q, %v; want %q", strict, data, got, err, rows)
			}
		}
	}
}

// checkChunks reads the input whole and in pieces and wants the same outcome.
func checkChunks(t *testing.T, input string, options Options) {
	t.Helper()
	want := transcript(strings.NewReader(input), options)
	for name, source := range map[string]io.Reader{
		"byte by byte":    iotest.OneByteReader(strings.NewReader(input)),
		"half by half":    iotest.HalfReader(strings.NewReader(input)),
		"end with data":   iotest.DataErrReader(strings.NewReader(input)),
		"bytes, then end": iotest.DataErrReader(iotest.OneByteReader(strings.NewReader(input))),
	} {
		if got := transcript(source, options); !slices.Equal(got, want) {
			t.Fatalf("%q, %+v, %s:%s\nwant:%s", input, options, name, lines(got), lines(want))
		}
	}
}

func TestChunksDoNotMatter(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		input := randomText(random, 25)
		for _, options := range []Options{{}, {Strict: true}, {MaxRecord: 1 + random.IntN(12)}, {MaxRecord: 9, Strict: true}} {
			checkChunks(t, input, options)
		}
	}
}

// A closing quote at the end of a piece may be half of a doubled one.
func TestDoubledQuoteAcrossPieces(t *testing.T) {
	const input = "\"\n\",\"a\"\"\"\r\n"
	checkChunks(t, input, Options{Strict: true})
	if got, err := readAll(strings.NewReader(input), Options{Strict: true}); err != nil || !sameRows(got, [][]string{{"\n", `a"`}}) {
		t.Errorf("read %q = %q, %v; want a line feed and a\"", input, got, err)
	}
}

// Records around and beyond the first buffer's size, in both directions.
func TestLargeRecords(t *testing.T) {
	var rows [][]string
	for _, size := range []int{1, firstBuffer - 5, firstBuffer, 10, 3 * firstBuffer, 200_000, 2} {
		rows = append(rows, []string{strings.Repeat("x", size), strings.Repeat("\"\r\n", size/3), "é"})
	}
	data := encode(rows)
	for _, source := range []io.Reader{bytes.NewReader(data), iotest.OneByteReader(bytes.NewReader(data))} {
		got, err := readAll(source, Options{Strict: true, MaxRecord: 1 << 20})
		if err != nil || !sameRows(got, rows) {
			t.Errorf("%T: got %d rows, %v; want the %d written", source, len(got), err, len(rows))
		}
	}
}

// A quote forgotten in a long file costs its own line.
func TestForgottenQuoteCostsOneLine(t *testing.T) {
	var input strings.Builder
	const rows, bad = 50_000, 777
	for i := 1; i <= rows; i++ {
		quote := ""
		if i == bad {
			quote = `"`
		}
		fmt.Fprintf(&input, "%d,%sthe customer's note,%d\n", i, quote, i)
	}
	r := NewReader(strings.NewReader(input.String()), Options{MaxRecord: 64 << 10})
	good, faults := 0, []error(nil)
	for {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if good++; string(record[0]) != fmt.Sprint(r.Line()) {
			t.Fatalf("line %d holds record %s", r.Line(), record[0])
		}
	}
	var fault *SyntaxError
	if good != rows-1 || len(faults) != 1 || !errors.As(faults[0], &fault) || fault.Line != bad {
		t.Errorf("%d good records and faults %v; want %d and one on line %d", good, faults, rows-1, bad)
	}
}

// compareStandard holds lenient reading against encoding/csv. Where there is a
// CR or a byte order mark the two differ on purpose.
func compareStandard(t *testing.T, input string) {
	t.Helper()
	if strings.Contains(input, "\r") || strings.HasPrefix(input, byteOrderMark) {
		return
	}
	standard := csv.NewReader(strings.NewReader(input))
	standard.FieldsPerRecord = -1
	want, wantErr := standard.ReadAll()
	var got [][]string
	var gotErr error
	r := NewReader(strings.NewReader(input), Options{})
	for gotErr == nil {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if record == nil {
			gotErr = err
			break
		}
		row := []string{}
		for _, field := range record {
			row = append(row, string(field))
		}
		got = append(got, row)
	}
	if (gotErr == nil) != (wantErr == nil) || wantErr == nil && !sameRows(got, want) {
		t.Fatalf("read %q = %q, %v; encoding/csv says %q, %v", input, got, gotErr, want, wantErr)
	}
}

func TestAgreesWithStandard(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 3_000 {
		compareStandard(t, strings.ReplaceAll(randomText(random, 12), "\r", ""))
		compareStandard(t, strings.ReplaceAll(string(encode(randomRows(random))), "\r", ""))
	}
}
