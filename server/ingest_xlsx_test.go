package server

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"licensekit/auth"
)

const xlsxMedia = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// workbook makes an XLSX file of sheets by name, the first of which is "first".
func workbook(t *testing.T, sheets map[string][][]any) string {
	t.Helper()
	book := excelize.NewFile()
	defer book.Close()
	if err := book.SetSheetName("Sheet1", "first"); err != nil {
		t.Fatal(err)
	}
	for name, rows := range sheets {
		if _, err := book.NewSheet(name); err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			if err := book.SetSheetRow(name, fmt.Sprintf("A%d", i+1), &row); err != nil {
				t.Fatal(err)
			}
		}
	}
	var out bytes.Buffer
	if err := book.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

var usageHeader = []any{"id", "occurred_at", "action", "customer_id", "amount"}

// A workbook says the same as the CSV of its rows, however its cells are typed.
func TestIngestXLSX(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.wantAccount(t, activitiesPath, "text/csv", csvBody, [4]int{2, 0, 0, 0})
	file := workbook(t, map[string][][]any{
		"first": {usageHeader, {"a", "2026-01-01T00:00:00Z", "usage.consumed", "c", 1}, {"b", 46024, "usage.consumed", "c", "2"}, {"d", 46024.5, "usage.consumed", "c", 1.5}},
		"other": {{"usage_id", "Note"}, {"e", "hello"}},
	})
	got := s.wantAccount(t, activitiesPath, xlsxMedia, file, [4]int{0, 2, 0, 1})
	if len(got.Errors) != 1 || got.Errors[0].Line != 4 || got.Errors[0].Field != "amount" {
		t.Errorf("errors %+v, want the amount of line 4", got.Errors)
	}
	query := "?sheet=other&map=id%3Dusage_id&set=action%3Dusage.consumed&set=occurred_at%3D2026-01-03T00:00:00Z"
	s.wantAccount(t, activitiesPath+query+"&dry_run=true", xlsxMedia, file, [4]int{1, 0, 0, 0})
	s.wantAccount(t, activitiesPath+query+"&atomic=true", xlsxMedia, file, [4]int{1, 0, 0, 0})
	s.post(t, auth.ReportWrite, activitiesPath+"?atomic=true", xlsxMedia, file).want(t, 422, "ATOMIC_REJECTED")
	s.wantAccount(t, "/api/v1/records/customers", xlsxMedia, workbook(t, map[string][][]any{"first": {{"id", "name"}, {"c", "Ada Ltd"}, {42, "Bea"}}}), [4]int{2, 0, 0, 0})
	if got := s.count(t); got != 3 {
		t.Errorf("the ledger holds %d activities, want 3", got)
	}
}

func TestWorkbooksThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	file := workbook(t, map[string][][]any{"first": {usageHeader, {"a", "2026-01-01T00:00:00Z", "usage.consumed", "c", 1}}})
	for name, test := range map[string]struct{ query, body, code string }{
		"no such sheet": {"?sheet=none", file, "INVALID_OPTION"},
		"no header":     {"", workbook(t, nil), "EMPTY_FILE"},
		"no columns":    {"", workbook(t, map[string][][]any{"first": {{"x"}, {1}}}), "MISSING_HEADER"},
		"cut off":       {"", file[:len(file)/2], "MALFORMED_FILE"},
		"no workbook":   {"", csvBody, "MALFORMED_FILE"},
		"empty":         {"", "", "EMPTY_FILE"},
	} {
		a := s.post(t, auth.ReportWrite, activitiesPath+test.query, xlsxMedia, test.body)
		a.call.path += " " + name
		a.want(t, 422, test.code)
	}
	s.post(t, auth.ReportWrite, activitiesPath, "text/csv", file).want(t, 422, "MALFORMED_FILE")
	if got := s.count(t); got != 0 {
		t.Errorf("the ledger holds %d activities, want none", got)
	}
}

// What was exported as a workbook can be sent again: all of it is known.
func TestExportedWorkbookIsKnown(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	file := string(s.fetch(t, s.ready(t, `{"report_kind":"usage-ledger","format":"xlsx"}`), nil).saying(t, "Content-Type", xlsxMedia).body)
	s.wantAccount(t, activitiesPath+"?sheet=usage&map=id%3Did", xlsxMedia, file, [4]int{0, 500, 0, 0})
}

// Of many bad lines all are counted and the first thousand named; the good ones
// among them go in.
func TestTwoThousandBadLines(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var body strings.Builder
	body.WriteString("id,occurred_at,action,amount\n")
	for i := range 2010 {
		amount := "many"
		if i%201 == 200 {
			amount = "1"
		}
		fmt.Fprintf(&body, "a%d,2026-01-01T00:00:00Z,usage.consumed,%s\n", i, amount)
	}
	var got struct {
		account
		Omitted int `json:"errors_omitted"`
	}
	s.post(t, auth.ReportWrite, activitiesPath, "text/csv", body.String()).into(t, 200, &got)
	if got.counts() != [4]int{10, 0, 0, 2000} || len(got.Errors) != 1000 || got.Omitted != 1000 {
		t.Fatalf("%v with %d named and %d omitted, want 10 accepted, 2000 rejected, 1000 named, 1000 omitted", got.counts(), len(got.Errors), got.Omitted)
	}
	if first, last := got.Errors[0], got.Errors[999]; first.Line != 2 || last.Line != 1005 || last.Code != "INVALID_TYPE" {
		t.Errorf("the named lines go from %d to %d (%s), want 2 to 1005: the first thousand", first.Line, last.Line, last.Code)
	}
	a := s.post(t, auth.ReportWrite, activitiesPath+"?atomic=true", "text/csv", body.String()).want(t, 422, "ATOMIC_REJECTED")
	if got := resultOf(t, a); got.Rejected != 2000 || len(got.Errors) != 1000 {
		t.Errorf("atomic: %d rejected, %d named; want 2000 and 1000", got.Rejected, len(got.Errors))
	}
	if got := s.count(t); got != 10 {
		t.Errorf("the ledger holds %d activities, want 10", got)
	}
}
