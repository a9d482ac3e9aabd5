package intake

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"licensekit/exporter/report"
)

const header = "id,action,occurred_at,amount\n"

func TestCSVRowErrors(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, test := range []struct{ name, row, field, code, message string }{
		{"no id", ",usage.consumed,2026-01-01T00:00:00Z,1", "id", CodeMissingField, "is required"},
		{"no action", "a,,2026-01-01T00:00:00Z,1", "action", CodeMissingField, "is required"},
		{"no time", "a,usage.consumed,,1", "occurred_at", CodeMissingField, "is required"},
		{"word for amount", "a,b,2026-01-01T00:00:00Z,ten", "amount", CodeInvalidType, `"ten" is not an integer`},
		{"fraction", "a,b,2026-01-01T00:00:00Z,10.0", "amount", CodeInvalidType, `"10.0" is not an integer`},
		{"exponent", "a,b,2026-01-01T00:00:00Z,1e3", "amount", CodeInvalidType, `"1e3" is not an integer`},
		{"lone minus", "a,b,2026-01-01T00:00:00Z,-", "amount", CodeInvalidType, `"-" is not an integer`},
		{"plus", "a,b,2026-01-01T00:00:00Z,+1", "amount", CodeInvalidType, "is not an integer"},
		{"space", "a,b,2026-01-01T00:00:00Z, 1", "amount", CodeInvalidType, "is not an integer"},
		{"2^53", "a,b,2026-01-01T00:00:00Z,9007199254740992", "amount", CodeOutOfRange, "9007199254740991"},
		{"-2^53", "a,b,2026-01-01T00:00:00Z,-9007199254740992", "amount", CodeOutOfRange, "9007199254740991"},
		{"beyond int64", "a,b,2026-01-01T00:00:00Z,99999999999999999999999999", "amount", CodeOutOfRange, "2^53-1"},
		{"no date", "a,b,yesterday,1", "occurred_at", CodeInvalidTime, "is not an RFC 3339 time"},
		{"no offset", "a,b,2026-01-01T00:00:00,1", "occurred_at", CodeInvalidTime, "has no offset"},
		{"bare date", "a,b,2026-01-01,1", "occurred_at", CodeInvalidTime, "has no offset"},
		{"february 29", "a,b,2025-02-29T00:00:00Z,1", "occurred_at", CodeInvalidTime, "does not exist"},
		{"year 0", "a,b,0000-12-31T00:00:00Z,1", "occurred_at", CodeOutOfRange, "years 0001 to 9999"},
		{"year 10000 in UTC", "a,b,9999-12-31T23:59:59-01:00,1", "occurred_at", CodeOutOfRange, "years 0001 to 9999"},
		{"not UTF-8", "a\xff,b,2026-01-01T00:00:00Z,1", "id", CodeInvalidText, "is not valid UTF-8 at byte 1; save the file as UTF-8"},
		{"control character", "a,b\x01,2026-01-01T00:00:00Z,1", "action", CodeInvalidText, "control character U+0001"},
		{"quoted line end", "\"a\nb\",b,2026-01-01T00:00:00Z,1", "id", CodeInvalidText, "control character U+000A"},
		{"long id", long + ",b,2026-01-01T00:00:00Z,1", "id", CodeTextTooLong, "is 129 bytes long; the limit is 128"},
		{"long action", "a," + strings.Repeat("x", 1025) + ",2026-01-01T00:00:00Z,1", "action", CodeTextTooLong, "limit is 1024"},
		{"a field less", "a,b,2026-01-01T00:00:00Z", "", CodeMalformedRow, "has 3 fields, the header has 4"},
		{"a field more", "a,b,2026-01-01T00:00:00Z,1,2", "", CodeMalformedRow, "has 5 fields"},
		{"quote", "a\"b,b,2026-01-01T00:00:00Z,1", "", CodeMalformedRow, "bare quote"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, after := "first,b,2026-01-01T00:00:00Z,1\n", "\nlast,b,2026-01-01T00:00:00Z,1"
			m, result, err := read(t, header+before+test.row+after, Options{Format: CSV})
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

func TestCSVFileErrors(t *testing.T) {
	for _, test := range []struct {
		name, text string
		options    Options
		line       int64
		field      string
		code       string
		message    string
	}{
		{"empty", "", Options{}, 0, "", CodeEmptyFile, "is empty"},
		{"empty lines", "\n\r\n", Options{}, 0, "", CodeEmptyFile, "no line but empty ones"},
		{"no header", "a,b,2026-01-01T00:00:00Z,1\n", Options{}, 1, "", CodeMissingHeader, "not a header"},
		{"semicolons", "id;action;occurred_at\n", Options{}, 1, "", CodeMissingHeader, `is the delimiter ";"?`},
		{"tabs", "id\taction\toccurred_at\n", Options{}, 1, "", CodeMissingHeader, `is the delimiter tab?`},
		{"lone CR", "id,action,occurred_at\ra,b,2026-01-01T00:00:00Z\r", Options{}, 1, `"occurred_at\ra"`, CodeInvalidText, "lines must end in LF or CRLF"},
		{"header in Latin-1", "id,action,occurred_at,gr\xf6\xdfe\n", Options{}, 1, `"gr\xf6\xdfe"`, CodeInvalidText, "save the file as UTF-8"},
		{"spaces", "id, action,occurred_at\n", Options{}, 1, " action", CodeUnknownField, `if " action" is action, rename it or map action= action`},
		{"capitals", "ID,Action,Occurred At\n", Options{}, 1, "", CodeMissingHeader, `if "ID" is id, rename it or map id=ID`},
		{"broken header", "id,a\"ction\nx,y\n", Options{}, 1, "", CodeMissingHeader, "bare quote"},
		{"unknown", "id,action,occurred_at,color\n", Options{}, 1, "color", CodeUnknownField, "map field=column"},
		{"sequence", "id,action,occurred_at,sequence\n", Options{}, 1, "sequence", CodeUnknownField, "is given by the ledger"},
		{"twice", "id,action,occurred_at,id\n", Options{}, 1, "id", CodeDuplicate, "name of two columns"},
		{"no action", "id,occurred_at\n", Options{}, 1, "action", CodeMissingField, "set action=value"},
		{"no id", "name\n", Options{Object: "customers"}, 1, "id", CodeMissingField, "has no column"},
		{"mapped to nothing", header, Options{Map: []Mapping{{"source", "origin"}}}, 1, "source", CodeMissingColumn, `"origin"`},
		{"mapped twice", header, Options{Map: []Mapping{{"id", "id"}, {"id", "action"}}}, 0, "id", CodeDuplicate, "two places"},
		{"mapped and set", header, Options{Map: []Mapping{{"id", "id"}}, Set: []Constant{{"id", "x"}}}, 0, "id", CodeDuplicate, "two places"},
		{"map to no field", header, Options{Map: []Mapping{{"color", "id"}}}, 0, "color", CodeUnknownField, "fields are id, action"},
		{"map to received_at", header, Options{Map: []Mapping{{"received_at", "id"}}}, 0, "received_at", CodeUnknownField, "is given by the ledger"},
		{"bad constant", header, Options{Set: []Constant{{"amount", "x"}}}, 0, "amount", CodeInvalidType, "is not an integer"},
		{"empty constant", header, Options{Set: []Constant{{"id", ""}}}, 0, "id", CodeInvalidOption, "names nothing"},
		{"delimiter", header, Options{Delimiter: '"'}, 0, "delimiter", CodeInvalidOption, "can't separate"},
		{"object", header, Options{Object: "cats"}, 0, "object", CodeInvalidOption, "activities, products"},
		{"date format", header, Options{DateFormat: "DD-MM-YY"}, 0, "date_format", CodeInvalidOption, `"YY"`},
		{"UTF-16", "\xff\xfei\x00d\x00", Options{}, 1, "", CodeInvalidText, "UTF-8"},
		{"zip", "PK\x03\x04....", Options{}, 0, "", CodeMalformedFile, "xlsx"},
		{"gzip", "\x1f\x8b\x08...", Options{}, 0, "", CodeMalformedFile, "gzip"},
		{"bad header name", "id,a\xff\n", Options{}, 1, `"a\xff"`, CodeInvalidText, "UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.options.Format = CSV
			m, result, err := read(t, test.text, test.options)
			checkFileError(t, err, FileError{Line: test.line, Field: test.field, Code: test.code, Message: test.message})
			if m.calls != 0 || result.Rows() != 0 {
				t.Errorf("%d batches went in, %d rows were counted; want none", m.calls, result.Rows())
			}
		})
	}
}

func checkFileError(t *testing.T, err error, want FileError) {
	t.Helper()
	got, ok := err.(*FileError)
	if !ok {
		t.Fatalf("got error %v, want a *FileError with code %s", err, want.Code)
	}
	if got.Line != want.Line || got.Field != want.Field || got.Code != want.Code || !strings.Contains(got.Error(), want.Message) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestMapping(t *testing.T) {
	text := "\ufeffusage,id,action,weight,note\r\nu1,ignored,overridden,7,ignored too\r\n"
	m, result, err := read(t, text, Options{
		Format: CSV,
		Map:    []Mapping{{"id", "usage"}, {"request_id", "usage"}, {"amount", "weight"}},
		Set:    []Constant{{"action", "usage.consumed"}, {"occurred_at", "2026-02-03T04:05:06Z"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, result, 1, 0, 0, 0)
	want := report.Activity{OccurredAt: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC).UnixMilli(), Amount: 7, StatusCode: report.Null}
	want.Text[report.FieldID], want.Text[report.FieldRequest], want.Text[report.FieldAction] = "u1", "u1", "usage.consumed"
	if got := m.activities["u1"]; got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDelimiter(t *testing.T) {
	m, result, err := read(t, "id;name\r\n1;\"a;b\"\r\n", Options{Format: CSV, Object: "products", Delimiter: ';'})
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, result, 1, 0, 0, 0)
	if got := m.records["1"].Text("name"); got != "a;b" {
		t.Errorf("name is %q, want %q", got, "a;b")
	}
}

func TestUnnamedColumn(t *testing.T) {
	text := "id,name,\n1,one,\n2,two,x\n"
	_, result, err := read(t, text, Options{Format: CSV, Object: "products"})
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, result, 1, 0, 0, 1)
	checkErrors(t, result.Errors, []RowError{{Line: 3, Code: CodeMalformedRow, Message: `"x" in column 3`}})
}

func TestRecords(t *testing.T) {
	text := "id,status,cancel_at_period_end,current_period_start,current_period_end,metadata\n" +
		"1,active,TRUE,2026-01-01,2026-02-01,\"{\"\"b\"\": 1.0, \"\"a\"\": \"\"\u00e9\"\"}\"\n" +
		"2,gone,,,,\n" +
		"3,active,yes,,,\n" +
		"4,active,,2026-02-01,2026-01-31,\n" +
		"5,active,,2026-02-01,2026-02-01,\n" +
		"6,active,,2026-02-30,,\n"
	m, result, err := read(t, text, Options{Format: CSV, Object: "subscriptions", TimeZone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, result, 2, 0, 0, 4)
	checkErrors(t, result.Errors, []RowError{
		{Line: 3, Field: "status", Code: CodeInvalidValue, Message: `"gone" is none of trialing, active`},
		{Line: 4, Field: "cancel_at_period_end", Code: CodeInvalidType, Message: "neither true nor false"},
		{Line: 5, Field: "current_period_end", Code: CodeInvalidValue, Message: "is before current_period_start 2026-02-01"},
		{Line: 7, Field: "current_period_start", Code: CodeInvalidTime, Message: "does not exist"},
	})
	r := m.records["1"]
	if got, want := r.Text("metadata"), `{"a":"é","b":1}`; got != want {
		t.Errorf("metadata %s, want %s", got, want)
	}
	if ends, ok := r.Bool("cancel_at_period_end"); !ends || !ok {
		t.Errorf("cancel_at_period_end %v, %v; want true, true", ends, ok)
	}
	if got, want := r.Int("current_period_end"), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC).UnixMilli(); got != want {
		t.Errorf("current_period_end %d, want %d", got, want)
	}
}

func TestMetadata(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65)
	for _, test := range []struct{ text, want, code string }{
		{`{}`, `{}`, ""},
		{` {"n":1e2,"s":"a\u0001b\/"} `, `{"n":100,"s":"a\u0001b/"}`, ""},
		{`{"n":9007199254740991}`, `{"n":9007199254740991}`, ""},
		{`{"n":9007199254740992}`, "", CodeOutOfRange},
		{`{"a":{"b":[-9007199254740993]}}`, "", CodeOutOfRange},
		{`{"a":1,"a":1}`, "", CodeInvalidValue},
		{`{"x":{"a":1,"\u0061":1}}`, "", CodeInvalidValue},
		{`{"a":1e999}`, "", CodeInvalidValue},
		{`{"a":"\ud800"}`, "", CodeInvalidValue},
		{`{"a":"` + "\xff" + `"}`, "", CodeInvalidValue},
		{`{"a":"` + "\u0085" + `"}`, "", CodeInvalidText},
		{`[]`, "", CodeInvalidType},
		{`1`, "", CodeInvalidType},
		{`{"a":01}`, "", CodeInvalidType},
		{`{"a":1}x`, "", CodeInvalidType},
		{`{"a":1`, "", CodeInvalidType},
		{deep, "", CodeInvalidType},
		{`{"a":"` + strings.Repeat("x", 4088) + `"}`, `{"a":"` + strings.Repeat("x", 4088) + `"}`, ""},
		{`{"a":"` + strings.Repeat("x", 4089) + `"}`, "", CodeTextTooLong},
	} {
		row := `"` + strings.ReplaceAll(test.text, `"`, `""`) + `"`
		m, result, err := read(t, "id,metadata\nx,"+row+"\n", Options{Format: CSV, Object: "orders"})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.records["x"].Text("metadata"); got != test.want {
			t.Errorf("metadata %s: got %s, want %s", test.text, got, test.want)
		}
		if test.code != "" {
			checkErrors(t, result.Errors, []RowError{{Line: 2, Field: "metadata", Code: test.code}})
		}
	}
}

func TestManyBadLines(t *testing.T) {
	var b strings.Builder
	b.WriteString(header)
	for i := range 10_000 {
		fmt.Fprintf(&b, "%d,b,never,1\n", i)
		if i%10 == 0 {
			fmt.Fprintf(&b, "same,b,2026-01-01T00:00:00Z,%d\n", i)
		}
	}
	_, result, err := read(t, b.String(), Options{Format: CSV, Limits: Limits{BatchRows: 700}})
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, result, 1, 0, 999, 10_000)
	if len(result.Errors) != MaxErrors || result.ErrorsOmitted != 10_999-MaxErrors {
		t.Fatalf("%d errors named and %d omitted, want %d and %d", len(result.Errors), result.ErrorsOmitted, MaxErrors, 10_999-MaxErrors)
	}
	// Lines 2 and 4 to 1002 are bad or conflict; line 3 was accepted.
	for i, e := range result.Errors {
		want := int64(i + 3)
		if i == 0 {
			want = 2
		}
		if e.Line != want {
			t.Fatalf("error %d is of line %d, want %d", i, e.Line, want)
		}
	}
}
