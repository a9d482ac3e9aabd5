package server

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"testing"
)

// A live read and an export of the same filters, at the same sequence, hold the
// same columns, rows and totals; a live read of less holds the first of them.
func (s *site) testLiveIsWhatAnExportHolds(t *testing.T) {
	extra := map[string]url.Values{
		"usage-summary":           {"group_by": {"customer_id,feature_code"}, "bucket": {"1d"}, "time_zone": {"Asia/Kathmandu"}, "customer_id": {"c1"}},
		"usage-ledger":            {"action": {"usage.adjusted"}},
		"subscription-settlement": {"group_by": {"source,action"}, "order_id": {"o1"}},
	}
	for kind, id := range required {
		for _, query := range []url.Values{id, mergeQuery(id, extra[kind]), mergeQuery(id, narrowing[3]), mergeQuery(id, url.Values{"feature_code": {"none"}})} {
			frozen, x := s.frozen(t, kind, query)
			live, _ := s.live(t, kind, mergeQuery(query, url.Values{"limit": {"200"}}))
			where := kind + "?" + query.Encode()
			if live.AsOf != *x.AsOf {
				t.Errorf("%s: as of %d, the export as of %d", where, live.AsOf, *x.AsOf)
			}
			if !reflect.DeepEqual(live.Filters, frozen.Filters) || !sameJSON(t, live.Columns, frozen.Columns) {
				t.Errorf("%s: filters and columns %v %s, want the export's %v %s", where, live.Filters, live.Columns, frozen.Filters, frozen.Columns)
			}
			if kind == "usage-ledger" {
				s.wantLedger(t, query, frozen)
				continue
			}
			if !reflect.DeepEqual(live.Totals, frozen.Totals) {
				t.Errorf("%s: totals %v, want the export's %v", where, live.Totals, frozen.Totals)
			}
			wantFirst(t, where, live, frozen, 200)
			few, _ := s.live(t, kind, mergeQuery(query, url.Values{"limit": {"3"}}))
			wantFirst(t, where+" limit 3", few, frozen, 3)
		}
	}
}

// frozen exports a report and reads it.
func (s *site) frozen(t *testing.T, kind string, query url.Values) (frozen liveData, x exportData) {
	t.Helper()
	filters := map[string]string{}
	for name := range query {
		filters[name] = query.Get(name)
	}
	x = s.ready(t, fmt.Sprintf(`{"report_kind":%q,"filters":%s}`, kind, jsonText(t, filters)))
	if err := json.Unmarshal(s.fetch(t, x, nil).body, &frozen); err != nil {
		t.Fatal(err)
	}
	return frozen, x
}

// wantFirst checks that each section holds its first rows, up to a limit, and
// counts the others.
func wantFirst(t *testing.T, where string, live, frozen liveData, limit int) {
	t.Helper()
	if len(live.Rows) != len(frozen.Rows) {
		t.Errorf("%s: %d sections, want %d", where, len(live.Rows), len(frozen.Rows))
	}
	for section, rows := range frozen.Rows {
		first := rows[:min(limit, len(rows))]
		if got := live.Rows[section]; len(got) != len(first) || len(first) > 0 && !reflect.DeepEqual(got, first) {
			t.Errorf("%s: section %s holds %v, want the export's first rows %v", where, section, got, first)
		}
		if got, want := live.Omitted[section], int64(len(rows)-len(first)); got != want {
			t.Errorf("%s: section %s omits %d rows, want %d", where, section, got, want)
		}
	}
}

// wantLedger checks that the live ledger's pages together are the export's
// rows, which come in another order.
func (s *site) wantLedger(t *testing.T, query url.Values, frozen liveData) {
	t.Helper()
	bySequence := slices.Clone(frozen.Rows["usage"])
	slices.SortFunc(bySequence, func(a, b map[string]any) int { return int(b["sequence"].(float64) - a["sequence"].(float64)) })
	rows := s.ledgerRows(t, query)
	if len(rows) != len(bySequence) || len(rows) > 0 && !reflect.DeepEqual(rows, bySequence) {
		t.Errorf("ledger %s: %d rows, want the export's %d, newest first", query.Encode(), len(rows), len(bySequence))
	}
	sum := int64(0)
	for _, row := range rows {
		sum += int64(row["amount"].(float64))
	}
	if totals := frozen.Totals["usage"]; totals["rows"] != int64(len(rows)) || totals["amount"] != sum {
		t.Errorf("ledger %s: %d rows of %d, the export's totals are %v", query.Encode(), len(rows), sum, totals)
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	for text, value := range map[*[]byte]*any{&a: &x, &b: &y} {
		if err := json.Unmarshal(*text, value); err != nil {
			t.Fatal(err)
		}
	}
	return reflect.DeepEqual(x, y)
}

// Pages of any size hold every row once, newest first, also while more comes.
func (s *site) testLedgerPages(t *testing.T) {
	whole := s.ledgerRows(t, url.Values{"limit": {"200"}})
	if !slices.IsSortedFunc(whole, func(a, b map[string]any) int { return int(b["sequence"].(float64) - a["sequence"].(float64)) }) {
		t.Error("the ledger is not sorted newest first")
	}
	for _, limit := range []string{"49", "147", "101"} { // 294 rows: 147 ends on a page's edge
		if got := s.ledgerRows(t, url.Values{"limit": {limit}}); !reflect.DeepEqual(got, whole) {
			t.Errorf("pages of %s give %d rows, want the same %d as pages of 200", limit, len(got), len(whole))
		}
	}
	page, next := s.live(t, "usage-ledger", url.Values{"limit": {"100"}})
	s.ingest(t, "late,2025-01-01T00:00:00Z,usage.consumed,c1,f,1", "later,2027-01-01T00:00:00Z,usage.consumed,c1,f,1")
	rest := s.ledgerRows(t, url.Values{"cursor": {fmt.Sprint(*next)}, "limit": {"60"}})
	if got := append(page.Rows["usage"], rest...); !reflect.DeepEqual(got, whole) {
		t.Errorf("with new rows between its pages the list has %d rows, want the %d that were there", len(got), len(whole))
	}
	if page, _ := s.live(t, "usage-ledger", url.Values{"limit": {"2"}}); page.Rows["usage"][0]["id"] != "later" || page.Rows["usage"][1]["id"] != "late" {
		t.Errorf("the newest rows are %v, want later and late", page.Rows["usage"])
	}
	if page, next := s.live(t, "usage-ledger", url.Values{"cursor": {"1"}}); len(page.Rows["usage"]) != 0 || next != nil {
		t.Errorf("below the first row there are %v and a page at %v, want nothing", page.Rows["usage"], next)
	}
}
