package rfc4180

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// transcript reads to the end and tells what came: for each Read the line, the
// fields, the error and the offset after it.
func transcript(source io.Reader, options Options) (steps []string) {
	r := NewReader(source, options)
	for {
		record, err := r.Read()
		if err == io.EOF {
			return append(steps, fmt.Sprintf("end @%d", r.InputOffset()))
		}
		step := fmt.Sprintf("%d:", r.Line())
		for _, field := range record {
			step += fmt.Sprintf(" %q", field)
		}
		var fault *SyntaxError
		if err != nil {
			step += " ! " + err.Error()
		}
		steps = append(steps, fmt.Sprintf("%s @%d", step, r.InputOffset()))
		if err != nil && (options.Strict || !errors.As(err, &fault)) {
			return steps
		}
	}
}

func lines(steps []string) string { return "\n\t" + strings.Join(steps, "\n\t") }

func TestReadLenient(t *testing.T) {
	tests := []struct {
		name, input string
		options     Options
		want        []string
	}{
		{"empty", "", Options{}, []string{"end @0"}},
		{"mark alone", "\ufeff", Options{}, []string{"end @3"}},
		{"half a mark", "\xef\xbb", Options{}, []string{`1: "\xef\xbb" @2`, "end @2"}},
		{"mark", "\ufeffa,b\n", Options{}, []string{`1: "a" "b" @7`, "end @7"}},
		{"mark, then quote", "\ufeff\"a\",b\n", Options{}, []string{`1: "a" "b" @9`, "end @9"}},
		{"second mark is text", "\ufeff\ufeffa\n", Options{}, []string{`1: "\ufeffa" @8`, "end @8"}},
		{"mixed line ends", "a\nb\r\nc", Options{}, []string{`1: "a" @2`, `2: "b" @5`, `3: "c" @6`, "end @6"}},
		{"empty lines", "\r\n\na\n\r\n\r\nb\n\n", Options{}, []string{`3: "a" @5`, `6: "b" @11`, "end @12"}},
		{"a space is no empty line", " \n", Options{}, []string{`1: " " @2`, "end @2"}},
		{"empty fields", ",\n\"\",\"\"", Options{}, []string{`1: "" "" @2`, `2: "" "" @7`, "end @7"}},
		{"quoted empty field", "\"\"\n\"\"\r\n\"\"", Options{}, []string{`1: "" @3`, `2: "" @7`, `3: "" @9`, "end @9"}},
		{"CR is text", "a\rb\r\r\n\r", Options{}, []string{`1: "a\rb\r" @6`, `2: "\r" @7`, "end @7"}},
		{"quoted line ends", "\"a\r\nb\rc\nd\",e\r\nf,g", Options{},
			[]string{`1: "a\r\nb\rc\nd" "e" @14`, `4: "f" "g" @17`, "end @17"}},
		{"doubled quotes", "\"\"\"a\"\"\",\"\"\"\",x\n", Options{}, []string{`1: "\"a\"" "\"" "x" @15`, "end @15"}},
		{"semicolon", "a,b;\"c;d\"\n", Options{Delimiter: ';'}, []string{`1: "a,b" "c;d" @10`, "end @10"}},
		{"tab", "a\tb\r\n\"c\t\"\t\n", Options{Delimiter: '\t'}, []string{`1: "a" "b" @5`, `2: "c\t" "" @11`, "end @11"}},
		{"not UTF-8", "\xff\xfe,\x00\n", Options{}, []string{`1: "\xff\xfe" "\x00" @5`, "end @5"}},
		{"wrong counts", "a,b\nc\nd,e,f\ng,h\n", Options{}, []string{
			`1: "a" "b" @4`,
			`2: "c" ! line 2, column 1: record has 1 field, the header has 2 @6`,
			`3: "d" "e" "f" ! line 3, column 1: record has 3 fields, the header has 2 @12`,
			`4: "g" "h" @16`, "end @16"}},
		{"bare quote", "a,b\"c\nd,e\n", Options{}, []string{
			`1: ! line 1, column 4: bare quote in an unquoted field @6`, `2: "d" "e" @10`, "end @10"}},
		{"data after quote", "\"a\"b,c\nd,e\n", Options{}, []string{
			`1: ! line 1, column 4: data after closing quote @7`, `2: "d" "e" @11`, "end @11"}},
		{"CR after quote", "\"a\"\rb\nc\n", Options{}, []string{
			`1: ! line 1, column 4: data after closing quote @6`, `2: "c" @8`, "end @8"}},
		{"fault on the last line", "a\nb\"", Options{}, []string{
			`1: "a" @2`, `2: ! line 2, column 2: bare quote in an unquoted field @4`, "end @4"}},
		{"fault after a field of two lines", "\"a\nb\",c\"\nd,e\n", Options{}, []string{
			`1: ! line 2, column 5: bare quote in an unquoted field @9`, `3: "d" "e" @13`, "end @13"}},
		{"forgotten quote, closed by the next", "a,\"b\nc,d\n\"e\",f\ng,h\n", Options{}, []string{
			`1: ! line 3, column 2: data after closing quote (the quote was opened on line 1) @5`,
			`2: "c" "d" @9`, `3: "e" "f" @15`, `4: "g" "h" @19`, "end @19"}},
		{"forgotten quote, never closed", "a,b\nc,\"d\ne,f\ng,h", Options{}, []string{
			`1: "a" "b" @4`, `2: ! line 2, column 3: quote never closed @9`,
			`3: "e" "f" @13`, `4: "g" "h" @16`, "end @16"}},
		{"forgotten quote, limit", "c,\"d\ne,f\ng,h\ni,j\n", Options{MaxRecord: 9}, []string{
			`1: ! line 1, column 3: quote never closed within the 9 bytes that a record may have @5`,
			`2: "e" "f" @9`, `3: "g" "h" @13`, `4: "i" "j" @17`, "end @17"}},
		{"at the limit", "abcde\n\"bcd\"\nabcdef\n\"bcde\"\nabcd\r\nabcdef", Options{MaxRecord: 6}, []string{
			`1: "abcde" @6`, `2: "bcd" @12`,
			`3: ! line 3, column 1: record is longer than 6 bytes @19`,
			`4: ! line 4, column 1: record is longer than 6 bytes @26`,
			`5: "abcd" @32`,
			`6: ! line 6, column 1: record is longer than 6 bytes @38`, "end @38"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := transcript(strings.NewReader(test.input), test.options); !slices.Equal(got, test.want) {
				t.Errorf("read %q:%s\nwant:%s", test.input, lines(got), lines(test.want))
			}
		})
	}
}

func TestReadStrict(t *testing.T) {
	tests := []struct {
		name, input string
		want        []string
	}{
		{"empty", "", []string{"end @0"}},
		{"records", "a,b\r\n\"c,\",\"\"\"\"\r\n", []string{`1: "a" "b" @5`, `2: "c," "\"" @16`, "end @16"}},
		{"lone empty field", "\"\"\r\n", []string{`1: "" @4`, "end @4"}},
		{"mark is text", "\ufeffa\r\n", []string{`1: "\ufeffa" @6`, "end @6"}},
		{"line ends inside", "\"\r\",\"\n\",\"\r\n\"\r\n", []string{`1: "\r" "\n" "\r\n" @14`, "end @14"}},
		{"LF", "a\n", []string{`1: ! line 1, column 2: line ends in LF alone, not CR LF @0`}},
		{"LF after quotes", "\",\"\n", []string{`1: ! line 1, column 4: line ends in LF alone, not CR LF @0`}},
		{"CR", "a\rb\r\n", []string{`1: ! line 1, column 2: CR in an unquoted field @0`}},
		{"CR beside quotes", "\",\",a\r\r\n", []string{`1: ! line 1, column 6: CR in an unquoted field @0`}},
		{"no line end", "a\r\nb", []string{`1: "a" @3`, `2: ! line 2, column 2: last record has no line end @3`}},
		{"half a line end", "a\r", []string{`1: ! line 1, column 3: last record has no line end @0`}},
		{"no line end after quotes", "\"\"", []string{`1: ! line 1, column 3: last record has no line end @0`}},
		{"empty line", "a\r\n\r\n", []string{`1: "a" @3`, `2: ! line 2, column 1: empty line @3`}},
		{"needless quotes", "a,\"b\"\r\n", []string{`1: ! line 1, column 3: quotes around a field that needs none @0`}},
		{"needless quotes, empty first", "\"\",b\r\n", []string{`1: ! line 1, column 1: quotes around a field that needs none @0`}},
		{"needless quotes, empty last", "b,\"\"\r\n", []string{`1: ! line 1, column 3: quotes around a field that needs none @0`}},
		{"count", "a,b\r\nc\r\n", []string{`1: "a" "b" @5`, `2: ! line 2, column 1: record has 1 field, the header has 2 @8`}},
		{"bare quote", "a\"\r\n", []string{`1: ! line 1, column 2: bare quote in an unquoted field @0`}},
		{"data after quote", "\",\"a\r\n", []string{`1: ! line 1, column 4: data after closing quote @0`}},
		{"unclosed", "\"a\r\n", []string{`1: ! line 1, column 1: quote never closed @0`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := transcript(strings.NewReader(test.input), Options{Strict: true}); !slices.Equal(got, test.want) {
				t.Errorf("read %q:%s\nwant:%s", test.input, lines(got), lines(test.want))
			}
		})
	}
}

func TestStrictErrorsRepeat(t *testing.T) {
	r := NewReader(strings.NewReader("a\nb\r\n"), Options{Strict: true})
	_, first := r.Read()
	record, second := r.Read()
	if first == nil || second != first || record != nil {
		t.Errorf("second Read = %q, %v; want nil and the error of the first, %v", record, second, first)
	}
}

func TestTooLong(t *testing.T) {
	for _, input := range []string{strings.Repeat("x", 100), `"` + strings.Repeat("x\n", 100), "\"" + strings.Repeat("\"", 98)} {
		_, err := NewReader(strings.NewReader(input), Options{MaxRecord: 50}).Read()
		if !errors.Is(err, ErrTooLong) {
			t.Errorf("read %.10q…: %v, want ErrTooLong", input, err)
		}
	}
	_, err := NewReader(strings.NewReader(`a"`), Options{MaxRecord: 50}).Read()
	if err == nil || errors.Is(err, ErrTooLong) {
		t.Errorf("read a bare quote: %v, want an error other than ErrTooLong", err)
	}
}

func TestBadOptions(t *testing.T) {
	for _, options := range []Options{
		{Delimiter: '"'}, {Delimiter: '\r'}, {Delimiter: '\n'}, {Delimiter: 0xef},
		{Delimiter: ';', Strict: true}, {MaxRecord: -1},
	} {
		r := NewReader(strings.NewReader("a\r\n"), options)
		if record, err := r.Read(); err == nil || record != nil {
			t.Errorf("%+v: Read = %q, %v; want an error", options, record, err)
		}
	}
}

// A source that breaks down must not pass for one that ended.
func TestSourceFails(t *testing.T) {
	broken := errors.New("broken")
	for _, input := range []string{"a,b\nc,d", "a,b\nc,\"d", "a,b\nc,\"d\"", "a,b\n"} {
		source := io.MultiReader(strings.NewReader(input), iotest.ErrReader(broken))
		r := NewReader(source, Options{})
		if record, err := r.Read(); err != nil || len(record) != 2 {
			t.Fatalf("first Read of %q = %q, %v; want two fields", input, record, err)
		}
		for range 2 {
			if record, err := r.Read(); !errors.Is(err, broken) || record != nil {
				t.Errorf("next Read of %q = %q, %v; want %v", input, record, err, broken)
			}
		}
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestSourceGivesNothing(t *testing.T) {
	if _, err := NewReader(idle{}, Options{}).Read(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("Read = %v, want %v", err, io.ErrNoProgress)
	}
}

// The caller owns the fields until the next Read, and appending to one must
// not run into its neighbour.
func TestFieldsAreApart(t *testing.T) {
	for _, input := range []string{"ab,cd\n", "\"ab\",cd\n", "\"a\"\"b\",cd\n"} {
		record, err := NewReader(strings.NewReader(input), Options{}).Read()
		if err != nil {
			t.Fatal(err)
		}
		_ = append(record[0], "XXXXXX"...)
		if got := string(record[1]); got != "cd" {
			t.Errorf("%q: second field is %q after appending to the first, want cd", input, got)
		}
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, strict := range []bool{true, false} {
		r := NewReader(&endless{data: encode(ledgerRows(2_000, 3))}, Options{Strict: strict})
		read := func() {
			if _, err := r.Read(); err != nil {
				t.Fatal(err)
			}
		}
		if got := testing.AllocsPerRun(20_000, read); got != 0 {
			t.Errorf("strict %t: %v allocations per record, want 0", strict, got)
		}
	}
}
