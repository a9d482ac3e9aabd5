package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"licensekit/auth"
)

type comparisonData struct {
	Before, After struct{ ID string }
	Sections      map[string]struct{ Added, Removed, Changed, Unchanged int64 }
	Count         int64 `json:"difference_count"`
	Differences   []struct {
		Section, Change string
		Before, After   map[string]any
	}
	TotalsBefore map[string]map[string]int64 `json:"totals_before"`
	TotalsAfter  map[string]map[string]int64 `json:"totals_after"`
}

// What came in between two exports shows as rows added and changed, in whatever
// format they are.
func TestCompareExports(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ingest(t, "e1,2026-01-01T00:00:00Z,usage.consumed,c1,f,1", "e2,2026-01-01T00:00:00Z,usage.consumed,c2,f,2")
	ask := func(format string) string {
		return `{"report_kind":"usage-summary","format":"` + format + `","filters":{"group_by":["customer_id"]}}`
	}
	old := s.ready(t, ask("csv"))
	s.ingest(t, "e3,2026-01-01T00:00:00Z,usage.consumed,c2,f,40", "e4,2026-01-01T00:00:00Z,usage.consumed,c3,f,8")
	for _, format := range []string{"csv", "json", "pdf", "xlsx"} {
		fresh := s.ready(t, ask(format))
		var got comparisonData
		next := s.get(t, exportsPath+"/"+old.ID+"/comparison?with="+fresh.ID).into(t, 200, &got)
		usage := got.Sections["usage"]
		if got.Before.ID != old.ID || got.After.ID != fresh.ID || got.Count != 2 || usage.Added != 1 || usage.Changed != 1 || usage.Unchanged != 1 || usage.Removed != 0 || next != nil {
			t.Errorf("csv and %s: %+v, next %v; want one row added, one changed, one as it was", format, got, next)
		}
		if got.TotalsBefore["usage"]["amount"] != 3 || got.TotalsAfter["usage"]["amount"] != 51 {
			t.Errorf("csv and %s: totals %v and %v, want 3 and 51", format, got.TotalsBefore, got.TotalsAfter)
		}
		if d := got.Differences[0]; d.Change != "changed" || d.Before["amount"] != 2.0 || d.After["amount"] != 42.0 || d.After["customer_id"] != "c2" {
			t.Errorf("csv and %s: first %+v, want c2 changed from 2 to 42", format, d)
		}
		if d := got.Differences[1]; d.Change != "added" || d.Before != nil || d.After["customer_id"] != "c3" {
			t.Errorf("csv and %s: second %+v, want c3 added", format, d)
		}
	}
	var same comparisonData
	s.get(t, exportsPath+"/"+old.ID+"/comparison?with="+old.ID).into(t, 200, &same)
	if same.Count != 0 || len(same.Differences) != 0 {
		t.Errorf("with itself: %+v, want no differences", same)
	}
}

// The pages of a comparison, and its stream, have every difference once.
func TestCompareInPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	empty := s.ready(t, `{"report_kind":"usage-ledger","format":"csv"}`)
	var rows []string
	for i := range 25 {
		rows = append(rows, fmt.Sprintf("e%02d,2026-01-01T00:00:00Z,usage.consumed,c,f,1", i))
	}
	s.ingest(t, rows...)
	full := s.ready(t, `{"report_kind":"usage-ledger","format":"csv"}`)
	seen := map[any]bool{}
	for query := "?limit=10&with=" + full.ID; query != ""; {
		var page comparisonData
		next := s.get(t, exportsPath+"/"+empty.ID+"/comparison"+query).into(t, 200, &page)
		for _, d := range page.Differences {
			seen[d.After["id"]] = true
		}
		if query = ""; next != nil {
			query = fmt.Sprintf("?limit=10&with=%s&cursor=%d", full.ID, *next)
		}
		if page.Count != 25 {
			t.Errorf("a page counts %d differences, want 25", page.Count)
		}
	}
	if len(seen) != 25 {
		t.Errorf("the pages have %d rows, want 25", len(seen))
	}
	a := s.do(t, call{method: "GET", path: exportsPath + "/" + full.ID + "/comparison?with=" + empty.ID, token: s.token(t, auth.ReportExport), header: map[string]string{"Accept": "application/x-ndjson"}})
	lines := strings.Split(strings.TrimSpace(string(a.body)), "\n")
	var last comparisonData
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 26 || last.Sections["usage"].Removed != 25 {
		t.Errorf("the stream has %d lines, the last of which says %+v, %v; want 25 rows removed", len(lines), last, err)
	}
}

func TestCompareRefusesWhatIsNotAlike(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one, other := s.ready(t, jsonExport), s.ready(t, `{"report_kind":"usage-ledger"}`)
	path := exportsPath + "/" + one.ID + "/comparison"
	s.get(t, path+"?with="+other.ID).want(t, 422, "INCOMPARABLE").detail(t, "one is a usage-summary, the other a usage-ledger")
	s.get(t, path+"?with=rptx_gone").want(t, 404, "NOT_FOUND")
	s.get(t, path).want(t, 400, "INVALID_QUERY").detail(t, "with is missing")
	s.get(t, exportsPath+"/rptx_gone/comparison?with="+one.ID).want(t, 404, "NOT_FOUND")
	a := s.do(t, call{method: "GET", path: path + "?with=" + other.ID, token: s.token(t, auth.ReportExport), header: map[string]string{"Accept": "application/x-ndjson"}})
	a.want(t, 422, "INCOMPARABLE")
}
