package console_test

import (
	"strings"
	"testing"

	"licensekit/auth"
)

func TestActivities(t *testing.T) {
	t.Parallel()
	s := sharedSite(t)
	b := s.signedIn(t, auth.ReportRead)
	b.open("/console/activities")
	b.shows("30 Sep 2025 23:44:52", "usage.consumed")
	if rows := b.count("tbody tr"); rows != 50 {
		t.Errorf("the first page has %d rows, want 50", rows)
	}
	first := b.text("tbody tr:last-child td")
	b.click(".pages a")
	b.shows("Newest")
	if next := b.text("tbody tr td"); next == first || !strings.Contains(b.path(), "cursor=") {
		t.Errorf("the second page at %s begins with %s, which the first has", b.path(), next)
	}
	b.click(".pages a")
	b.fill("#customer_id", "cust_22")
	b.fill("#feature_code", "denoise")
	b.click(".filters button")
	b.until(`document.querySelectorAll("tbody tr").length > 0 && [...document.querySelectorAll("tbody tr")].every((r) => /cust_22.*denoise/s.test(r.innerText))`, "only what the filter is about")
	want := "/console/activities?customer_id=cust_22&feature_code=denoise"
	if got := b.path(); !sameQuery(got, want) {
		t.Errorf("the filter stands at %s, want %s", got, want)
	}
	b.open("/console/activities?first_day=2025-09-30&last_day=2025-09-30&action=usage.consumed&status_code=200&customer_id=cust_22")
	b.until(`document.querySelector("details.further").open`, "further filters are open where they count")
	if text := b.text("tbody"); strings.Count(text, "30 Sep 2025") != b.count("tbody tr") {
		t.Errorf("days beside 30 Sep 2025: %s", text)
	}
	b.inspect("activities")
	b.click("a.row")
	b.shows("Number in the ledger", "30 Sep 2025, 23:44:52.176 UTC")
	b.inspect("activity")
	b.click(".facts a[href*='license_id']")
	b.until(`/^\?license_id=lic_\w+$/.test(location.search)`, "the activities of the same license")
	b.open("/console/activities?action=usage.imagined")
	b.shows("No activity matches the filter")
	if status := b.open("/console/activities?first_day=2025-09-30&last_day=2025-09-01"); status != 400 {
		t.Errorf("a period that ends before it begins gives status %d, want 400", status)
	}
	b.shows("from is after to", "Correct the value")
	b.inspect("activities-refused")
	for path, status := range map[string]int{"/console/activities/5000": 404, "/console/activities/0": 404, "/console/activities/x": 404, "/console/activities?status_code=x": 400} {
		if got := b.open(path); got != status {
			t.Errorf("%s gives status %d, want %d", path, got, status)
		}
	}
}

// What an activity carries beside its fields is shown as it is.
func TestActivityMetadata(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.api(t, "POST", "/api/v1/activities", "application/json", strings.NewReader(`{"id":"<b>x</b>","occurred_at":"2026-01-01T00:00:00Z","action":"usage.consumed","metadata":{"region":"<script>alert(1)</script>"}}`), nil)
	_, page := s.visitor(t, auth.ReportRead).send("GET", "/console/activities/1", nil)
	for _, want := range []string{"&lt;b&gt;x&lt;/b&gt;", "&#34;region&#34;: &#34;&lt;script&gt;alert(1)&lt;/script&gt;&#34;"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of an activity lacks %s:\n%s", want, page)
		}
	}
}
