package intake

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"licensekit/exporter/report"
)

// sheet makes a spreadsheet; fill changes its Sheet1.
func sheet(t testing.TB, fill func(*excelize.File)) string {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	fill(f)
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func setRow(f *excelize.File, cell string, values ...any) {
	if err := f.SetSheetRow("Sheet1", cell, &values); err != nil {
		panic(err)
	}
}

func TestXLSX(t *testing.T) {
	text := sheet(t, func(f *excelize.File) {
		setRow(f, "A2", "id", "action", "occurred_at", "amount", "customer_id", "feature_code")
		setRow(f, "A3", "a", "b", 45000.5, 7, 1001, "_x005F_x000A_")
		setRow(f, "A5", "b", "b", "2026-01-01T00:00:00Z", "8", "c", " ü ")
		setRow(f, "A6", "c", "b", 60, 7)
		setRow(f, "A7", "d", "b", 45000, 1.5)
		setRow(f, "A8", "e", "b", 45000, 9007199254740992)
		setRow(f, "A9", "f", "b", 45000, nil, 1234567890123456)
		setRow(f, "A10", "g", "b", true)
		setRow(f, "A11", "h", "b", 45000, nil, nil, nil, "x")
		setRow(f, "A12", "i", nil, 45000)
		setRow(f, "A13", "j", "b", 45000)
		f.SetCellFormula("Sheet1", "D13", "1+1")
		setRow(f, "A14", "k", "b", time.Date(2023, 3, 15, 12, 0, 0, 0, time.UTC))
		setRow(f, "A15", "l", "b", 45000, 1e20)
	})
	m, result, err := read(t, text, Options{Format: XLSX, TimeZone: zone(t, "Europe/Berlin")})
	if err != nil {
		t.Fatal(err)
	}
	checkErrors(t, result.Errors, []RowError{
		{Line: 6, Field: "occurred_at", Code: CodeInvalidTime, Message: "1900-02-29"},
		{Line: 7, Field: "amount", Code: CodeInvalidType, Message: `"1.5" is not an integer`},
		{Line: 8, Field: "amount", Code: CodeOutOfRange, Message: "2^53-1"},
		{Line: 9, Field: "customer_id", Code: CodeInvalidType, Message: "format the cell as text"},
		{Line: 10, Field: "occurred_at", Code: CodeInvalidType, Message: "must be a time, not a boolean"},
		{Line: 11, Code: CodeMalformedRow, Message: "cell G11"},
		{Line: 12, Field: "action", Code: CodeMissingField, Message: "is required"},
		{Line: 13, Field: "amount", Code: CodeInvalidValue, Message: "cell D13 holds a formula"},
		{Line: 15, Field: "amount", Code: CodeOutOfRange, Message: "2^53-1"},
	})
	checkCounts(t, result, 3, 0, 0, 9)
	a := m.activities["a"]
	if got, want := report.FormatTime(a.OccurredAt), "2023-03-15T11:00:00.000Z"; got != want {
		t.Errorf("time of a: %s, want %s", got, want)
	}
	if a.Amount != 7 || a.Text[report.FieldCustomer] != "1001" || a.Text[report.FieldFeature] != "_x000A_" {
		t.Errorf("row a is %+v", a)
	}
	if got := m.activities["b"]; got.Text[report.FieldFeature] != " ü " || got.Amount != 8 {
		t.Errorf("row b is %+v", got)
	}
	if got, want := report.FormatTime(m.activities["k"].OccurredAt), "2023-03-15T11:00:00.000Z"; got != want {
		t.Errorf("time of k: %s, want %s", got, want)
	}
}

func TestXLSXOptions(t *testing.T) {
	text := sheet(t, func(f *excelize.File) {
		date1904 := true
		if err := f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &date1904}); err != nil {
			t.Fatal(err)
		}
		f.NewSheet("Zweite")
		f.SetSheetRow("Zweite", "A1", &[]any{"key", "email", "", "seen", "junk"})
		f.SetSheetRow("Zweite", "A2", &[]any{"c1", "x@example.org", "ignored", 43538, nil, "beyond"})
		f.SetCellFormula("Zweite", "E2", "1+1")
	})
	o := Options{Format: XLSX, Object: "customers", Sheet: "Zweite", Map: []Mapping{{"id", "key"}, {"created_at", "seen"}}}
	m, result, err := read(t, text, o)
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, result, 1, 0, 0, 0)
	if r := m.records["c1"]; report.FormatTime(r.Int("created_at")) != "2023-03-15T00:00:00.000Z" || r.Text("email") != "x@example.org" {
		t.Errorf("got %+v", r)
	}
	_, _, err = read(t, text, Options{Format: XLSX})
	checkFileError(t, err, FileError{Code: CodeEmptyFile, Message: "name the sheet"})
	_, _, err = read(t, text, Options{Format: XLSX, Sheet: "Dritte"})
	checkFileError(t, err, FileError{Field: "sheet", Code: CodeInvalidOption, Message: "its sheets are Sheet1, Zweite"})
}

// rezip copies an archive, with parts changed or added.
func rezip(t *testing.T, text string, parts map[string]string) string {
	t.Helper()
	from, err := zip.NewReader(strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	to := zip.NewWriter(&b)
	for _, part := range from.File {
		if _, changed := parts[part.Name]; changed {
			continue
		}
		if err := to.Copy(part); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range parts {
		w, err := to.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, content)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestXLSXFileErrors(t *testing.T) {
	good := sheet(t, func(f *excelize.File) {
		setRow(f, "A1", "id", "name")
		setRow(f, "A2", "p1", "one")
	})
	const part = "xl/worksheets/sheet1.xml"
	row := `<row r="1"><c r="A1" t="inlineStr"><is><t>id</t></is></c></row>`
	row2 := `<row r="2"><c r="A2" t="inlineStr"><is><r><t>p</t></r><r><t>1</t></r><rPh><t>no</t></rPh></is></c></row>`
	for _, test := range []struct {
		name, text string
		limits     Limits
		line       int64
		code       string
		message    string
		accepted   int64
	}{
		{"good", good, Limits{}, 0, "", "", 1},
		{"rich text", rezip(t, good, map[string]string{part: "<worksheet><sheetData>" + row + row2 + "</sheetData></worksheet>"}), Limits{}, 0, "", "", 1},
		{"empty", "", Limits{}, 0, CodeEmptyFile, "is empty", 0},
		{"CSV", "id,name\n", Limits{}, 0, CodeMalformedFile, "no zip archive", 0},
		{"half", good[:len(good)/2], Limits{}, 0, CodeMalformedFile, "no zip archive", 0},
		{"other zip", rezip(t, good, map[string]string{"_rels/.rels": "<Relationships/>"}), Limits{}, 0, CodeMalformedFile, "no workbook", 0},
		{"macros", rezip(t, good, map[string]string{"xl/vbaProject.bin": "x"}), Limits{}, 0, CodeMalformedFile, "macros", 0},
		{"half a sheet", rezip(t, good, map[string]string{part: "<worksheet><sheetData>" + row + row2 + `<row r="3"><c r="A3">`}), Limits{}, 3, CodeMalformedFile, "is broken", 1},
		{"rows out of order", rezip(t, good, map[string]string{part: "<worksheet><sheetData>" + row + row}), Limits{}, 2, CodeMalformedFile, "out of order", 0},
		{"no such text", rezip(t, good, map[string]string{part: `<worksheet><sheetData><row><c t="s"><v>9</v></c></row>`}), Limits{}, 1, CodeMalformedFile, "refers to the text", 0},
		{"far cell", rezip(t, good, map[string]string{part: `<worksheet><sheetData><row><c r="XFE1"><v>9</v></c></row>`}), Limits{}, 1, CodeMalformedFile, "out of order", 0},
		{"large file", good, Limits{FileBytes: 100}, 0, CodeFileTooLarge, "more than 100 bytes", 0},
		{"large sheet", good, Limits{PartBytes: 100}, 0, CodeFileTooLarge, "sheet1.xml", 0},
		{"large texts", good, Limits{TextBytes: 100}, 0, CodeFileTooLarge, "sharedstrings.xml", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMemory()
			o := Options{Object: "products", Format: XLSX, Tmp: t.TempDir(), Limits: test.limits}
			result, err := Read(t.Context(), strings.NewReader(test.text), o, m, nil)
			checkCounts(t, result, test.accepted, 0, 0, 0)
			if test.code == "" && (err != nil || m.records["p1"].ID() != "p1") {
				t.Errorf("got %+v, error %v; want p1", m.records, err)
			}
			if test.code != "" {
				checkFileError(t, err, FileError{Line: test.line, Code: test.code, Message: test.message})
			}
			if left, _ := filepath.Glob(filepath.Join(o.Tmp, "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestXLSXSpoolFails(t *testing.T) {
	_, err := Read(t.Context(), strings.NewReader("x"), Options{Object: "products", Format: XLSX, Tmp: filepath.Join(t.TempDir(), "none")}, newMemory(), nil)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v, want one that the directory does not exist", err)
	}
}

func TestColumnNames(t *testing.T) {
	for column, name := range map[int]string{0: "A", 25: "Z", 26: "AA", 701: "ZZ", 702: "AAA", 16383: "XFD"} {
		if got := columnName(column); got != name {
			t.Errorf("name of column %d: %s, want %s", column, got, name)
		}
		if got := columnOf(name + "12"); got != column {
			t.Errorf("column of %s12: %d, want %d", name, got, column)
		}
	}
}
