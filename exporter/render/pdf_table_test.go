package render

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"licensekit/exporter/report"
)

// A total has more digits than any of its rows, and the last sequence more than
// nearly all before it: each stands on one line all the same.
func TestPDFDoesNotBreakNumbers(t *testing.T) {
	filters := filtersOf(t, report.UsageSummary, map[string]string{"group_by": "product_id"})
	sections := report.Sections(report.UsageSummary, filters)
	var rows [][]any
	for i := range 150 {
		rows = append(rows, []any{fmt.Sprintf("prod_%03d", i), int64(7), int64(999)})
	}
	sections[0].Rows = rowsOf(sections[0].Columns, rows, 40)
	lastLine(t, &report.Document{Kind: report.UsageSummary, Filters: filters, Sections: sections}, "Total ", "1,050", "149,850")

	d := ledger(t, nil)
	columns := d.Sections[0].Columns
	rows = nil
	for i := range 150 {
		row := make([]any, len(columns))
		for c, column := range columns {
			if row[c] = ""; column.Type != report.String {
				row[c] = report.Null
			}
		}
		row[0], row[1] = int64(i), "event"
		rows = append(rows, row)
	}
	rows[149][0], rows[149][1] = int64(9_007_199_254_740_991), "last"
	d.Sections[0].Rows = rowsOf(columns, rows, 40)
	lastLine(t, d, "9007199254740991", "last")
}

// lastLine looks for words on the last line that has the first of them.
func lastLine(t *testing.T, d *report.Document, first string, words ...string) {
	t.Helper()
	file, _ := encodedPDF(t, d)
	got := tool(t, file, "pdftotext", "-layout", "-", "-")
	i := strings.LastIndex(got, first)
	line, _, _ := strings.Cut(got[max(i, 0):], "\n")
	for _, word := range words {
		if i < 0 || !strings.Contains(line, word) {
			t.Errorf("the line of %s is %q, want %s in it", first, line, word)
		}
	}
}

// A customer with little is told of on few pages: small tables lie on their side
// with the large ones.
func TestPDFKeepsSmallTablesTogether(t *testing.T) {
	filters := filtersOf(t, report.CustomerSummary, nil)
	for rows, want := range map[int]string{1: "Pages: +[23]\n", 200: "Pages: +[1-9][0-9]\n"} {
		random := rand.New(rand.NewPCG(1, 2))
		sections := report.Sections(report.CustomerSummary, filters)
		for i := range sections {
			var values [][]any
			for range rows {
				row := randomRow(random, sections[i].Columns)
				for c := range row {
					if _, ok := row[c].(string); ok {
						row[c] = "text"
					}
				}
				values = append(values, row)
			}
			sections[i].Rows = rowsOf(sections[i].Columns, values, 50)
		}
		file, _ := encodedPDF(t, &report.Document{Kind: report.CustomerSummary, Filters: filters, Sections: sections})
		if got := tool(t, file, "pdfinfo", "-"); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%d rows a section: want %s in\n%s", rows, want, got)
		}
	}
}
