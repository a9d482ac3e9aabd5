package server

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"licensekit/auth"
	"licensekit/exporter"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

func jsonFormat(t testing.TB) render.Format {
	t.Helper()
	format, err := render.Parse("json")
	if err != nil {
		t.Fatal(err)
	}
	return format
}

// list asks for a page of exports.
func (s *site) list(t testing.TB, query string) (ids []string, next *int64) {
	t.Helper()
	var page []exportData
	next = s.get(t, exportsPath+"?"+query).into(t, 200, &page)
	for _, x := range page {
		ids = append(ids, x.ID)
	}
	return ids, next
}

// many queues exports behind the API's back, and gives their ids, newest first.
func (s *site) many(t testing.TB, n int) (ids []string) {
	t.Helper()
	filters, err := report.ParseFilters(report.UsageSummary, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		x, _, err := s.exports.Create(context.Background(), exporter.Request{Kind: report.UsageSummary, Format: jsonFormat(t), Filters: filters, CreatedBy: "t"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, string(x.ID))
	}
	slices.Reverse(ids)
	return ids
}

// Pages of any size hold every export once, newest first, and the last one
// says that it is.
func TestPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, workers(0))
	want := s.many(t, 250)
	for query, size := range map[string]int{"": 50, "limit=100": 100, "limit=200": 200, "limit=9223372036854775807": 200, "limit=125": 125} {
		var got []string
		for cursor := ""; ; {
			ids, next := s.list(t, query+cursor)
			got = append(got, ids...)
			if next == nil {
				break
			}
			if len(ids) != size {
				t.Fatalf("?%s: a page of %d that is not the last, want %d", query, len(ids), size)
			}
			cursor = fmt.Sprintf("&cursor=%d", *next)
		}
		if !slices.Equal(got, want) {
			t.Errorf("?%s: pages hold %d exports, want these %d in order", query, len(got), len(want))
		}
	}
	if ids, next := s.list(t, "cursor=1"); len(ids) != 0 || next != nil {
		t.Errorf("below the first: %d exports, next %v; want none, null", len(ids), next)
	}
	if ids, _ := s.list(t, "cursor=9223372036854775807&limit=1"); !slices.Equal(ids, want[:1]) {
		t.Errorf("below the highest cursor: %v, want the newest", ids)
	}
}

// A page stays where it was while new exports come in.
func TestCursorIsStable(t *testing.T) {
	t.Parallel()
	s := newSite(t, workers(0))
	old := s.many(t, 4)
	_, next := s.list(t, "limit=2")
	s.many(t, 3)
	if got, _ := s.list(t, fmt.Sprintf("limit=2&cursor=%d", *next)); !slices.Equal(got, old[2:]) {
		t.Errorf("second page = %v, want %v", got, old[2:])
	}
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	summary := s.ready(t, jsonExport)
	ledger := s.ready(t, `{"report_kind":"usage-ledger","format":"csv"}`)
	_, token := s.issue(t, auth.Spec{Scopes: []auth.Scope{auth.ReportExport}})
	var others exportData
	s.do(t, call{method: "POST", path: exportsPath, token: token, body: jsonExport}).into(t, 201, &others)
	for query, want := range map[string][]string{
		"":                               {others.ID, ledger.ID, summary.ID},
		"report_kind=usage-summary":      {others.ID, summary.ID},
		"format=csv":                     {ledger.ID},
		"status=ready":                   {others.ID, ledger.ID, summary.ID},
		"status=failed":                  nil,
		"created_by=" + others.CreatedBy: {others.ID},
		"created_by=nobody":              nil,
		"report_kind=usage-summary&created_by=" + summary.CreatedBy: {summary.ID},
		"report_kind=usage-ledger&format=json":                      nil,
		"report_kind=usage-ledger&format=csv&status=ready&limit=1":  {ledger.ID},
	} {
		if got, next := s.list(t, query); !slices.Equal(got, want) || next != nil {
			t.Errorf("?%s gives %v, next %v; want %v, null", query, got, next, want)
		}
	}
}

// A filter leaves gaps in a page's sequences; none is skipped, none twice.
func TestFilteredPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var want []string
	for i := range 9 {
		x := s.ready(t, fmt.Sprintf(`{"report_kind":"usage-summary","format":%q}`, []string{"json", "csv", "csv"}[i%3]))
		if x.Format == "csv" {
			want = append([]string{x.ID}, want...)
		}
	}
	var got []string
	for query := "format=csv&limit=2"; query != ""; {
		ids, next := s.list(t, query)
		got = append(got, ids...)
		query = ""
		if next != nil {
			query = fmt.Sprintf("format=csv&limit=2&cursor=%d", *next)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages of csv exports hold %v, want %v", got, want)
	}
}

func TestQueriesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for query, detail := range map[string]string{
		"limit=0": "limit", "limit=-1": "limit", "limit=x": "limit", "limit=1.5": "limit", "limit=": "limit is empty", "limit=99999999999999999999": "limit",
		"cursor=0": "cursor", "cursor=-5": "cursor", "cursor=x": "cursor", "cursor=": "cursor is empty", "cursor=99999999999999999999": "cursor",
		"limit=1&limit=2": "more than once", "status=ready&status=failed": "more than once",
		"colour=red": `unknown parameter "colour"`, "Limit=5": `unknown parameter "Limit"`,
		"report_kind=x": "report_kind", "report_kind=": "empty", "format=x": "format", "status=x": "must be one of pending, processing, ready, failed", "created_by=": "empty",
		"limit=5;status=ready": "semicolon", "limit=%zz": "escape",
	} {
		target := exportsPath + "?" + query
		if _, err := url.Parse(target); err != nil {
			t.Fatal(err)
		}
		s.get(t, target).want(t, 400, "INVALID_QUERY").detail(t, detail)
	}
}
