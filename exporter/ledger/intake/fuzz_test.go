package intake

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"licensekit/exporter/report"
	"licensekit/exporter/rfc4180"
)

// account reads a text and checks that each of its data rows was counted, and
// that what went in keeps the promises about values.
func account(t *testing.T, text string, o Options, dataRows int64) {
	t.Helper()
	m, result, err := read(t, text, o)
	var wrong *FileError
	if err != nil && !errors.As(err, &wrong) {
		t.Fatalf("error %v is no *FileError", err)
	}
	if err == nil && dataRows >= 0 && result.Rows() != dataRows {
		t.Errorf("%d rows in %+v, want %d", result.Rows(), result, dataRows)
	}
	if named := int64(len(result.Errors)); named+result.ErrorsOmitted != result.Conflicts+result.Rejected {
		t.Errorf("%d errors and %d omitted in %+v", named, result.ErrorsOmitted, result)
	}
	for _, e := range result.Errors {
		if e.Code == "" || e.Message == "" || e.Line < 1 || report.CheckText(e.Field, 2000) != "" {
			t.Errorf("error %+v lacks something, or shows control characters", e)
		}
	}
	for id, a := range m.activities {
		for f, text := range a.Text {
			if problem := report.CheckText(text, 4096); problem != "" {
				t.Errorf("%s of %q %s", report.Field(f), id, problem)
			}
		}
		if metadata := a.Text[report.FieldMetadata]; metadata != "" && !json.Valid([]byte(metadata)) {
			t.Errorf("metadata %q is no JSON", metadata)
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add(header + "a,b,2026-01-01T00:00:00Z,1\n\"b,c\n")
	f.Add(header + "a,b,2026-01-01T00:00:00Z,1\na,b,2026-01-01T00:00:00Z,2\n,,,\n\n\r\n\"\"\"")
	f.Fuzz(func(t *testing.T, text string) {
		r := rfc4180.NewReader(strings.NewReader(text), rfc4180.Options{MaxRecord: 500})
		rows := int64(-1)
		for {
			_, err := r.Read()
			var wrong *rfc4180.SyntaxError
			if err != nil && !errors.As(err, &wrong) {
				break
			}
			rows++
		}
		account(t, text, Options{Format: CSV, Limits: Limits{BatchRows: 2, RowBytes: 500}}, rows)
	})
}

func FuzzNDJSON(f *testing.F) {
	for _, row := range jsonRows {
		f.Add(row.row + "\n" + `{"id":"a",` + rest + "}\n")
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows := int64(0)
		for line := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") {
			if strings.Trim(line, " \t\r") != "" {
				rows++
			}
		}
		account(t, text, Options{Format: NDJSON, Limits: Limits{BatchRows: 2, RowBytes: 500}}, rows)
	})
}

func FuzzJSON(f *testing.F) {
	for _, row := range jsonRows {
		f.Add("[" + row.row + "\n,\n" + `{"id":"a",` + rest + "}]")
	}
	f.Fuzz(func(t *testing.T, text string) {
		var elements []json.RawMessage
		rows := int64(1)
		if json.Unmarshal([]byte(text), &elements) == nil {
			rows = int64(len(elements))
		} else if !json.Valid([]byte(strings.TrimPrefix(text, "\ufeff"))) {
			rows = -1 // only an error can tell, and the limits of rows
		}
		if strings.HasPrefix(text, "\ufeff") {
			rows = -1
		}
		account(t, text, Options{Format: JSON, Limits: Limits{BatchRows: 2}}, rows)
		account(t, text, Options{Format: CloudEvents, Limits: Limits{BatchRows: 2, RowBytes: 50}}, rows)
	})
}

// FuzzLexer compares with encoding/json.
func FuzzLexer(f *testing.F) {
	for _, row := range jsonRows {
		f.Add(row.row)
	}
	f.Add(`"\ud83d\ude00\ud83dx\u00e9"`)
	f.Fuzz(func(t *testing.T, text string) {
		l := lexer{data: []byte(text)}
		got, err := l.value()
		isValid := err == nil && l.peek() == 0 && l.pos == len(l.data)
		if want := json.Valid([]byte(text)); isValid != want && !(err != nil && strings.Contains(err.problem, "nested")) {
			t.Errorf("%q: well-formed %v, want %v (%v)", text, isValid, want, err)
		}
		var decoded string
		if isValid && got.kind == jsonString && json.Unmarshal([]byte(text), &decoded) == nil {
			if report.CheckText(string(got.text), 1<<20) == "" && string(got.text) != decoded {
				t.Errorf("%q: got %q, want %q", text, got.text, decoded)
			}
		}
	})
}

// FuzzSheet reads a sheet's XML as it is given.
func FuzzSheet(f *testing.F) {
	f.Add(`<worksheet><sheetData><row><c t="inlineStr"><is><t>id</t></is></c></row><row r="7"><c r="A7"><v>1</v></c><c r="C7" t="s"><v>0</v></c></row></sheetData></worksheet>`)
	f.Add(`<row><c t="b"><v>1</v></c><c t="e"><f/><v>#N/A</v></c><c t="d"><v>2026-01-01</v></c></row>`)
	f.Fuzz(func(t *testing.T, text string) {
		r := newSheetReader(&workbook{texts: []string{"one"}}, strings.NewReader(text))
		last := int64(0)
		for r.next() == nil {
			if r.line <= last || len(r.cells) > maxColumns {
				t.Fatalf("row %d with %d cells follows row %d", r.line, len(r.cells), last)
			}
			last = r.line
		}
	})
}

// FuzzTimes reads times in some formats: no text may be read differently by
// what is read of it again.
func FuzzTimes(f *testing.F) {
	f.Add("", "2026-01-31T12:00:00.123Z")
	f.Add("DD-MM-YYYY", "31-01-2026")
	f.Add("M/D/YYYY h:mm A", "1/2/2026 3:04 PM")
	f.Fuzz(func(t *testing.T, format, text string) {
		c, err := newClock(format, nil)
		if err != nil {
			return
		}
		ms, bad := c.parse([]byte(text))
		if bad != nil {
			return
		}
		canonical, _ := newClock("", nil)
		again, bad := canonical.parse([]byte(report.FormatTime(ms)))
		if bad != nil || again != ms {
			t.Errorf("%q as %q is %d; its canonical form %s is read as %d, %+v", text, format, ms, report.FormatTime(ms), again, bad)
		}
	})
}

// FuzzXLSX reads spreadsheets of parts that may say anything.
func FuzzXLSX(f *testing.F) {
	parts := []string{"xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/styles.xml", "xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"}
	made := sheet(f, func(x *excelize.File) {
		setRow(x, "A1", "id", "action", "occurred_at", "amount")
		setRow(x, "A2", "a", "usage.consumed", time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), 7)
		setRow(x, "A3", "b", "usage.consumed", 45000.5, "7")
	})
	archive, err := zip.NewReader(strings.NewReader(made), int64(len(made)))
	if err != nil {
		f.Fatal(err)
	}
	of := func(part int) string {
		content, err := fs.ReadFile(archive, parts[part])
		if err != nil {
			f.Fatal(err)
		}
		return string(content)
	}
	f.Add(of(0), of(1), of(2), of(3), of(4))
	f.Fuzz(func(t *testing.T, workbook, relations, styles, texts, rows string) {
		changed := map[string]string{}
		for i, part := range []string{workbook, relations, styles, texts, rows} {
			changed[parts[i]] = part
		}
		o := Options{Format: XLSX, Tmp: t.TempDir(), Limits: Limits{BatchRows: 2, RowBytes: 500, PartBytes: 1 << 20, TextBytes: 1 << 20}}
		account(t, rezip(t, made, changed), o, -1)
		if left, _ := filepath.Glob(filepath.Join(o.Tmp, "*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// FuzzOptions reads a file by mappings, constants and a date format, as users
// write them.
func FuzzOptions(f *testing.F) {
	f.Add("id=usage_id", "action=usage.consumed", "DD.MM.YYYY", byte(';'), "usage_id;occurred_at\nu1;31.01.2026\n")
	f.Add("id=a=b", "amount=1", "", byte(0), "a=b,occurred_at,action\nu1,2026-01-31T00:00:00Z,x\n")
	f.Add("id=id", "id=1", "YYYY-MM-DD", byte('\t'), "id\tid\n1\t2\n")
	f.Fuzz(func(t *testing.T, mapping, constant, dates string, delimiter byte, text string) {
		o := Options{Format: CSV, DateFormat: dates, Delimiter: delimiter, Limits: Limits{BatchRows: 2, RowBytes: 500}}
		if m, err := ParseMapping(mapping); err == nil {
			if got := m.Field + "=" + m.Column; got != mapping {
				t.Errorf("mapping %q: got %q", mapping, got)
			}
			o.Map = append(o.Map, m)
		}
		if c, err := ParseConstant(constant); err == nil {
			if got := c.Field + "=" + c.Value; got != constant {
				t.Errorf("constant %q: got %q", constant, got)
			}
			o.Set = append(o.Set, c)
		}
		account(t, text, o, -1)
	})
}
