package console_test

import (
	"strings"
	"testing"

	"licensekit/auth"
)

func TestComparison(t *testing.T) {
	t.Parallel()
	s := sharedSite(t)
	b := s.signedIn(t, auth.ReportExport)
	half, more, licenses := s.frozen[0], s.frozen[1], s.frozen[2]
	b.open("/console/exports/" + half)
	b.click(".head a[href$='comparison']")
	b.shows("Compare with", "choose an export")
	b.inspect("comparison-none")
	b.choose("#with", more)
	b.until(`location.search === "?with=`+more+`" && document.querySelector("table.diff")`, "the comparison comes as soon as it is chosen")
	b.shows("rows differ", "1 Jan 2025 – 30 Jun 2025", "1 Jan 2025 – 30 Sep 2025", "Difference")
	var found struct {
		Sections map[string]struct{ Added, Removed, Changed, Unchanged int }
		Count    int `json:"difference_count"`
	}
	s.api(t, "GET", "/api/v1/reports/exports/"+half+"/comparison?with="+more, "", nil, &found)
	if rows := b.count("table.diff tbody tr"); rows != found.Count || found.Count == 0 {
		t.Errorf("the page has %d rows, want %d", rows, found.Count)
	}
	if changed := b.count("table.diff tr.changed ins"); changed < found.Sections["usage"].Changed {
		t.Errorf("%d values are marked as changed in %d rows that did", changed, found.Sections["usage"].Changed)
	}
	b.inspect("comparison")
	b.open("/console/exports/" + more + "/comparison?with=" + half)
	if texts := b.text(".two"); strings.Index(texts, "30 Jun") > strings.Index(texts, "30 Sep") {
		t.Errorf("asked from the newer one, the page shows it in front of the older: %s", texts)
	}
	b.open("/console/exports/" + half + "/comparison?with=" + half)
	b.shows("No row differs", "their digests are equal")
	if status := b.open("/console/exports/" + half + "/comparison?with=" + licenses); status != 422 {
		t.Errorf("a comparison with another report gives status %d, want 422", status)
	}
	b.shows("have no columns in common", "one is a usage-summary")
	if status := b.open("/console/exports/" + half + "/comparison?with=rptx_gone"); status != 404 {
		t.Errorf("a comparison with nothing gives status %d, want 404", status)
	}
}

// A long comparison has pages, and each section shows what is in it.
func TestComparisonPages(t *testing.T) {
	t.Parallel()
	s := newSite(t).stock(t)
	v := s.visitor(t, auth.ReportExport)
	from := s.freeze(t, `{"report_kind":"usage-ledger","format":"csv","filters":{"to":"2025-03-01T00:00:00Z"}}`)
	to := s.freeze(t, `{"report_kind":"usage-ledger","format":"csv","filters":{"to":"2025-04-01T00:00:00Z"}}`)
	path := "/console/exports/" + from + "/comparison?with=" + to
	_, page := v.send("GET", path, nil)
	if strings.Count(page, `<tr class="added">`) != 100 || !containsAll(page, `rel="next"`, "cursor=100", "evt_") {
		t.Errorf("the first page has %d rows, want 100 and a way to more", strings.Count(page, `<tr class="added">`))
	}
	_, page = v.send("GET", path+"&cursor=100", nil)
	if strings.Count(page, `<tr class="added">`) == 0 || !containsAll(page, "First page") {
		t.Errorf("the second page has %d rows, and a way back: %v", strings.Count(page, `<tr class="added">`), containsAll(page, "First page"))
	}
	one := s.freeze(t, `{"report_kind":"customer-summary","format":"json","filters":{"customer_id":"cust_08"}}`)
	other := s.freeze(t, `{"report_kind":"customer-summary","format":"csv","filters":{"customer_id":"cust_09"}}`)
	_, page = v.send("GET", "/console/exports/"+one+"/comparison?with="+other, nil)
	if !containsAll(page, "Customers", "Licenses", "Subscriptions", "cust_08", "cust_09", "added", "removed") {
		t.Error("the comparison of two customers lacks a section or one of them")
	}
}
