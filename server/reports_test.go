package server

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"licensekit/auth"
)

// fact is an activity that a test sent, by the names of the contract.
type fact map[string]any

// facts are 300 activities, an hour apart, of every sort.
func facts() (all []fact) {
	begin := time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC)
	for i := range 300 {
		action := "usage.consumed"
		switch {
		case i%50 == 7:
			action = "license.validated"
		case i%11 == 3:
			action = "usage.adjusted"
		}
		f := fact{
			"id": fmt.Sprintf("ev%03d", i), "occurred_at": begin.Add(time.Duration(i*7%300) * time.Hour).Format(time.RFC3339), "action": action,
			"amount": i%9 - 1, "source": fmt.Sprintf("app%d", i%2), "feature_code": fmt.Sprintf("f%d", i%3), "license_id": fmt.Sprintf("l%d", i%4),
			"product_id": fmt.Sprintf("p%d", i%4/2), "customer_id": fmt.Sprintf("c%d", i%4), "order_id": fmt.Sprintf("o%d", i%4), "subscription_id": fmt.Sprintf("s%d", i%4),
			"request_id": fmt.Sprintf("r%d", i%60), "result_class": []string{"success", "denied"}[i%5/4], "status_code": []int{200, 403}[i%5/4],
		}
		if i%20 == 0 {
			f["metadata"] = map[string]any{"region": "eu", "n": i}
		}
		all = append(all, f)
	}
	return all
}

// is tells whether an activity has what a query asks for.
func (f fact) is(query url.Values) bool {
	for name := range query {
		value := query.Get(name)
		switch name {
		case "from":
			if f.time().Before(parseTime(value)) {
				return false
			}
		case "to":
			if !f.time().Before(parseTime(value)) {
				return false
			}
		case "limit", "cursor", "group_by", "bucket", "time_zone":
		default:
			if fmt.Sprint(f[name]) != value {
				return false
			}
		}
	}
	return true
}

func (f fact) isUsage() bool { return strings.HasPrefix(f["action"].(string), "usage.") }

func (f fact) time() time.Time { return parseTime(f["occurred_at"].(string)) }

func parseTime(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return at
}

// audited gives a site with records and the facts.
func audited(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	records := map[string][]map[string]any{"products": {{"id": "p0", "name": "Product"}, {"id": "p1"}}}
	for i := range 4 {
		for object, record := range map[string]map[string]any{
			"customers":     {"id": fmt.Sprintf("c%d", i), "name": "Ada Ltd"},
			"subscriptions": {"id": fmt.Sprintf("s%d", i), "status": "active", "current_period_start": "2026-01-01T00:00:00Z", "current_period_end": "2026-01-09T00:00:00Z"},
			"orders":        {"id": fmt.Sprintf("o%d", i), "status": "paid", "subscription_id": fmt.Sprintf("s%d", i)},
			"licenses":      {"id": fmt.Sprintf("l%d", i), "status": "active", "product_id": fmt.Sprintf("p%d", i/2), "customer_id": fmt.Sprintf("c%d", i)},
		} {
			records[object] = append(records[object], record)
		}
	}
	for object, list := range records {
		s.wantAccount(t, "/api/v1/records/"+object, "application/json", jsonText(t, list), [4]int{len(list), 0, 0, 0})
	}
	s.wantAccount(t, activitiesPath, "application/json", jsonText(t, facts()), [4]int{300, 0, 0, 0})
	return s
}

// liveData is a live report as a client sees it.
type liveData struct {
	Kind    string                      `json:"report_kind"`
	Filters map[string]any              `json:"filters"`
	AsOf    int64                       `json:"as_of"`
	Columns json.RawMessage             `json:"columns"`
	Rows    map[string][]map[string]any `json:"rows"`
	Totals  map[string]map[string]int64 `json:"totals"`
	Omitted map[string]int64            `json:"omitted"`
}

const reportsPath = "/api/v1/reports/"

// look asks for something with report:read.
func (s *site) look(t testing.TB, path string) answer {
	t.Helper()
	return s.do(t, call{method: "GET", path: path, token: s.token(t, auth.ReportRead)})
}

// live reads a report, and for a list the cursor of the next page.
func (s *site) live(t testing.TB, kind string, query url.Values) (x liveData, next *int64) {
	t.Helper()
	next = s.look(t, reportsPath+kind+"?"+query.Encode()).into(t, 200, &x)
	return x, next
}

// ledgerRows reads the live ledger page by page, newest first.
func (s *site) ledgerRows(t testing.TB, query url.Values) (rows []map[string]any) {
	t.Helper()
	query = mergeQuery(url.Values{"limit": {"200"}}, query)
	for {
		page, next := s.live(t, "usage-ledger", query)
		rows = append(rows, page.Rows["usage"]...)
		if next == nil {
			return rows
		}
		query.Set("cursor", fmt.Sprint(*next))
	}
}

// mergeQuery copies queries into one.
func mergeQuery(queries ...url.Values) url.Values {
	all := url.Values{}
	for _, query := range queries {
		for name := range query {
			all.Set(name, query.Get(name))
		}
	}
	return all
}

// required is what a live read of a kind can't do without.
var required = map[string]url.Values{
	"usage-summary": {}, "usage-ledger": {}, "license-audit": {"license_id": {"l1"}},
	"customer-summary": {"customer_id": {"c1"}}, "subscription-settlement": {"subscription_id": {"s1"}},
}

// narrowing are the filters that every kind has.
var narrowing = []url.Values{
	{}, {"from": {"2026-01-04T00:30:00Z"}}, {"to": {"2026-01-04T00:30:00Z"}}, {"from": {"2026-01-02T01:30:00+01:00"}, "to": {"2026-01-03T00:30:00.001Z"}},
	{"product_id": {"p0"}}, {"customer_id": {"c1"}}, {"license_id": {"l1"}}, {"order_id": {"o1"}}, {"subscription_id": {"s1"}}, {"feature_code": {"f2"}},
	{"feature_code": {"none"}},
}

func TestLiveReports(t *testing.T) {
	t.Parallel()
	s := audited(t)
	t.Run("filters", s.testLiveFilters)
	t.Run("grouping", s.testLiveGrouping)
	t.Run("limit", s.testLiveLimit)
	t.Run("refusals", s.testLiveRefusals)
	t.Run("scopes", s.testLiveScopes)
	t.Run("same as an export", s.testLiveIsWhatAnExportHolds)
	t.Run("ledger pages", s.testLedgerPages)
}

// Each filter of each kind selects what it says, no more and no less.
func (s *site) testLiveFilters(t *testing.T) {
	for kind, id := range required {
		queries := narrowing
		if kind == "usage-ledger" {
			queries = append(slices.Clone(narrowing), url.Values{"action": {"usage.adjusted"}})
		}
		for _, query := range queries {
			query := mergeQuery(query, id)
			events, amount := int64(0), int64(0)
			for _, f := range facts() {
				if f.isUsage() && f.is(query) {
					events++
					amount += int64(f["amount"].(int))
				}
			}
			gotEvents, gotAmount := s.usage(t, kind, query)
			if gotEvents != events || gotAmount != amount {
				t.Errorf("%s %s: %d events of %d, want %d of %d", kind, query.Encode(), gotEvents, gotAmount, events, amount)
			}
		}
	}
}

// usage is what a live report says of usage, counted and added up.
func (s *site) usage(t *testing.T, kind string, query url.Values) (events, amount int64) {
	t.Helper()
	if kind != "usage-ledger" {
		x, _ := s.live(t, kind, query)
		return x.Totals["usage"]["events"], x.Totals["usage"]["amount"]
	}
	for _, row := range s.ledgerRows(t, query) {
		events++
		amount += int64(row["amount"].(float64))
	}
	return events, amount
}

func (s *site) testLiveGrouping(t *testing.T) {
	for _, test := range []struct {
		kind, query string
		rows        int
		first       map[string]any // members of the first row
	}{
		{"usage-summary", "", 6, map[string]any{"product_id": "p0", "feature_code": "f0"}},
		{"usage-summary", "group_by=customer_id", 4, map[string]any{"customer_id": "c0"}},
		{"usage-summary", "group_by=customer_id,source", 4, map[string]any{"customer_id": "c0", "source": "app0"}},
		{"usage-summary", "group_by=action&bucket=1d&limit=200", 25, map[string]any{"bucket_start": "2026-01-01T00:00:00.000Z"}},
		{"usage-summary", "group_by=license_id&bucket=1d&time_zone=Europe/Berlin&limit=200", 52, map[string]any{"bucket_start": "2025-12-31T23:00:00.000Z"}},
		{"subscription-settlement", "order_id=o2", 6, map[string]any{"license_id": "l2", "subscription_id": "s2"}},
		{"subscription-settlement", "subscription_id=s2&group_by=product_id&from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z", 1, map[string]any{"product_id": "p1"}},
	} {
		var x liveData
		s.look(t, reportsPath+test.kind+"?"+test.query).into(t, 200, &x)
		rows := x.Rows["usage"]
		if len(rows) != test.rows {
			t.Errorf("%s?%s: %d rows, want %d", test.kind, test.query, len(rows), test.rows)
			continue
		}
		if x.Kind != test.kind || x.AsOf != 300 || x.Totals["usage"]["rows"] != int64(len(rows)) {
			t.Errorf("%s?%s: report of %s as of %d with %d rows in total, want %d rows as of 300", test.kind, test.query, x.Kind, x.AsOf, x.Totals["usage"]["rows"], len(rows))
		}
		for name, want := range test.first {
			if got := rows[0][name]; got != want {
				t.Errorf("%s?%s: the first row's %s is %v, want %v", test.kind, test.query, name, got, want)
			}
		}
	}
}

// A page has 50 rows unless asked otherwise, and 200 at most; the rest is
// counted, and the totals are those of the whole.
func (s *site) testLiveLimit(t *testing.T) {
	usage := 0
	for _, f := range facts() {
		if f.isUsage() {
			usage++
		}
	}
	for limit, want := range map[string]int{"": 50, "1": 1, "199": 199, "200": 200, "201": 200, "9223372036854775807": 200} {
		query := url.Values{"bucket": {"1h"}}
		list := url.Values{}
		if limit != "" {
			query.Set("limit", limit)
			list.Set("limit", limit)
		}
		x, _ := s.live(t, "usage-summary", query)
		if got := len(x.Rows["usage"]); got != want || x.Omitted["usage"] != int64(usage-want) || x.Totals["usage"]["rows"] != int64(usage) {
			t.Errorf("limit %q: %d rows, %d omitted, %d in total; want %d, %d, %d", limit, got, x.Omitted["usage"], x.Totals["usage"]["rows"], want, usage-want, usage)
		}
		page, next := s.live(t, "usage-ledger", list)
		if got := len(page.Rows["usage"]); got != want || next == nil || page.Omitted != nil || page.Totals != nil {
			t.Errorf("ledger, limit %q: %d rows, next %v, omitted %v, totals %v; want %d and a next page alone", limit, got, next, page.Omitted, page.Totals, want)
		}
	}
	if x, _ := s.live(t, "usage-summary", url.Values{}); x.Omitted != nil {
		t.Errorf("omitted is %v where nothing is, want it absent", x.Omitted)
	}
}

func (s *site) testLiveRefusals(t *testing.T) {
	for path, detail := range map[string]string{
		"usage-summary?colour=red":                                        `unknown parameter "colour"`,
		"usage-summary?cursor=5":                                          `unknown parameter "cursor"`,
		"usage-summary?action=usage.consumed":                             `unknown parameter "action"`,
		"usage-summary?Limit=5":                                           `unknown parameter "Limit"`,
		"usage-summary?limit=0":                                           "limit",
		"usage-summary?limit=-1":                                          "limit",
		"usage-summary?limit=1.5":                                         "limit",
		"usage-summary?limit=":                                            "empty",
		"usage-summary?limit=1&limit=2":                                   "more than once",
		"usage-summary?customer_id=":                                      "empty",
		"usage-summary?customer_id=a%07":                                  "control character",
		"usage-summary?customer_id=%ff":                                   "UTF-8",
		"usage-summary?customer_id=%zz":                                   "invalid URL escape",
		"usage-summary?from=yesterday":                                    "RFC 3339",
		"usage-summary?from=2026-02-01T00:00:00+02:00":                    "a + in a query is written %2B",
		"usage-summary?from=2026-02-30T00:00:00Z":                         "RFC 3339",
		"usage-summary?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z": "after",
		"usage-summary?group_by=colour":                                   `group_by "colour" must be one of`,
		"usage-summary?group_by=source,source":                            "twice",
		"usage-summary?bucket=1w":                                         `bucket "1w"`,
		"usage-summary?bucket=1d&time_zone=Mars":                          "time_zone",
		"usage-ledger?group_by=source":                                    `unknown parameter "group_by"`,
		"usage-ledger?bucket=1d":                                          `unknown parameter "bucket"`,
		"usage-ledger?action=license.issued":                              "is not usage",
		"usage-ledger?cursor=0":                                           "cursor",
		"usage-ledger?cursor=x":                                           "cursor",
		"usage-ledger?cursor=9223372036854775808":                         "cursor",
		"license-audit":                                                   "license_id is required",
		"license-audit?customer_id=c1":                                    "license_id is required",
		"license-audit?license_id=l1&group_by=source":                     `unknown parameter "group_by"`,
		"customer-summary":                                                "customer_id is required",
		"customer-summary?license_id=l1":                                  "customer_id is required",
		"customer-summary?customer_id=c1&bucket=1d":                       `unknown parameter "bucket"`,
		"subscription-settlement":                                         "subscription_id or order_id is required",
		"subscription-settlement?customer_id=c1":                          "subscription_id or order_id is required",
		"subscription-settlement?order_id=o1&bucket=1d":                   `unknown parameter "bucket"`,
	} {
		s.look(t, reportsPath+path).want(t, 400, "INVALID_QUERY").detail(t, detail)
	}
	s.look(t, reportsPath+"usage").want(t, 404, "NOT_FOUND")
}

// Who may read may not export, and the other way round.
func (s *site) testLiveScopes(t *testing.T) {
	for kind, id := range required {
		s.get(t, reportsPath+kind+"?"+id.Encode()).want(t, 403, "TOKEN_SCOPE_DENIED").detail(t, "requires report:read")
		s.post(t, auth.ReportRead, exportsPath, "application/json", `{"report_kind":"`+kind+`"}`).want(t, 403, "TOKEN_SCOPE_DENIED").detail(t, "requires report:export")
	}
	s.get(t, activitiesPath).want(t, 403, "TOKEN_SCOPE_DENIED").detail(t, "requires report:read")
}

// A total beyond 64 bits is the report's fault, not the server's.
func TestLiveTotalThatOverflows(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	rows := make([]string, 1100)
	for i := range rows {
		rows[i] = fmt.Sprintf("a%d,2026-01-01T00:00:00Z,usage.consumed,c,f,9007199254740991", i)
	}
	s.ingest(t, rows...)
	s.look(t, reportsPath+"usage-summary").want(t, 422, "TOTAL_OVERFLOW")
	if x, _ := s.live(t, "usage-ledger", url.Values{"limit": {"200"}}); len(x.Rows["usage"]) != 200 {
		t.Errorf("the ledger, which adds nothing up, has %d rows, want 200", len(x.Rows["usage"]))
	}
}
