package server

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// feed reads the activity feed page by page.
func (s *site) feed(t *testing.T, query url.Values) (rows []map[string]any) {
	t.Helper()
	query = mergeQuery(url.Values{"limit": {"200"}}, query)
	for {
		var page []map[string]any
		next := s.look(t, activitiesPath+"?"+query.Encode()).into(t, 200, &page)
		rows = append(rows, page...)
		if next == nil {
			return rows
		}
		query.Set("cursor", fmt.Sprint(*next))
	}
}

func ids(rows []map[string]any) (ids []string) {
	for _, row := range rows {
		ids = append(ids, row["id"].(string))
	}
	return ids
}

func TestActivityFeed(t *testing.T) {
	t.Parallel()
	s := audited(t)
	t.Run("filters", s.testFeedFilters)
	t.Run("pages", s.testFeedPages)
	t.Run("members", s.testFeedMembers)
	t.Run("refusals", s.testFeedRefusals)
}

// Each filter selects what it says, usage or not, newest first.
func (s *site) testFeedFilters(t *testing.T) {
	queries := append(slices.Clone(narrowing),
		url.Values{"action": {"license.validated"}}, url.Values{"action": {"usage.adjusted"}}, url.Values{"action": {"usage."}}, url.Values{"source": {"app1"}},
		url.Values{"request_id": {"r17"}}, url.Values{"result_class": {"denied"}}, url.Values{"status_code": {"403"}}, url.Values{"status_code": {"404"}},
		url.Values{"action": {"usage.adjusted"}, "source": {"app0"}, "result_class": {"success"}, "status_code": {"200"}, "customer_id": {"c2"}, "from": {"2026-01-02T00:00:00Z"}})
	for _, query := range queries {
		var want []string
		for _, f := range facts() {
			if f.is(query) {
				want = append(want, f["id"].(string))
			}
		}
		slices.Reverse(want)
		if got := ids(s.feed(t, query)); !slices.Equal(got, want) {
			t.Errorf("feed %s = %v, want %v", query.Encode(), got, want)
		}
	}
}

func (s *site) testFeedPages(t *testing.T) {
	for limit, want := range map[string]int{"": 50, "limit=1": 1, "limit=200": 200, "limit=1000": 200} {
		var page []map[string]any
		next := s.look(t, activitiesPath+"?"+limit).into(t, 200, &page)
		if len(page) != want || next == nil || *next != int64(301-want) {
			t.Errorf("%q: %d activities, want %d and the cursor %d", limit, len(page), want, 301-want)
		}
	}
	whole := s.feed(t, url.Values{"limit": {"200"}})
	for _, limit := range []string{"61", "150"} { // 150 ends on a page's edge
		if got := s.feed(t, url.Values{"limit": {limit}}); len(got) != 300 || !reflect.DeepEqual(got, whole) {
			t.Errorf("pages of %s give %d activities, want the same 300 as pages of 200", limit, len(got))
		}
	}
}

// The feed says all that was sent; metadata is an object, and what was not sent
// is null.
func (s *site) testFeedMembers(t *testing.T) {
	sent := facts()
	for i, got := range s.feed(t, url.Values{"limit": {"200"}}) {
		want := sent[len(sent)-1-i]
		for name, value := range want {
			if name == "occurred_at" {
				value = strings.Replace(value.(string), "Z", ".000Z", 1)
			}
			if jsonText(t, got[name]) != jsonText(t, value) {
				t.Errorf("%s: %s is %v, want %v", want["id"], name, got[name], value)
			}
		}
		if want["metadata"] == nil && got["metadata"] != nil || int(got["sequence"].(float64)) != 300-i {
			t.Errorf("%s: metadata %v, sequence %v; want none and %d", want["id"], got["metadata"], got["sequence"], 300-i)
		}
	}
}

func (s *site) testFeedRefusals(t *testing.T) {
	for query, detail := range map[string]string{
		"report_kind=usage-ledger": "unknown parameter", "group_by=source": "unknown parameter", "id=ev1": "unknown parameter", "metadata=x": "unknown parameter",
		"status_code=0": "status_code", "status_code=-1": "status_code", "status_code=ok": "status_code", "status_code=": "empty", "source=": "empty",
		"from=now": "from", "to=now": "to", "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z": "from is after to",
		"action=a%00": "control character", "request_id=" + strings.Repeat("r", 1025): "limit is 1024", "limit=0": "limit", "cursor=0": "cursor", "cursor=1&cursor=2": "more than once",
	} {
		s.look(t, activitiesPath+"?"+query).want(t, 400, "INVALID_QUERY").detail(t, detail)
	}
}
