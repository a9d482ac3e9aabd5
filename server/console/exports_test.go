package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"licensekit/auth"
	"licensekit/server"
)

func TestExportsList(t *testing.T) {
	t.Parallel()
	s := newSite(t).stock(t)
	b := s.signedIn(t, auth.ReportExport)
	for range 26 {
		s.freeze(t, `{"report_kind":"usage-summary","format":"csv","filters":{"from":"2026-01-01T00:00:00Z","to":"2026-04-01T00:00:00Z"}}`)
	}
	s.freeze(t, `{"report_kind":"usage-ledger","format":"pdf"}`)
	s.freeze(t, `{"report_kind":"license-audit","format":"xlsx"}`)
	b.open("/console/exports")
	b.shows("License audit", "Usage ledger", "1 Jan 2026 – 31 Mar 2026", "Owner")
	b.click(".pages a")
	b.shows("Newest")
	if rows := b.count("tbody tr"); rows != 3 {
		t.Errorf("the second page has %d rows, want 3", rows)
	}
	b.inspect("exports")
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

// Pages follow what is not finished by themselves. Here nobody makes exports,
// so it is others that appear.
func TestLivePages(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *server.Options) { o.Workers = 0 })
	first := s.queue(t)
	b := s.signedIn(t, auth.ReportExport)
	b.open("/console/exports")
	b.shows("waiting")
	second := s.queue(t)
	b.until(`document.querySelector("a.row[href$='`+second+`']") !== null`, "the second export appears by itself")
	b.open("/console/exports/" + first)
	b.shows("It waits for its turn")
	b.inspect("export-waiting")
	if again := evaluate[string](b, `document.querySelector("#export").dataset.live`); again == "" {
		t.Error("the page of an export that waits is not live")
	}
	if status := b.open("/console/exports/" + first + "/download"); status != 409 {
		t.Errorf("the download of an export that waits gives status %d, want 409", status)
	}
	b.shows("The export is not ready")
}

// queue asks for an export of a site where nobody makes any.
func (s *site) queue(t testing.TB) (id string) {
	t.Helper()
	var x struct{ ID, Status string }
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://owner/api/v1/reports/exports", strings.NewReader(`{"report_kind":"usage-summary"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Prefer", "wait=0")
	s.ask(t, r, &x)
	if x.Status != "pending" {
		t.Fatalf("status %s, want pending", x.Status)
	}
	return x.ID
}

// answering has the page's next requests answered with itself, altered by a script
// that has it as p, and counts them.
func (b *tab) answering(alter string) {
	b.t.Helper()
	evaluate[chromedp.Void](b, `{
		globalThis.answers = 0;
		const ask = fetch;
		globalThis.fetch = async (...how) => {
			const p = new DOMParser().parseFromString(await (await ask(...how)).text(), "text/html");
			answers++;
			`+alter+`;
			return new Response(p.documentElement.outerHTML);
		};
	}`)
}

// What follows the server leaves alone what has not changed and where the keyboard
// is, and misses nothing for that. A page with more on it than that is loaded again
// at the end.
func TestLivePagesAndTheirReader(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *server.Options) { o.Workers = 0 })
	id := s.queue(t)
	b := s.signedIn(t, auth.ReportExport)
	b.open("/console/exports")
	evaluate[chromedp.Void](b, `globalThis.table = document.querySelector("#list table"); undefined`)
	b.answering(``)
	b.until(`answers >= 2`, "the page follows the server")
	if !evaluate[bool](b, `table.isConnected`) {
		t.Error("a list that has not changed was replaced")
	}
	evaluate[chromedp.Void](b, `document.querySelector("#list a.row").focus()`)
	b.answering(`p.querySelector("#list").removeAttribute("data-live"); p.querySelector("#list .status").textContent = "all done"`)
	b.until(`answers >= 2`, "the page follows the server, although the keyboard is in it")
	if !evaluate[bool](b, `table.isConnected && document.activeElement.matches("#list a.row")`) {
		t.Error("the list was taken from under the keyboard")
	}
	evaluate[chromedp.Void](b, `document.activeElement.blur()`)
	b.shows("all done")
	b.until(`!document.querySelector("[data-live]")`, "what is done is followed no more")

	b.open("/console/exports/" + id)
	evaluate[chromedp.Void](b, `globalThis.before = true; undefined`)
	b.answering(`p.querySelector("#export").removeAttribute("data-live"); p.querySelector("#export").removeAttribute("data-reload")`)
	b.until(`!globalThis.before && document.querySelector("#facts_title")`, "the page is loaded again when the export is ready")
}

// What a token has no scope for is neither offered nor given.
func TestScopes(t *testing.T) {
	t.Parallel()
	s := sharedSite(t)
	pages := map[string]auth.Scope{
		"/console/":           "",
		"/console/exports":    auth.ReportExport,
		"/console/activities": auth.ReportRead,
		"/console/import":     auth.ReportWrite,
		"/console/schedules":  auth.ReportExport,
		"/console/webhooks":   auth.WebhookWrite,
		"/console/tokens":     auth.Admin,
		"/console/events":     auth.EventRead,
		"/console/log":        "",
		"/console/api":        "",
	}
	inner := map[string]auth.Scope{
		"/console/exports/new":                              auth.ReportExport,
		"/console/exports/" + s.frozen[0]:                   auth.ReportExport,
		"/console/exports/" + s.frozen[0] + "/download":     auth.ReportExport,
		"/console/exports/" + s.frozen[0] + "/bundle":       auth.ReportExport,
		"/console/exports/" + s.frozen[0] + "/comparison":   auth.ReportExport,
		"/console/exports/" + s.frozen[0] + "/verification": auth.ReportExport,
		"/console/activities/1":                             auth.ReportRead,
		"/console/pick/customer_id":                         auth.ReportRead,
		"/console/tokens/new":                               auth.Admin,
	}
	for _, scope := range auth.Scopes() {
		v := s.visitor(t, scope)
		_, home := v.send("GET", "/console/", nil)
		for path, takes := range pages {
			if offered, want := strings.Contains(home, `<li><a href="`+path+`"`), allows(scope, takes); offered != want {
				t.Errorf("%s: the navigation offers %s: %v, want %v", scope, path, offered, want)
			}
			inner[path] = takes
		}
		for path, takes := range inner {
			resp, page := v.send("GET", path, nil)
			if allowed := allows(scope, takes); allowed != (resp.StatusCode == 200) || !allowed && (resp.StatusCode != 403 || !strings.Contains(page, "Requires "+string(takes))) {
				t.Errorf("%s: %s gives status %d, may be seen: %v", scope, path, resp.StatusCode, allowed)
			}
		}
	}
}

func allows(scope, takes auth.Scope) bool {
	return takes == "" || scope == takes || scope == auth.Admin
}
