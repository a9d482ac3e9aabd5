package console_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"licensekit/auth"
	"licensekit/server"
)

// The sample data ends long ago, so the overview ends with it.
func TestOverview(t *testing.T) {
	t.Parallel()
	s := sharedSite(t)
	b := s.signedIn(t, auth.Admin)
	b.open("/console/")
	b.shows("Usage from 1 Sep 2025 to 30 Sep 2025", "12,215", "-6.6% on the time before", "Zeta Render", "export.geo", "License audit", "Health of the store")
	if bars := b.count(".plot g"); bars != 30 {
		t.Errorf("the chart has %d bars, want one for each of 30 days", bars)
	}
	if got := evaluate[string](b, `document.querySelector(".plot title").textContent`); got != "1 Sep 2025: 270" {
		t.Errorf("the first bar says %q, want the usage of its day", got)
	}
	b.inspect("overview")
	b.click(".segments a[href*='12m']")
	b.shows("Usage per month", "1 Oct 2024 to 30 Sep 2025", "114,472")
	b.click(".segments a[href*='events']")
	b.shows("Usage per month", "4,029")
	b.press("details summary")
	b.shows("Sep 2025 442")
	b.click(".segments a[rel=prev]")
	b.shows("1 Oct 2023 to 30 Sep 2024", "No usage in this time")
	b.open("/console/")
	b.click(".ranking a")
	b.until(`location.pathname === "/console/activities" && new URLSearchParams(location.search).get("first_day") === "2025-09-01"`, "the activities behind a customer's usage")
}

// What there is to see depends on what the token may read.
func TestOverviewOfOthers(t *testing.T) {
	t.Parallel()
	s := sharedSite(t)
	for scope, want := range map[auth.Scope]struct{ usage, exports, events bool }{
		auth.ReportRead:   {usage: true},
		auth.ReportExport: {exports: true},
		auth.EventRead:    {events: true},
		auth.ReportWrite:  {},
	} {
		v := s.visitor(t, scope)
		resp, page := v.send("GET", "/console/", nil)
		if resp.StatusCode != 200 || !containsAll(page, "Health of the store", "Log of exports") {
			t.Errorf("%s: status %d, want an overview with the store's health", scope, resp.StatusCode)
		}
		for what, there := range map[string]bool{"Top customers": want.usage, "Latest exports": want.exports, "Last check": want.events} {
			if got := containsAll(page, what); got != there {
				t.Errorf("%s: %q is on the page: %v, want %v", scope, what, got, there)
			}
		}
	}
}

// A new instance says what to do next.
func TestEmptyPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(t, auth.Admin)
	for _, page := range []struct{ path, name, text string }{
		{"/console/", "overview-none", "No usage has come in yet"},
		{"/console/exports", "exports-none", "Nothing is frozen yet"},
		{"/console/activities", "activities-none", "Nothing has come in yet"},
	} {
		b.open(page.path)
		b.shows(page.text)
		b.inspect(page.name)
	}
}

// The last backup that the server was told of is part of the store's health.
func TestOverviewAfterABackup(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t, auth.EventRead)
	wants := func(when, what string) {
		t.Helper()
		_, page := v.send("GET", "/console/", nil)
		if _, vital, _ := strings.Cut(page, "Last backup"); !containsAll(vital[:min(400, len(vital))], what) {
			t.Errorf("%s: got %.400s, want %s", when, vital, what)
		}
	}
	wants("before any backup", "none that the server was told of")
	s.api(t, "POST", "/api/v1/system/backups", "application/json", strings.NewReader(`{"exports":2}`), nil)
	wants("after one", `class="status good"`)
	s.skew.Store(int64(8 * 24 * time.Hour))
	v = s.visitor(t, auth.EventRead)
	wants("a week later", `class="status warn"`)
	s.api(t, "POST", "/api/v1/system/backups", "application/json", strings.NewReader(`{"damaged":3}`), nil)
	wants("after one of a damaged directory", "3 damaged")
}

// A server that can't do its work says so, and why.
func TestOverviewOfAServerThatIsNotReady(t *testing.T) {
	t.Parallel()
	v := newSite(t, func(o *server.Options) { o.MinFree = math.MaxInt64 }).visitor(t, auth.ReportWrite)
	if _, page := v.send("GET", "/console/", nil); !containsAll(page, `<span class="status bad">not ready: there is less room on the disk`) {
		t.Error("the overview does not show that the disk is full")
	}
}

// Among many customers, one without a name is shown by its id.
func TestOverviewOfManyCustomers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var records strings.Builder
	records.WriteString("id,name\n")
	for i := range 201 {
		fmt.Fprintf(&records, "cust_%03d,Name %03d\n", i, i)
	}
	records.WriteString("nameless,\n")
	s.api(t, "POST", "/api/v1/records/customers", "text/csv", strings.NewReader(records.String()), nil)
	s.api(t, "POST", "/api/v1/activities", "text/csv", strings.NewReader("id,occurred_at,action,customer_id,amount\n"+
		"e1,2026-01-01T00:00:00Z,usage.consumed,nameless,2\ne2,2026-01-01T00:00:00Z,usage.consumed,cust_200,1\n"), nil)
	_, page := s.visitor(t, auth.ReportRead).send("GET", "/console/", nil)
	for _, want := range []string{">nameless</a>", ">Name 200</a>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the overview's top customers lack %s:\n%s", want, page)
		}
	}
}
