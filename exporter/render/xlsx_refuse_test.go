package render

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"licensekit/exporter/report"
)

// edit copies a workbook with one part changed.
func edit(t testing.TB, file []byte, name string, change func(string) string) []byte {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range archive.File {
		text := part(t, file, f.Name)
		if f.Name == name {
			changed := change(text)
			if changed == text {
				t.Fatalf("nothing to change in %s: %s", name, text)
			}
			text = changed
		}
		to, err := createPart(w, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(to, text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rezip copies a workbook with other headers; keep changes one, or tells that
// its part goes. Empty parts follow.
func rezip(t testing.TB, file []byte, keep func(*zip.FileHeader) bool, more ...string) []byte {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range archive.File {
		header := zip.FileHeader{Name: f.Name, Method: f.Method}
		if !keep(&header) {
			continue
		}
		to, err := w.CreateHeader(&header)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(to, part(t, file, f.Name))
	}
	for _, name := range more {
		if _, err := createPart(w, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestXLSXRefusesChangedParts(t *testing.T) {
	rows := [][]any{{"alpha", int64(1234), int64(200), int64(0)}, {"beta", int64(5), report.Null, report.Null}}
	file := encode(t, xlsxFormat, workbookOf(typedSection(rows...)))
	const sheet, summary = "xl/worksheets/sheet2.xml", "xl/worksheets/sheet1.xml"
	tests := []struct{ name, part, old, new, want string }{
		{"formula", sheet, `<c r="B2" s="4"><v>1234</v>`, `<c r="B2" s="4"><f>1+1</f><v>1234</v>`, `sheet "usage": row 2, cell B2: holds a formula`},
		{"formula as text", sheet, `t="inlineStr"><is><t>alpha</t></is>`, `t="str"><f>A1</f><v>alpha</v>`, "cell A2: holds a formula"},
		{"shared string", sheet, `t="inlineStr"><is><t>alpha</t></is>`, `t="s"><v>0</v>`, "cell A2: a number"},
		{"rich text", sheet, `<is><t>alpha</t></is>`, `<is><r><t>alpha</t></r></is>`, "neither a number nor text"},
		{"number for text", sheet, `t="inlineStr"><is><t>alpha</t></is>`, `><v>7</v>`, `cell A2: a number, "7", in a column of text`},
		{"text for number", sheet, `<c r="B2" s="4"><v>1234</v></c>`, `<c r="B2" s="3" t="inlineStr"><is><t>1234</t></is></c>`, "row 2 is not written as"},
		{"word for number", sheet, `<v>1234</v>`, `<v>many</v>`, `cell B2: "many" is not a 64-bit integer`},
		{"fraction", sheet, `<v>1234</v>`, `<v>1234.5</v>`, `"1234.5" is not a 64-bit integer`},
		{"exponent", sheet, `<v>1234</v>`, `<v>1E3</v>`, `"1E3" is not a 64-bit integer`},
		{"date as a word", sheet, `<v>25569</v>`, `<v>NaN</v>`, "row 2"},
		{"date too early", sheet, `<v>25569</v>`, `<v>60</v>`, `cell D2: "60" is not a date`},
		{"date too late", sheet, `<v>25569</v>`, `<v>2958466</v>`, "is not a date"},
		{"date between milliseconds", sheet, `<v>25569</v>`, `<v>25569.000000001</v>`, "row 2 is not written as"},
		{"date written otherwise", sheet, `<v>25569</v>`, `<v>25569.0</v>`, "row 2 is not written as"},
		{"other style", sheet, `<c r="B2" s="4">`, `<c r="B2" s="1">`, "row 2 is not written as"},
		{"empty cell", sheet, `<c r="C2" s="5"><v>200</v></c>`, `<c r="C2" s="5"/>`, "row 2"},
		{"column order", sheet, `<c r="B2" s="4"><v>1234</v></c><c r="C2" s="5"><v>200</v></c>`, `<c r="C2" s="5"><v>200</v></c><c r="B2" s="4"><v>1234</v></c>`, "out of order"},
		{"one column more", sheet, `<v>25569</v></c>`, `<v>25569</v></c><c r="E2"><v>1</v></c>`, "more than this report's columns"},
		{"hidden row", sheet, `<row r="3">`, `<row r="3" hidden="1">`, "row 3"},
		{"row order", sheet, `<row r="3">`, `<row r="4">`, "row 3, begins otherwise"},
		{"row twice", sheet, `</sheetData>`, `<row r="3"></row></sheetData>`, "row 4, begins otherwise"},
		{"needless escape", sheet, `alpha`, `alph_x0061_`, "row 2 is not written as"},
		{"entity", sheet, `alpha`, `alph&#97;`, "row 2 is not written as"},
		{"Latin-1", sheet, `alpha`, "caf\xe9", "cell A2: \"caf\\xe9\" is not valid UTF-8"},
		{"needless space mark", sheet, `<t>alpha`, `<t xml:space="preserve">alpha`, "row 2 is not written as"},
		{"comment", sheet, `<row r="3">`, `<!-- --><row r="3">`, "row 3"},
		{"header", sheet, `<t>amount</t>`, `<t>amounts</t>`, "the header does not name"},
		{"hidden column", sheet, `<col min="2" max="2" `, `<col min="2" max="2" hidden="1" `, "what stands before the rows"},
		{"column width", sheet, `<col min="2" max="2" width="10"`, `<col min="2" max="2" width="0"`, "what stands before the rows"},
		{"filter", sheet, `<autoFilter ref="A1:D3"/>`, `<autoFilter ref="A1:D2"/>`, "what stands behind the rows"},
		{"behind the sheet", sheet, `</worksheet>`, `</worksheet> `, "what stands behind the rows"},
		{"no end", sheet, `</worksheet>`, ``, "what stands behind the rows"},
		{"row lost", sheet, `<row r="3"><c r="A3" s="2" t="inlineStr"><is><t>beta</t></is></c><c r="B3" s="4"><v>5</v></c></row>`, ``, "what stands behind the rows"},
		{"hidden sheet", workbookPart, `<sheet name="usage"`, `<sheet state="hidden" name="usage"`, `has the attribute "state"`},
		{"renamed sheet", workbookPart, `<sheet name="usage"`, `<sheet name="Usage"`, `no sheet "usage"`},
		{"renamed summary", workbookPart, `<sheet name="Summary"`, `<sheet name="Overview"`, "want \"Summary\" and 1 more"},
		{"swapped sheets", relationsPart, `worksheets/sheet1.xml`, `worksheets/sheet2.xml`, `sheet "Summary" is in part`},
		{"outside", relationsPart, `Target="styles.xml"`, `Target="http://example.org/" TargetMode="External"`, "leads out of the file"},
		{"defined name", workbookPart, `name="_xlnm.Print_Titles"`, `name="rate"`, `defines the name "rate"`},
		{"hidden window", workbookPart, `<workbookView `, `<workbookView visibility="hidden" `, `attribute "visibility"`},
		{"external data", workbookPart, `<calcPr`, `<externalReferences></externalReferences><calcPr`, `has a part "externalReferences"`},
		{"number format", stylesPart, `numFmtId="3"`, `numFmtId="9"`, "not one that this format has"},
		{"theme", themePart, `Office`, `Other`, "xl/theme/theme1.xml"},
		{"total", summary, `<v>1239</v>`, `<v>1240</v>`, `sheet "Summary" does not say what`},
		{"kind", summary, `>some-report<`, `>usage-ledger<`, `sheet "Summary" does not say what`},
		{"summary's formula", summary, `<v>2</v>`, `<f>1+1</f><v>2</v>`, "Summary"},
		{"large part", "docProps/app.xml", `</Properties>`, `</Properties>` + strings.Repeat(" ", maxBookPart), "unpacks to more than"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bad := edit(t, file, test.part, func(text string) string { return strings.Replace(text, test.old, test.new, 1) })
			got, err := readWorkbook(bad, typedSection())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("decoded %s, %v; want an error with %q", show(got), err, test.want)
			}
		})
	}
	checkWorkbook(t, edit(t, file, "docProps/core.xml", func(text string) string { return text + " " }), typedSection(), typedSection(rows...))
}

func TestXLSXRefusesArchives(t *testing.T) {
	file := encode(t, xlsxFormat, workbookOf(typedSection([]any{"a", int64(1), int64(2), int64(3)})))
	all := func(*zip.FileHeader) bool { return true }
	broken := bytes.Clone(file)
	broken[len("PK..")+100] ^= 1
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "zip"},
		{"half", file[:len(file)/2], "zip"},
		{"a flipped bit", broken, ""},
		{"macros", rezip(t, file, all, "xl/vbaProject.bin"), "the archive has the part"},
		{"a part twice", rezip(t, file, all, workbookPart), "the archive has the part"},
		{"another sheet", rezip(t, file, all, sheetPart(3)), "the archive has the part"},
		{"many parts", rezip(t, file, all, strings.Split(strings.Repeat("x,", 40), ",")...), "which is no workbook"},
		{"no styles", rezip(t, file, func(f *zip.FileHeader) bool { return f.Name != stylesPart }), "parts"},
		{"case", rezip(t, file, func(f *zip.FileHeader) bool { f.Name = strings.ToUpper(f.Name); return true }), "the archive has the part"},
		{"stored", rezip(t, file, func(f *zip.FileHeader) bool { f.Method = zip.Store; return true }), "packed by method 0"},
		{"spare sheet", encode(t, xlsxFormat, workbookOf(withRows(twoSections(), nil, nil))), "is not of this report"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sections := typedSection()
			if test.name == "spare sheet" {
				sections = twoSections()[:1]
			}
			got, err := readWorkbook(test.file, sections)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("decoded %s, %v; want an error with %q", show(got), err, test.want)
			}
		})
	}
}

// A flipped bit is refused, or is none of the content's.
func TestXLSXFlippedBits(t *testing.T) {
	sections := typedSection([]any{"alpha", int64(1), int64(2), int64(3)})
	file := encode(t, xlsxFormat, workbookOf(sections))
	want, _ := tables(workbookOf(sections))
	for at := 0; at < len(file); at += 13 {
		file[at] ^= 1 << (at % 8)
		if got, err := readWorkbook(file, typedSection()); err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("with byte %d flipped it decodes to %s, want an error or %s", at, show(got), show(want))
		}
		file[at] ^= 1 << (at % 8)
	}
}

// A report has one division into sheets.
func TestXLSXRefusesOtherSplits(t *testing.T) {
	rows := make([][]any, 6)
	for i := range rows {
		rows[i] = []any{fmt.Sprint("row", i), int64(i), report.Null, report.Null}
	}
	lowerLimits(t, sheetLimits{rows: 3, bytes: math.MaxInt64})
	file := encode(t, xlsxFormat, workbookOf(typedSection(rows...)))
	checkWorkbook(t, file, typedSection(), typedSection(rows...))
	fullSheet.rows = 2
	if _, err := readWorkbook(file, typedSection()); err == nil || !strings.Contains(err.Error(), "beyond its limit") {
		t.Errorf("sheets too long: %v", err)
	}
	fullSheet.rows = 4
	if _, err := readWorkbook(file, typedSection()); err == nil || !strings.Contains(err.Error(), "is not full") {
		t.Errorf("sheets too short: %v", err)
	}
	fullSheet.rows = 3
	empty := edit(t, file, sheetPart(3), func(text string) string {
		start, end := strings.Index(text, `<row r="2"`), strings.Index(text, rowsEnd)
		return strings.ReplaceAll(text[:start]+text[end:], "A1:D4", "A1:D1")
	})
	if _, err := readWorkbook(empty, typedSection()); err == nil || !strings.Contains(err.Error(), "has no rows") {
		t.Errorf("an empty sheet behind another one: %v", err)
	}
}

// Whatever is read as a sheet is written as the same sheet.
func FuzzXLSXSheet(f *testing.F) {
	for _, row := range edgeRows()[:20] {
		file := encode(f, xlsxFormat, workbookOf(typedSection(row)))
		f.Add([]byte(part(f, file, sheetPart(2))))
	}
	f.Fuzz(func(t *testing.T, sheet []byte) {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		to, _ := createPart(w, sheetPart(2))
		to.Write(sheet)
		w.Close()
		archive, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		var batches []report.Batch
		reader := newSectionReader(typedColumns, func(batch report.Batch) (bool, error) {
			batches = append(batches, batch)
			return true, nil
		})
		if reader.sheet(archive.File[0], true) != nil {
			return
		}
		d := workbookOf(typedSection())
		d.Sections[0].Rows = func(yield func(report.Batch, error) bool) {
			for _, batch := range batches {
				yield(batch, nil)
			}
		}
		if again := part(t, encode(t, xlsxFormat, d), sheetPart(2)); again != string(sheet) {
			t.Errorf("%q was read as what is written %q", sheet, again)
		}
	})
}
