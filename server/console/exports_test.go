package console_test

import (
	"testing"

	"licensekit/auth"
)

func TestExportsList(t *testing.T) {
	s := newSite(t)
	b := s.signedIn(t, auth.ReportExport)
	b.open("/console/exports")
	b.shows("Nothing is frozen yet")
	b.inspect("exports-none")
	s.stock(t)
	for range 26 {
		s.freeze(t, `{"report_kind":"usage-summary","format":"csv","filters":{"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z"}}`)
	}
	s.freeze(t, `{"report_kind":"usage-ledger","format":"pdf"}`)
	s.freeze(t, `{"report_kind":"license-audit","format":"xlsx"}`)
	b.open("/console/exports")
	b.shows("License audit", "Usage ledger", "1 Jan 2026 – 31 Mar 2026", "Owner")
	b.inspect("exports")
	b.click(".pages a")
	b.shows("Newest")
	if rows := b.count("tbody tr"); rows != 3 {
		t.Errorf("the second page has %d rows, want 3", rows)
	}
	b.open("/console/exports")
	b.choose("#report_kind", "usage-ledger")
	b.until(`location.search === "?report_kind=usage-ledger" && document.querySelectorAll("tbody tr").length === 1`, "the filter applies and stands in the URL")
	b.open("/console/exports?report_kind=usage-ledger&format=csv")
	b.shows("No export matches")
	b.inspect("exports-no-match")
	if status := b.open("/console/exports?report_kind=color"); status != 400 {
		t.Errorf("a kind that is none gives status %d, want 400", status)
	}
	b.shows("must be one of usage-summary")
	b.inspect("failure")
}

// What a token has no scope for is neither offered nor given.
func TestScopes(t *testing.T) {
	s := newSite(t)
	for scope, pages := range map[auth.Scope]map[string]int{
		auth.ReportExport: {"/console/exports": 200},
		auth.ReportRead:   {"/console/exports": 403},
		auth.ReportWrite:  {"/console/exports": 403},
		auth.EventRead:    {"/console/exports": 403},
		auth.Admin:        {"/console/exports": 200},
	} {
		b := s.signedIn(t, scope)
		for path, want := range pages {
			if got := b.open(path); got != want {
				t.Errorf("%s: %s gives status %d, want %d", scope, path, got, want)
			}
			if want == 403 {
				b.shows("requires ")
			}
			if offered := b.count("nav a[href='"+path+"']") > 0; offered != (want == 200) {
				t.Errorf("%s: the navigation offers %s: %v", scope, path, offered)
			}
		}
	}
}
