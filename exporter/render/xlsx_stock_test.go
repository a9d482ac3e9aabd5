package render

import (
	"bytes"
	"encoding/csv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"licensekit/exporter/report"
)

// stockRows are rows of a ledger with hostile text as it gets past intake.
func stockRows(columns []report.Column) [][]any {
	random := rand.New(rand.NewPCG(4, 2))
	rows := make([][]any, 300)
	for i := range rows {
		for {
			rows[i] = randomRow(random, columns)
			if !slices.ContainsFunc(rows[i], func(v any) bool {
				text, ok := v.(string)
				return ok && report.CheckText(text, report.MaxText) != ""
			}) {
				break
			}
		}
	}
	for i, edge := range edgeRows() {
		rows[i][1], rows[i][0], rows[i][2] = edge[0], edge[2], edge[3]
	}
	return rows
}

// shown gives a row as a spreadsheet shows it, dates as it shows dates.
func shown(columns []report.Column, row []any, date func(ms int64) string) []string {
	cells := make([]string, len(row))
	for i, value := range row {
		v, isInt := value.(int64)
		switch {
		case !isInt:
			cells[i] = value.(string)
		case v == report.Null:
		case columns[i].Type == report.Integer:
			cells[i] = strconv.FormatInt(v, 10)
		case isNumber(report.Time, v):
			cells[i] = date(v)
		default:
			cells[i] = report.FormatTime(v)
		}
	}
	return cells
}

func compareSheet(t *testing.T, got [][]string, columns []report.Column, rows [][]any, date func(int64) string) {
	t.Helper()
	if want := 1 + len(rows); len(got) != want {
		t.Fatalf("the sheet has %d rows, want %d", len(got), want)
	}
	for i, c := range columns {
		if got[0][i] != c.Name {
			t.Errorf("header of column %d: %q, want %q", i, got[0][i], c.Name)
		}
	}
	for i, row := range rows {
		want := shown(columns, row, date)
		cells := append(got[1+i], make([]string, len(want)-min(len(want), len(got[1+i])))...)
		if !slices.Equal(cells, want) {
			t.Fatalf("row %d is shown as %q\nwant %q", i+2, cells, want)
		}
	}
}

func TestXLSXInExcelize(t *testing.T) {
	columns := report.Sections(report.UsageLedger, report.Filters{})[0].Columns
	rows := stockRows(columns)
	book, err := excelize.OpenReader(bytes.NewReader(encode(t, xlsxFormat, ledger(t, rows))))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	if got, want := book.GetSheetList(), []string{"Summary", "usage"}; !slices.Equal(got, want) {
		t.Errorf("sheets %q, want %q", got, want)
	}
	if panes, err := book.GetPanes("usage"); err != nil || !panes.Freeze || panes.YSplit != 1 {
		t.Errorf("panes of the sheet: %+v, %v; want the first row frozen", panes, err)
	}
	if got, err := book.GetCellValue("usage", "L3"); err != nil || got != "540,232" {
		t.Errorf("the amount %d is shown as %q, %v; want separators", rows[1][11], got, err)
	}
	got, err := book.GetRows("usage", excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	compareSheet(t, got, columns, rows, func(ms int64) string {
		return strconv.FormatFloat(serialDate(ms), 'f', -1, 64)
	})
}

// LibreOffice shows each value as it is (in CSV without separators). Where it is missing the test is
// skipped, but not by the CI.
func TestXLSXInLibreOffice(t *testing.T) {
	office, err := exec.LookPath("soffice")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("LibreOffice is missing: apt-get install libreoffice-calc-nogui")
		}
		t.Skip("LibreOffice is missing: apt-get install libreoffice-calc-nogui")
	}
	lowerLimits(t, sheetLimits{rows: 200, bytes: 1 << 30})
	columns := report.Sections(report.UsageLedger, report.Filters{})[0].Columns
	rows := stockRows(columns)
	dir := t.TempDir()
	file := filepath.Join(dir, "ledger.xlsx")
	if err := os.WriteFile(file, encode(t, xlsxFormat, ledger(t, rows)), 0o600); err != nil {
		t.Fatal(err)
	}
	const everySheetAsShown = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"
	convert := exec.CommandContext(t.Context(), office, "-env:UserInstallation=file://"+dir+"/profile", "--headless", "--convert-to", everySheetAsShown, "--outdir", dir, file)
	if out, err := convert.CombinedOutput(); err != nil {
		t.Fatalf("soffice: %v\n%s", err, out)
	}
	date := func(ms int64) string {
		return strings.TrimSuffix(strings.Replace(report.FormatTime(ms), "T", " ", 1), "Z")
	}
	compareSheet(t, readSheetCSV(t, filepath.Join(dir, "ledger-usage.csv")), columns, rows[:200], date)
	compareSheet(t, readSheetCSV(t, filepath.Join(dir, "ledger-usage (2).csv")), columns, rows[200:], date)
	summary := readSheetCSV(t, filepath.Join(dir, "ledger-Summary.csv"))
	if want := []string{"usage: rows", "300"}; !slices.ContainsFunc(summary, func(row []string) bool { return slices.Equal(row, want) }) {
		t.Errorf("the summary is %q, want %q in it", summary, want)
	}
}

func readSheetCSV(t *testing.T, name string) [][]string {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
