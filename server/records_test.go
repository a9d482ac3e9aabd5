package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"licensekit/auth"
)

// records lists records with report:read.
func (s *site) records(t testing.TB, query string) (ids []string, next *int64) {
	t.Helper()
	var page []struct{ ID string }
	next = s.do(t, call{method: "GET", path: "/api/v1/records/" + query, token: s.token(t, auth.ReportRead)}).into(t, 200, &page)
	for _, r := range page {
		ids = append(ids, r.ID)
	}
	return ids, next
}

func TestListRecords(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var rows strings.Builder
	for i := range 7 {
		fmt.Fprintf(&rows, `{"id":"cus_%d","name":"Name %c","email":"x%d@example.com","metadata":{"n":%d},"created_at":"2026-01-02T00:00:00Z"}`+"\n", i, 'A'+i, i, i)
	}
	s.post(t, auth.ReportWrite, "/api/v1/records/customers", "application/x-ndjson", rows.String())
	var all []string
	for query, next := "customers?limit=3", (*int64)(nil); ; query = fmt.Sprintf("customers?limit=3&cursor=%d", *next) {
		var ids []string
		if ids, next = s.records(t, query); len(ids) > 3 {
			t.Errorf("%s gives %v, want at most 3", query, ids)
		}
		all = append(all, ids...)
		if next == nil {
			break
		}
	}
	if want := []string{"cus_0", "cus_1", "cus_2", "cus_3", "cus_4", "cus_5", "cus_6"}; !slices.Equal(all, want) {
		t.Errorf("the pages have %v, want %v", all, want)
	}
	for search, want := range map[string]string{"nAmE+c": "cus_2", "cus_5": "cus_5", "X6%40EXAMPLE": "cus_6", "nobody": ""} {
		ids, next := s.records(t, "customers?search="+search)
		if got := strings.Join(ids, " "); got != want || next != nil {
			t.Errorf("search %s gives %q, next %v; want %q alone", search, got, next, want)
		}
	}
	if ids, next := s.records(t, "customers?search=name&limit=2&cursor=2"); !slices.Equal(ids, []string{"cus_2", "cus_3"}) || *next != 4 {
		t.Errorf("the second page of a search has %v, next %d; want cus_2 and cus_3, next 4", ids, *next)
	}
	var page []map[string]any
	s.do(t, call{method: "GET", path: "/api/v1/records/customers?limit=1", token: s.token(t, auth.ReportRead)}).into(t, 200, &page)
	if got, want := fmt.Sprint(page[0]), "map[code:<nil> created_at:2026-01-02T00:00:00.000Z email:x0@example.com id:cus_0 metadata:map[n:0] name:Name A updated_at:<nil>]"; got != want {
		t.Errorf("record %s, want %s", got, want)
	}
	s.do(t, call{method: "GET", path: "/api/v1/records/colors", token: s.token(t, auth.ReportRead)}).want(t, 404, "NOT_FOUND").detail(t, "objects are products, customers, subscriptions, orders, licenses")
	s.do(t, call{method: "GET", path: "/api/v1/records/customers?color=red", token: s.token(t, auth.ReportRead)}).want(t, 400, "INVALID_QUERY").detail(t, "search, cursor, limit")
}

func TestEstimateExport(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	x := s.ready(t, `{"report_kind":"usage-ledger","format":"csv"}`)
	var got struct {
		Row   int64 `json:"row_count"`
		Bytes int64 `json:"estimated_size_bytes"`
	}
	s.post(t, auth.ReportExport, "/api/v1/reports/estimate", "application/json", `{"report_kind":"usage-ledger","format":"csv"}`).into(t, 200, &got)
	if got.Row != *x.RowCount || got.Bytes < *x.SizeBytes*9/10 || got.Bytes > *x.SizeBytes*11/10 {
		t.Errorf("estimate %+v, want %d rows and about %d bytes", got, *x.RowCount, *x.SizeBytes)
	}
	estimate := func(body string) answer {
		return s.post(t, auth.ReportExport, "/api/v1/reports/estimate", "application/json", body)
	}
	estimate(`{"report_kind":"color"}`).want(t, 422, "VALIDATION_ERROR").detail(t, "must be one of")
	estimate(`{"report_kind":"usage-ledger","limit":3}`).want(t, 400, "INVALID_JSON").detail(t, "limit")
}

// The rows with the most come first, and of many only those.
func TestLargestFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var rows []string
	for i := range 300 {
		rows = append(rows, fmt.Sprintf("e%d,2026-01-01T00:00:00Z,usage.consumed,c%03d,f,%d", i, i, i*7919%300))
	}
	s.ingest(t, rows...)
	read := func(query string) (customers []string, omitted int64) {
		var live struct {
			Rows    map[string][]map[string]any
			Omitted map[string]int64
		}
		s.do(t, call{method: "GET", path: "/api/v1/reports/usage-summary?group_by=customer_id&" + query, token: s.token(t, auth.ReportRead)}).into(t, 200, &live)
		for _, row := range live.Rows["usage"] {
			customers = append(customers, fmt.Sprint(row["customer_id"], "=", row["amount"]))
		}
		return customers, live.Omitted["usage"]
	}
	if got, omitted := read("order=amount&limit=3"); !slices.Equal(got, []string{"c121=299", "c242=298", "c063=297"}) || omitted != 297 {
		t.Errorf("the most: %v, omitted %d; want 299, 298 and 297, and 297 omitted", got, omitted)
	}
	if got, _ := read("order=events&limit=2"); !slices.Equal(got, []string{"c000=0", "c001=119"}) {
		t.Errorf("of equal ones: %v, want the first two", got)
	}
	s.do(t, call{method: "GET", path: "/api/v1/reports/usage-summary?order=color", token: s.token(t, auth.ReportRead)}).want(t, 400, "INVALID_QUERY").detail(t, "amount or events")
	s.do(t, call{method: "GET", path: "/api/v1/reports/usage-ledger?order=amount", token: s.token(t, auth.ReportRead)}).want(t, 400, "INVALID_QUERY").detail(t, "order")
}
