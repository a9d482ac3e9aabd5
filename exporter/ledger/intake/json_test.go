package intake

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"licensekit/exporter/report"
)

const rest = `"action":"usage.consumed","occurred_at":"2026-01-01T00:00:00Z"`

// jsonRows are rows that are refused one by one, well-formed or not.
var jsonRows = []struct {
	name, row            string
	field, code, message string
	malformed            bool
}{
	{"number for id", `{"id":1,` + rest + `}`, "id", CodeInvalidType, "must be text, not a JSON number", false},
	{"string for amount", `{"id":"a","amount":"1",` + rest + `}`, "amount", CodeInvalidType, "must be an integer, not a JSON string", false},
	{"1.0", `{"id":"a","amount":1.0,` + rest + `}`, "amount", CodeInvalidType, "is not an integer", false},
	{"1e3", `{"id":"a","amount":1e3,` + rest + `}`, "amount", CodeInvalidType, "is not an integer", false},
	{"2^53", `{"id":"a","amount":9007199254740992,` + rest + `}`, "amount", CodeOutOfRange, "2^53-1", false},
	{"number for time", `{"id":"a","action":"b","occurred_at":1}`, "occurred_at", CodeInvalidType, "must be a time", false},
	{"bad time", `{"id":"a","action":"b","occurred_at":"1"}`, "occurred_at", CodeInvalidTime, "RFC 3339", false},
	{"null id", `{"id":null,` + rest + `}`, "id", CodeMissingField, "is required", false},
	{"empty object", `{}`, "id", CodeMissingField, "is required", false},
	{"unknown", `{"id":"a","color":1,` + rest + `}`, "color", CodeUnknownField, "map field=column", false},
	{"sequence", `{"id":"a","sequence":1,` + rest + `}`, "sequence", CodeUnknownField, "given by the ledger", false},
	{"odd name", `{"id":"a","\n":1,` + rest + `}`, `"\n"`, CodeUnknownField, "not a field", false},
	{"twice", `{"id":"a","id":"a",` + rest + `}`, "id", CodeDuplicate, "stands twice", false},
	{"twice, escaped", `{"id":"a","\u0069d":"a",` + rest + `}`, "id", CodeDuplicate, "stands twice", false},
	{"metadata as text", `{"id":"a","metadata":"{}",` + rest + `}`, "metadata", CodeInvalidType, "must be a JSON object", false},
	{"half a surrogate", `{"id":"a\ud800",` + rest + `}`, "id", CodeInvalidText, "UTF-8", false},
	{"control character", `{"id":"a\u0000",` + rest + `}`, "id", CodeInvalidText, "U+0000", false},
	{"not UTF-8", `{"id":"` + "\xff" + `",` + rest + `}`, "id", CodeInvalidText, "UTF-8", false},
	{"array", `[1]`, "", CodeInvalidType, "must be a JSON object, not a JSON array", false},
	{"number", `12`, "", CodeInvalidType, "not a JSON number", false},
	{"no quotes", `{id:1}`, "", CodeMalformedRow, `'i' where a name is due`, true},
	{"comma", `{"id":"a",}`, "", CodeMalformedRow, `'}' where a name is due`, true},
	{"bad number", `{"id":01}`, "", CodeMalformedRow, "number \"01\"", true},
	{"bad word", `{"id":nil}`, "", CodeMalformedRow, "'n' where a value is due", true},
	{"bad escape", `{"id":"\x"}`, "", CodeMalformedRow, "bad escape", true},
	{"deep", `{"id":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, "", CodeMalformedRow, "nested more than 64", true},
}

func TestNDJSONRows(t *testing.T) {
	rows := append(jsonRows[:len(jsonRows):len(jsonRows)], []struct {
		name, row            string
		field, code, message string
		malformed            bool
	}{
		{"half", `{"id":"a"`, "", CodeMalformedRow, "JSON ends", true},
		{"half a string", `{"id":"a`, "", CodeMalformedRow, "JSON ends within a string", true},
		{"two rows", `{"id":"a",` + rest + `}{}`, "", CodeMalformedRow, "the end of the row is due", true},
		{"CSV", `id,action`, "", CodeMalformedRow, "a value is due", true},
		{"long", `{"id":"` + strings.Repeat("x", 100_000) + `"}`, "", CodeMalformedRow, "is longer than 90000 bytes", true},
	}...)
	for _, test := range rows {
		t.Run(test.name, func(t *testing.T) {
			text := `{"id":"first",` + rest + "}\n \r\n" + test.row + "\n" + `{"id":"last",` + rest + "}"
			m, result, err := read(t, text, Options{Format: NDJSON, Limits: Limits{RowBytes: 90_000}})
			if err != nil {
				t.Fatal(err)
			}
			checkCounts(t, result, 2, 0, 0, 1)
			checkErrors(t, result.Errors, []RowError{{Line: 3, Field: test.field, Code: test.code, Message: test.message}})
			if got := fmt.Sprint(m.order); got != "[first last]" {
				t.Errorf("accepted %s, want [first last]", got)
			}
		})
	}
}

func TestJSONArray(t *testing.T) {
	for _, test := range jsonRows {
		t.Run(test.name, func(t *testing.T) {
			text := "[\n" + `{"id":"first",` + rest + "},\n\n" + test.row + " ,\n" + `{"id":"last",` + rest + "}]\n"
			m, result, err := read(t, text, Options{Format: JSON})
			if test.malformed {
				checkFileError(t, err, FileError{Line: 4, Code: CodeMalformedFile, Message: "element 2: "})
				checkCounts(t, result, 1, 0, 0, 0)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkCounts(t, result, 2, 0, 0, 1)
			checkErrors(t, result.Errors, []RowError{{Line: 4, Element: 2, Field: test.field, Code: test.code, Message: test.message}})
			if got := fmt.Sprint(m.order); got != "[first last]" {
				t.Errorf("accepted %s, want [first last]", got)
			}
		})
	}
}

func TestJSONFiles(t *testing.T) {
	row := `{"id":"a",` + rest + `}`
	for _, test := range []struct {
		text     string
		accepted int64
		line     int64
		code     string
		message  string
	}{
		{`[]`, 0, 0, "", ""},
		{" [ ] \n", 0, 0, "", ""},
		{row, 1, 0, "", ""},
		{"\ufeff[" + row + "]", 1, 0, "", ""},
		{"", 0, 0, CodeEmptyFile, "is empty"},
		{" \n", 0, 0, CodeEmptyFile, "is empty"},
		{"id,action", 0, 1, CodeMalformedFile, "begins with 'i'"},
		{row + "\n" + row, 1, 2, CodeMalformedFile, "ndjson"},
		{"[" + row + "]]", 1, 1, CodeMalformedFile, "more follows"},
		{"[" + row + "\n" + row + "]", 1, 2, CodeMalformedFile, ", or ] is due"},
		{"[" + row + ",\n]", 1, 2, CodeMalformedFile, "an element is due"},
		{"[,", 0, 1, CodeMalformedFile, "an element is due"},
		{"[" + row, 1, 1, CodeTruncatedFile, "half way"},
		{"[" + row + ",", 1, 1, CodeTruncatedFile, "half way"},
		{"[\n" + row + ",\n{\"id\":\"b", 1, 3, CodeTruncatedFile, "half way"},
		{"[", 0, 1, CodeTruncatedFile, "half way"},
		{"[1", 0, 1, CodeTruncatedFile, "half way"},
		{"{\"id\":\n\"a\n\"}", 0, 2, CodeMalformedFile, "control character"},
	} {
		_, result, err := read(t, test.text, Options{Format: JSON})
		checkCounts(t, result, test.accepted, 0, 0, 0)
		if test.code != "" {
			checkFileError(t, err, FileError{Line: test.line, Code: test.code, Message: test.message})
		} else if err != nil {
			t.Errorf("%q: %v", test.text, err)
		}
	}
}

// TestLongRows reads rows that are longer than the buffers.
func TestLongRows(t *testing.T) {
	row := `{"id":"a",` + strings.Repeat(" ", 200_000) + rest + `}`
	for format, text := range map[Format]string{NDJSON: row + "\n" + row, JSON: "[" + row + "," + row + "]"} {
		_, result, err := read(t, text, Options{Format: format})
		if err != nil {
			t.Fatal(err)
		}
		checkCounts(t, result, 1, 1, 0, 0)
	}
}

func TestJSONElementTooLong(t *testing.T) {
	text := `[{"id":"` + strings.Repeat("x", 300) + `"},{"id":"a",` + rest + `}]`
	_, result, err := read(t, text, Options{Format: JSON, Limits: Limits{RowBytes: 200}})
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, result, 1, 0, 0, 1)
	checkErrors(t, result.Errors, []RowError{{Line: 1, Element: 1, Code: CodeMalformedRow, Message: "longer than 200 bytes"}})
}

// TestBrokenBody sends bodies that stop half way: what was whole goes in.
func TestBrokenBody(t *testing.T) {
	row := `{"id":"a",` + rest + `}`
	for format, text := range map[Format]string{
		CSV:    header + "a,b,2026-01-01T00:00:00Z,1\nb,b,2026-01-01T0",
		NDJSON: row + "\n" + `{"id":"b`,
		JSON:   "[" + row + ",\n" + `{"id":"b`,
	} {
		body := io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF))
		m := newMemory()
		result, err := Read(t.Context(), body, Options{Object: Activities, Format: format}, m, nil)
		checkCounts(t, result, 1, 0, 0, 0)
		want := FileError{Line: 2, Code: CodeTruncatedFile, Message: "half way"}
		if format == CSV {
			want.Line = 3
		}
		checkFileError(t, err, want)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: error %v does not wrap the source's", format, err)
		}
	}
}

func TestJSONMapping(t *testing.T) {
	text := `{"uid":"a","when":1700000000.25,"n":3,"deep":{"x":[1,"]"]},"metadata":{"b":1,"a":null}}` + "\n" +
		`{"uid":"b","when":1700000000,"junk":1,"junk":2}` + "\n"
	m, result, err := read(t, text, Options{
		Format: NDJSON, DateFormat: "unix",
		Map: []Mapping{{"id", "uid"}, {"occurred_at", "when"}, {"amount", "n"}},
		Set: []Constant{{"action", "usage.consumed"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, result, 1, 0, 0, 1)
	checkErrors(t, result.Errors, []RowError{{Line: 2, Field: "junk", Code: CodeDuplicate, Message: "stands twice"}})
	want := report.Activity{OccurredAt: 1700000000250, Amount: 3, StatusCode: report.Null}
	want.Text[report.FieldID], want.Text[report.FieldAction], want.Text[report.FieldMetadata] = "a", "usage.consumed", `{"a":null,"b":1}`
	if got := m.activities["a"]; got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestCloudEvents(t *testing.T) {
	good := `"specversion":"1.0","id":"a","type":"usage.consumed","source":"/meter","time":"2026-01-01T00:00:00Z"`
	m, result, err := read(t, `[{`+good+`,"subject":"c1","ext":7,"datacontenttype":"application/json; charset=utf-8","data":{"amount":5,"metadata":{"x":1}}}]`,
		Options{Format: CloudEvents, Map: []Mapping{{"customer_id", "subject"}}})
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, result, 1, 0, 0, 0)
	want := report.Activity{OccurredAt: 1767225600000, Amount: 5, StatusCode: report.Null}
	want.Text[report.FieldID], want.Text[report.FieldAction], want.Text[report.FieldSource] = "a", "usage.consumed", "/meter"
	want.Text[report.FieldCustomer], want.Text[report.FieldMetadata] = "c1", `{"x":1}`
	if got := m.activities["a"]; got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, test := range []struct{ event, field, code, message string }{
		{`{` + good + `}`, "", "", ""},
		{`{` + good + `,"data":null}`, "", "", ""},
		{`{"id":"a","type":"b","source":"c","time":"2026-01-01T00:00:00Z"}`, "specversion", CodeMissingField, "is required"},
		{`{` + strings.Replace(good, "1.0", "0.3", 1) + `}`, "specversion", CodeInvalidValue, `want "1.0"`},
		{`{` + strings.Replace(good, `"1.0"`, "1.0", 1) + `}`, "specversion", CodeInvalidValue, `want "1.0"`},
		{`{"specversion":"1.0","id":"a","type":"b","time":"2026-01-01T00:00:00Z"}`, "source", CodeMissingField, "is required"},
		{`{"specversion":"1.0","id":"a","type":"b","source":"c"}`, "occurred_at", CodeMissingField, "is required"},
		{`{` + good + `,"data":"x"}`, "data", CodeInvalidType, "must be a JSON object"},
		{`{` + good + `,"data_base64":"AA=="}`, "data_base64", CodeInvalidValue, "is not read"},
		{`{` + good + `,"datacontenttype":"text/xml"}`, "datacontenttype", CodeInvalidValue, "want application/json"},
		{`{` + good + `,"data":{"color":1}}`, "data.color", CodeUnknownField, "is not a field"},
		{`{` + good + `,"data":{"id":"b"}}`, "data.id", CodeUnknownField, "attribute"},
		{`{` + good + `,"data":{"amount":1,"amount":1}}`, "data.amount", CodeDuplicate, "stands twice"},
		{`{` + good + `,"data":{},"data":{}}`, "data", CodeDuplicate, "stands twice"},
		{`{` + good + `,"id":"b"}`, "id", CodeDuplicate, "stands twice"},
		{`{` + good + `,"data":{"amount":"1"}}`, "amount", CodeInvalidType, "must be an integer"},
	} {
		_, result, err := read(t, test.event, Options{Format: CloudEvents})
		if err != nil {
			t.Fatalf("%s: %v", test.event, err)
		}
		var want []RowError
		if test.code != "" {
			want = []RowError{{Line: 1, Element: 1, Field: test.field, Code: test.code, Message: test.message}}
		}
		checkErrors(t, result.Errors, want)
	}
	_, _, err = read(t, `[]`, Options{Format: CloudEvents, Object: "orders"})
	checkFileError(t, err, FileError{Field: "format", Code: CodeInvalidOption, Message: "activities only"})
}
