package render

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"licensekit/exporter/report"
)

// workbookOf is a report of a kind that there is not, with any sections.
func workbookOf(sections []report.Section) *report.Document {
	return &report.Document{Kind: "some-report", Sections: sections}
}

// readWorkbook decodes a file by a schema that no kind has.
func readWorkbook(file []byte, sections []report.Section) ([]table, error) {
	d := workbookOf(sections)
	if err := readXLSX(bytes.NewReader(file), int64(len(file)), d); err != nil {
		return nil, err
	}
	return tables(d)
}

func checkWorkbook(t *testing.T, file []byte, sections, want []report.Section) {
	t.Helper()
	expected, _ := tables(workbookOf(want))
	if got, err := readWorkbook(file, sections); err != nil || !reflect.DeepEqual(got, expected) {
		t.Fatalf("decoded %s, %v\nwant %s", show(got), err, show(expected))
	}
}

// part reads a part of a file.
func part(t testing.TB, file []byte, name string) string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	content, err := archive.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	text, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lowerLimits makes sheets end early.
func lowerLimits(t *testing.T, limits sheetLimits) {
	t.Helper()
	before := fullSheet
	fullSheet = limits
	t.Cleanup(func() { fullSheet = before })
}

var typedColumns = []report.Column{
	{Name: "text", Type: report.String}, {Name: "amount", Type: report.Integer, Sum: true},
	{Name: "code", Type: report.Integer}, {Name: "at", Type: report.Time},
}

func typedSection(rows ...[]any) []report.Section {
	return []report.Section{{Name: "usage", Columns: typedColumns, Rows: rowsOf(typedColumns, rows, 2)}}
}

func TestXLSXCells(t *testing.T) {
	const cell = `<row r="2">%s</row>`
	text := func(content string) string {
		return `<c r="A2" s="2" t="inlineStr"><is><t` + content + `</t></is></c>`
	}
	date := func(text string) any {
		ms, err := report.ParseTime(text)
		if err != nil {
			t.Fatal(err)
		}
		return ms
	}
	tests := []struct {
		row  []any
		want string
	}{
		{[]any{"", report.Null, report.Null, report.Null}, ``},
		{[]any{"a", int64(-5), int64(200), int64(0)}, text(">a") + `<c r="B2" s="4"><v>-5</v></c><c r="C2" s="5"><v>200</v></c><c r="D2" s="6"><v>25569</v></c>`},
		{[]any{"=1+2", int64(maxNumber), int64(-maxNumber), report.Null}, text(">=1+2") + `<c r="B2" s="4"><v>999999999999999</v></c><c r="C2" s="5"><v>-999999999999999</v></c>`},
		{[]any{" ", int64(maxNumber + 1), int64(math.MinInt64 + 1), report.Null}, text(` xml:space="preserve"> `) +
			`<c r="B2" s="3" t="inlineStr"><is><t>1000000000000000</t></is></c><c r="C2" s="3" t="inlineStr"><is><t>-9223372036854775807</t></is></c>`},
		{[]any{"a\nb", report.Null, report.Null, date("1900-02-28T23:59:59.999Z")}, text(" xml:space=\"preserve\">a\nb") + `<c r="D2" s="3" t="inlineStr"><is><t>1900-02-28T23:59:59.999Z</t></is></c>`},
		{[]any{"", report.Null, report.Null, date("0000-01-01T00:00:00.000Z")}, `<c r="D2" s="3" t="inlineStr"><is><t>0000-01-01T00:00:00.000Z</t></is></c>`},
		{[]any{"", report.Null, report.Null, date("2026-01-01T00:00:00.001Z")}, `<c r="D2" s="6"><v>46023.000000011576</v></c>`},
	}
	for _, test := range tests {
		file := encode(t, xlsxFormat, workbookOf(typedSection(test.row)))
		if got, want := part(t, file, "xl/worksheets/sheet2.xml"), fmt.Sprintf(cell, test.want); !strings.Contains(got, want) {
			t.Errorf("%v is written %q, want %q in it", test.row, got, want)
		}
		checkWorkbook(t, file, typedSection(), typedSection(test.row))
	}
}

// edgeRows hold every edge of every type.
func edgeRows() (rows [][]any) {
	integers := []int64{report.Null, 0, 1<<53 - 1, 1 - 1<<53, 1 << 53, maxNumber, maxNumber + 1, -maxNumber, -maxNumber - 1, math.MaxInt64, math.MinInt64 + 1}
	times := []int64{report.Null, 0, 1, -1, 999, firstDate, firstDate - 1, lastDate, -62167219200000, 1<<41 + 1}
	texts := []string{
		"", " ", "  ", " a ", "a  b", "=1+2", "+1", "-1", "@SUM(A1)", "'", "'=", "\u00a0", "_x000D_", "_x0041_x0042_", "\U0001F600", "שלום 123",
		"e\u0301", "\u202eabc", "\uFFFD", `"`, "<&>", "TRUE", "1e5", "007", "#N/A", "2026-01-01", strings.Repeat("é", report.MaxText/2), strings.Repeat("_x0041_", 146),
	}
	for i, text := range texts {
		rows = append(rows, []any{text, int64(i), integers[i%len(integers)], times[i%len(times)]})
	}
	return rows
}

func TestXLSXEdges(t *testing.T) {
	file := encode(t, xlsxFormat, workbookOf(typedSection(edgeRows()...)))
	checkWorkbook(t, file, typedSection(), typedSection(edgeRows()...))
}

// Sheets are split by rows or by bytes, and read as one again.
func TestXLSXSplits(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 7))
	for _, limits := range []sheetLimits{{rows: 3, bytes: math.MaxInt64}, {rows: math.MaxInt, bytes: 2_000}, {rows: 4, bytes: 2_200}} {
		lowerLimits(t, limits)
		for range 25 {
			sections := randomSections(random, twoSections())
			file := encode(t, xlsxFormat, workbookOf(sections))
			checkWorkbook(t, file, twoSections(), sections)
		}
	}
}

func TestXLSXSheetNames(t *testing.T) {
	lowerLimits(t, sheetLimits{rows: 2, bytes: math.MaxInt64})
	row := []any{"a", int64(1), report.Null, report.Null}
	for rows, want := range map[int]string{0: "usage", 1: "usage", 2: "usage", 3: "usage,usage (2)", 4: "usage,usage (2)", 5: "usage,usage (2),usage (3)"} {
		file := encode(t, xlsxFormat, workbookOf(typedSection(slices.Repeat([][]any{row}, rows)...)))
		var names []string
		for _, s := range strings.Split(part(t, file, workbookPart), `<sheet name="`)[2:] {
			name, _, _ := strings.Cut(s, `"`)
			names = append(names, name)
		}
		if got := strings.Join(names, ","); got != want {
			t.Errorf("%d rows are in the sheets %q, want %q", rows, got, want)
		}
	}
}

func TestXLSXCapacity(t *testing.T) {
	lowerLimits(t, sheetLimits{rows: 2, bytes: math.MaxInt64})
	row := []any{"a", int64(1), report.Null, report.Null}
	if err := xlsxFormat.Encode(t.Context(), io.Discard, workbookOf(typedSection(slices.Repeat([][]any{row}, 2*maxSheets)...)), Info{}); err != nil {
		t.Errorf("%d full sheets: %v", maxSheets, err)
	}
	long := []any{strings.Repeat("\U0001F600", maxCellText/2+1), int64(1), report.Null, report.Null}
	for name, rows := range map[string][][]any{"too many rows": slices.Repeat([][]any{row}, 2*maxSheets+1), "long text": {long}} {
		err := xlsxFormat.Encode(t.Context(), io.Discard, workbookOf(typedSection(rows...)), Info{})
		var capacity *CapacityError
		if !errors.As(err, &capacity) || capacity.Format != "xlsx" || capacity.Instead != "csv" || capacity.Code() != "FORMAT_CAPACITY" {
			t.Errorf("%s: %v, want a CapacityError that names csv", name, err)
		}
	}
	long[0] = strings.Repeat("\U0001F600", maxCellText/2)
	file := encode(t, xlsxFormat, workbookOf(typedSection(long)))
	checkWorkbook(t, file, typedSection(), typedSection(long))
}

// The bytes depend on the report and its info, not on the batches, on the time
// or on who runs beside.
func TestXLSXDeterminism(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 8))
	rows := make([][]any, 1_000)
	for i := range rows {
		rows[i] = randomRow(random, typedColumns)
	}
	info := Info{ExportID: "rptx_x", FrozenAt: 1767225600123, Instance: "i", KeyID: "k", Digest: report.DigestOf(nil)}
	write := func(perBatch int) []byte {
		d := workbookOf([]report.Section{{Name: "usage", Columns: typedColumns, Rows: rowsOf(typedColumns, rows, perBatch)}})
		var file bytes.Buffer
		if err := xlsxFormat.Encode(t.Context(), &file, d, info); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	want := write(1)
	for _, perBatch := range []int{1, 7, 199, 200, 201, 1_000} {
		if !bytes.Equal(write(perBatch), want) {
			t.Errorf("batches of %d rows give other bytes", perBatch)
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if !bytes.Equal(write(100), want) {
		t.Error("one processor gives other bytes")
	}
}

// The summary says all that is known, and comes back into the comparison.
func TestXLSXSummary(t *testing.T) {
	d := &report.Document{Kind: report.UsageSummary, Filters: filtersOf(t, report.UsageSummary, map[string]string{
		"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "customer_id": " <c> ", "group_by": "action,source"})}
	d.Sections = report.Sections(d.Kind, d.Filters)
	d.Sections[0].Rows = rowsOf(d.Sections[0].Columns, [][]any{{"a", "b", int64(1234), int64(-7)}}, 1)
	info := Info{ExportID: "rptx_1", FrozenAt: 1, Instance: "here", KeyID: "sha256:k", Digest: report.DigestOf(nil)}
	var file bytes.Buffer
	if err := xlsxFormat.Encode(t.Context(), &file, d, info); err != nil {
		t.Fatal(err)
	}
	decoded, err := decode(xlsxFormat, file.Bytes(), d.Kind, d.Filters)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tables(decoded); err != nil {
		t.Fatal(err)
	}
	summary := part(t, file.Bytes(), sheetPart(1))
	got, err := readInfo([]byte(summary))
	if err != nil || got != info {
		t.Errorf("info is read as %+v, %v; want %+v", got, err, info)
	}
	for _, want := range []string{"Usage summary", "> &lt;c&gt; <", "action, source", "<v>46023</v>", "<v>46054</v>", "<v>1234</v>", "<v>-7</v>", "usage: total amount"} {
		if !strings.Contains(summary, want) {
			t.Errorf("the summary %q lacks %q", summary, want)
		}
	}
}

// What was frozen must be read for ever, by whatever version of the libraries.
// The files are named by the digest of what is in them.
func TestXLSXReadsOldFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/usage-ledger-*.xlsx")
	if err != nil || len(files) == 0 {
		t.Fatalf("files %q, %v; want some", files, err)
	}
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		d, err := decode(xlsxFormat, file, report.UsageLedger, report.Filters{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var canonical bytes.Buffer
		if _, err := report.WriteCanonical(&canonical, d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := report.DigestOf(canonical.Bytes()).Hex(); !strings.Contains(name, got[:16]) {
			t.Errorf("%s holds %s", name, got)
		}
	}
}
