package render

import (
	"bytes"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"licensekit/exporter/report"
)

// twoSections share the columns id and at; in the second they stand the other
// way round, and amount is text.
func twoSections() []report.Section {
	return []report.Section{
		{Name: "licenses", Columns: []report.Column{
			{Name: "id", Type: report.String}, {Name: "amount", Type: report.Integer}, {Name: "at", Type: report.Time}}},
		{Name: "usage", Columns: []report.Column{
			{Name: "at", Type: report.Time}, {Name: "feature", Type: report.String}, {Name: "id", Type: report.String}, {Name: "amount", Type: report.String}}},
	}
}

func withRows(sections []report.Section, rows ...[][]any) []report.Section {
	for i := range sections {
		sections[i].Rows = rowsOf(sections[i].Columns, rows[i], 2)
	}
	return sections
}

func encodeSections(t testing.TB, sections []report.Section) string {
	t.Helper()
	return string(encode(t, csvFormat, &report.Document{Sections: sections}))
}

// readSections decodes a file by a schema that no kind has.
func readSections(file string, sections []report.Section) ([]table, error) {
	if err := readCSV(strings.NewReader(file), sections); err != nil {
		return nil, err
	}
	return tables(&report.Document{Sections: sections})
}

func TestCSVBytes(t *testing.T) {
	one := []report.Section{{Name: "s", Columns: []report.Column{{Name: "only", Type: report.String}}}}
	tests := []struct {
		name     string
		sections []report.Section
		want     string
	}{
		{"sections", withRows(twoSections(),
			[][]any{{"l,1", int64(-5), int64(0)}, {"=l", report.Null, report.Null}},
			[][]any{{int64(951782400001), "", "-", "-5"}, {report.Null, `a"b`, "", ""}}),
			"section,id,amount,at,feature\r\n" +
				"licenses,\"l,1\",-5,1970-01-01T00:00:00.000Z,\r\n" +
				"licenses,'=l,,,\r\n" +
				"usage,'-,'-5,2000-02-29T00:00:00.001Z,\r\n" +
				"usage,,,,\"a\"\"b\"\r\n"},
		{"empty sections", withRows(twoSections(), nil, nil), "section,id,amount,at,feature\r\n"},
		{"first section empty", withRows(twoSections(), nil, [][]any{{report.Null, "f", "", ""}}),
			"section,id,amount,at,feature\r\nusage,,,,f\r\n"},
		{"lone column", withRows(one, [][]any{{""}, {"x"}, {"\r="}, {"\t,"}}), "only\r\n\"\"\r\nx\r\n\"'\r=\"\r\n\"'\t,\"\r\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want, _ := tables(&report.Document{Sections: test.sections})
			file := encodeSections(t, test.sections)
			if file != test.want {
				t.Errorf("encoded %q\nwant    %q", file, test.want)
			}
			if got, err := readSections(file, test.sections); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("decoded %s, %v; want %s", show(got), err, show(want))
			}
		})
	}
}

func TestCSVGuard(t *testing.T) {
	tests := []struct{ text, field string }{
		{"=1+2", "'=1+2"}, {"+1", "'+1"}, {"-1", "'-1"}, {"@SUM", "'@SUM"}, {"\t", "'\t"}, {"\rx", "\"'\rx\""},
		{"'", "''"}, {"'x", "''x"}, {"''", "'''"}, {"=,", `"'=,"`}, {`='"`, `"'='"""`},
		{"x=", "x="}, {" =", " ="}, {"\n=", "\"\n=\""}, {"1-2", "1-2"}, {"\uff1d1", "\uff1d1"},
	}
	for _, test := range tests {
		if got := string(appendText([]byte("x,"), test.text)); got != "x,"+test.field {
			t.Errorf("appendText(%q) gives %q, want %q", test.text, got, "x,"+test.field)
		}
	}
}

// By a schema of two sections, whatever the kinds of this build have.
func TestCSVSectionsRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 1_000 {
		sections := randomSections(random, twoSections())
		want, _ := tables(&report.Document{Sections: sections})
		file := encodeSections(t, sections)
		if got, err := readSections(file, twoSections()); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("decode %q = %s, %v; want %s", file, show(got), err, show(want))
		}
	}
}

func TestCSVRefusals(t *testing.T) {
	const header = "section,id,amount,at,feature\r\n"
	tests := []struct{ name, file, want string }{
		{"nothing", "", "line 1, column 1: the header is missing"},
		{"byte order mark", "\ufeff" + header, "line 1, column 1 (section): the header has"},
		{"LF", strings.ReplaceAll(header, "\r", ""), "line 1, column 29: line ends in LF alone"},
		{"short header", "section,id,amount,at\r\n", "line 1, column 5 (feature): missing in the header"},
		{"long header", "section,id,amount,at,feature,more\r\n", `line 1, column 6: "more" is not a column`},
		{"other header", "section,id,at,amount,feature\r\n", `line 1, column 3 (amount): the header has "at" here`},
		{"case of header", "Section,id,amount,at,feature\r\n", `line 1, column 1 (section)`},
		{"field count", header + "licenses,a\r\n", "line 2, column 1: record has 2 fields"},
		{"unknown section", header + "orders,,,,\r\n", `line 2, column 1 (section): "orders" is not a section`},
		{"no section", header + ",,,,\r\n", `line 2, column 1 (section): "" is not a section`},
		{"section order", header + "usage,,,,\r\nlicenses,,,,\r\n", "line 3, column 1 (section): a row of licenses after"},
		{"foreign column", header + "licenses,,,,f\r\n", `line 2, column 5 (feature): "f" in a row of licenses`},
		{"plus", header + "licenses,,+5,,\r\n", `line 2, column 3 (amount): integer "+5" is not in canonical form`},
		{"leading zero", header + "licenses,,05,,\r\n", `(amount): integer "05" is not in`},
		{"minus zero", header + "licenses,,-0,,\r\n", `(amount): integer "-0" is not in`},
		{"separator", header + "licenses,,1_000,,\r\n", `"1_000" is not a 64-bit integer`},
		{"decimals", header + "licenses,,1.0,,\r\n", `"1.0" is not a 64-bit integer`},
		{"out of range", header + "licenses,,9223372036854775808,,\r\n", "is not a 64-bit integer"},
		{"the null value", header + "licenses,,-9223372036854775808,,\r\n", "is not in canonical form"},
		{"guarded number", header + "licenses,,'5,,\r\n", `"'5" is not a 64-bit integer`},
		{"seconds only", header + "licenses,,,2026-01-01T00:00:00Z,\r\n", "line 2, column 4 (at): time"},
		{"offset", header + "licenses,,,2026-01-01T00:00:00.000+00:00,\r\n", "(at): time"},
		{"comma in time", header + "licenses,,,\"2026-01-01T00:00:00,000Z\",\r\n", "(at): time"},
		{"no such day", header + "licenses,,,2026-02-29T00:00:00.000Z,\r\n", "(at): time"},
		{"no guard", header + "licenses,=1,,,\r\n", `line 2, column 2 (id): "=1" has no ' in front`},
		{"needless guard", header + "licenses,'a,,,\r\n", `line 2, column 2 (id): "'a" has a ' in front that it does not need`},
		{"lone guard", header + "licenses,',,,\r\n", "has a ' in front that it does not need"},
		{"Latin-1", header + "licenses,caf\xe9,,,\r\n", "line 2, column 2 (id): \"caf\\xe9\" is not valid UTF-8"},
		{"no end of line", header + "licenses,a,,,", "line 2, column 14: last record has no line end"},
		{"empty line", header + "\r\n", "line 2, column 1: empty line"},
		{"needless quotes", header + "licenses,\"a\",,,\r\n", "line 2, column 10: quotes around a field that needs none"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := readSections(test.file, twoSections())
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "decode csv: line ") {
				t.Errorf("decode %q = %s, %v; want an error with %q", test.file, show(got), err, test.want)
			}
		})
	}
}

// A reader may stop in the last section, and then gets no error.
func TestCSVStopsEarly(t *testing.T) {
	rows := make([][]any, 3*report.BatchRows)
	for i := range rows {
		rows[i] = []any{int64(i), "f", "id", ""}
	}
	file := encodeSections(t, withRows(twoSections(), nil, rows))
	read := twoSections()
	if err := readCSV(strings.NewReader(file), read); err != nil {
		t.Fatal(err)
	}
	var batches, count int
	for range read[0].Rows {
		t.Error("the first section has rows")
	}
	for batch, err := range read[1].Rows {
		if err != nil {
			t.Fatal(err)
		}
		count, batches = count+batch.Len(), batches+1
		if batches == 2 {
			break
		}
	}
	if want := 2 * report.BatchRows; count != want {
		t.Errorf("two batches hold %d rows, want %d", count, want)
	}
}

func FuzzCSV(f *testing.F) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 20 {
		f.Add([]byte(encodeSections(f, randomSections(random, twoSections()))))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		sections := twoSections()
		if err := readCSV(bytes.NewReader(file), sections); err != nil {
			return
		}
		read, err := tables(&report.Document{Sections: sections})
		if err != nil {
			return
		}
		sections = withRows(twoSections(), read[0].rows, read[1].rows)
		if again := encodeSections(t, sections); again != string(file) {
			t.Errorf("%q was read as %s, which is written %q", file, show(read), again)
		}
	})
}

func TestCSVRowsAllocateNothing(t *testing.T) {
	d := syntheticLedger(t, report.BatchRows)
	r := newLayout(d.Sections).records(0)
	out := report.NewOutput(io.Discard)
	for batch := range d.Sections[0].Rows {
		ids := make([]string, batch.Len())
		for i := range ids {
			ids[i] = batch[1].Text.At(i)
		}
		ids[0], ids[1] = `="quoted"`, "-5"
		batch[1].Text = report.Coded{Values: report.ListTexts(ids...)}
		write := func() {
			if err := r.Write(out, batch); err != nil {
				t.Fatal(err)
			}
		}
		if got := testing.AllocsPerRun(5, write); got != 0 {
			t.Errorf("%v allocations for %d rows, want 0", got, batch.Len())
		}
	}
}

// What is said to be clean needs neither quotes nor a guard.
func TestCleanIsWrittenAsItIs(t *testing.T) {
	for c := range 256 {
		for at := range 9 {
			text := []byte("abcdefghi")
			text[at] = byte(c)
			if !report.CleanStart(text) || !report.CleanRest(string(text)) {
				continue
			}
			if got := string(appendText(nil, string(text))); got != string(text) {
				t.Errorf("%q is called clean and written %q", text, got)
			}
		}
	}
}
