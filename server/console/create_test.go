package console_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"licensekit/auth"
)

func TestFreezeAReport(t *testing.T) {
	t.Parallel()
	s := newSite(t).stock(t)
	b := s.signedIn(t, auth.ReportExport, auth.ReportRead)
	b.open("/console/exports")
	b.click(".head a.button")
	b.until(`!document.querySelector("#estimate[aria-busy=true]")`, "the estimate comes by itself")
	b.shows("rows", "about", "Grouped by Product, Feature")
	b.inspect("create")
	b.press("input[value='usage-ledger']")
	b.until(`location.search.includes("usage-ledger") && document.querySelector("#action") !== null`, "another kind has other filters")
	b.shows("4,029 rows")
	b.fill("#customer_id", "cus_")
	b.until(`document.querySelectorAll("#customer_id_list option").length > 3`, "ids of customers are offered")
	customer := evaluate[string](b, `document.querySelector("#customer_id_list option").value`)
	b.fill("#customer_id", customer)
	b.press("input[value='csv']")
	b.until(`!document.querySelector("#estimate[aria-busy=true]") && document.querySelector("#estimate").innerText.includes("`+customer+`")`, "the estimate is about the customer")
	want := "/console/exports/new?" + url.Values{"report_kind": {"usage-ledger"}, "customer_id": {customer}, "format": {"csv"}}.Encode()
	if got := b.path(); !sameQuery(got, want) {
		t.Errorf("the draft stands at %s, want %s", got, want)
	}
	estimated := strings.Fields(b.text(".big"))[0]
	b.click("#estimate form button")
	b.until(`/^\/console\/exports\/rptx_/.test(location.pathname)`, "the export has a page")
	var list []struct {
		ID, Format string
		Filters    map[string]any
		Rows       int64 `json:"row_count"`
	}
	s.api(t, "GET", "/api/v1/reports/exports", "", nil, &list)
	if len(list) != 1 || list[0].Format != "csv" || list[0].Filters["customer_id"] != customer || fmt.Sprint(list[0].Rows) != strings.ReplaceAll(estimated, ",", "") {
		t.Errorf("frozen: %+v, want one csv of %s rows about %s", list, estimated, customer)
	}
}

// sameQuery tells whether two paths differ in the order of parameters alone.
func sameQuery(a, b string) bool {
	x, err1 := url.Parse(a)
	y, err2 := url.Parse(b)
	return err1 == nil && err2 == nil && x.Path == y.Path && x.Query().Encode() == y.Query().Encode()
}

// Days are those of the zone that was chosen; what is wrong is said in place.
func TestDraftPeriods(t *testing.T) {
	t.Parallel()
	s := sharedSite(t)
	b := s.signedIn(t, auth.ReportExport)
	b.open("/console/exports/new?report_kind=usage-summary&first_day=2026-01-01&last_day=2026-01-31&zone=Europe%2FBerlin&bucket=1d")
	b.shows("1 Jan 2026 – 31 Jan 2026", "Time zone Europe/Berlin")
	b.open("/console/exports/new?first_day=2026-02-01&last_day=2026-01-01")
	b.shows("is after to")
	b.inspect("create-refused")
	b.open("/console/exports/new?zone=Mars%2FOlympus&bucket=1d")
	b.shows("is not an IANA time zone")
	b.open("/console/exports/new?report_kind=usage-ledger&first_day=2031-01-01")
	b.shows("0 rows", "There is nothing in it")
}

// Without JavaScript the rows are counted on demand, and what was counted is
// what is frozen, once.
func TestFreezeWithoutScript(t *testing.T) {
	t.Parallel()
	s := newSite(t).stock(t)
	_, token := s.token(t, "me", auth.ReportExport)
	v := newVisitor(t, s.url)
	v.send("POST", "/console/sign-in", url.Values{"token": {token}})
	if _, page := v.send("GET", "/console/exports/new?report_kind=usage-ledger", nil); strings.Contains(page, "Freeze now") || !strings.Contains(page, "<noscript><p class=\"actions\"><button>Count rows") {
		t.Error("the form can be sent before the rows are counted, or they can't be counted")
	}
	_, page := v.send("GET", "/console/exports/new?report_kind=usage-ledger&format=csv&first_day=2026-01-01&last_day=2026-01-31&check=1", nil)
	if !strings.Contains(page, "Freeze now") || !strings.Contains(page, `name="first_day" value="2026-01-01"`) {
		t.Errorf("the counted form does not freeze what was counted")
	}
	form := url.Values{"form_token": {v.secret("/console/exports/new")}, "idempotency_key": {"once"}, "report_kind": {"usage-ledger"}, "format": {"csv"}, "first_day": {"2026-01-01"}, "last_day": {"2026-01-31"}}
	first, _ := v.send("POST", "/console/exports", form)
	again, _ := v.send("POST", "/console/exports", form)
	if to := first.Header.Get("Location"); first.StatusCode != 303 || !strings.HasPrefix(to, "/console/exports/rptx_") || again.Header.Get("Location") != to {
		t.Errorf("freezing twice leads to %q (%d) and %q, want one export", to, first.StatusCode, again.Header.Get("Location"))
	}
	form.Set("report_kind", "color")
	form.Set("idempotency_key", "other")
	if resp, page := v.send("POST", "/console/exports", form); resp.StatusCode != 422 || !strings.Contains(page, "must be one of") {
		t.Errorf("a kind that is none gives status %d, want the form again with 422", resp.StatusCode)
	}
	if resp, _ := v.send("GET", "/console/pick/customer_id", nil); resp.StatusCode != 403 {
		t.Errorf("picking without report:read gives status %d, want 403", resp.StatusCode)
	}
}
