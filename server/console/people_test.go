package console_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"licensekit/auth"
)

// In German, words, dates and numbers are German ones on every page.
func TestGerman(t *testing.T) {
	t.Parallel()
	s := sharedSite(t)
	_, token := s.token(t, "Erika", auth.Admin)
	b := newTab(t, s.url, "de-DE")
	b.signIn(token)
	for _, page := range []struct {
		path  string
		texts []string
	}{
		{"/console/", []string{"Nutzung vom 01.09.2025 bis 30.09.2025", "12.215", "-6,6 % zum Zeitraum davor", "Größte Kunden", "Zustand des Systems"}},
		{"/console/exports", []string{"Exporte", "Zeitraum: 01.01.2025 – 30.06.2025", "fertig"}},
		{"/console/exports/" + s.frozen[0] + "/comparison?with=" + s.frozen[1], []string{"24 Zeilen sind anders", "114.472", "geändert"}},
		{"/console/activities?customer_id=cust_22&last_day=2025-09-30&feature_code=denoise", []string{"Aktivitäten", "30.09.2025 23:44:52"}},
		{"/console/import", []string{"Datei ansehen", "Stammdaten"}},
		{"/console/tokens", []string{"Token ausstellen", "Zuletzt benutzt"}},
		{"/console/events?event_type=activities.imported", []string{"Audit-Protokoll", "Aktivitäten importiert", "4.088"}},
		{"/console/log", []string{"Schlüssel, die Exporte signieren", "Neuester Prüfpunkt"}},
		{"/console/nothing", []string{"Zur Startseite"}},
	} {
		b.open(page.path)
		b.shows(page.texts...)
		if lang := evaluate[string](b, `document.documentElement.lang`); lang != "de" {
			t.Errorf("%s is in %q, want de", page.path, lang)
		}
	}
}

// Whoever has no pointer gets past the navigation, through a form and to what
// they look for.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(t, auth.Admin)
	focus := func() string {
		return evaluate[string](b, `document.activeElement.id || document.activeElement.className || document.activeElement.tagName`)
	}
	key := func(key string) { b.do(chromedp.KeyEvent(key)) }
	b.open("/console/tokens/new")
	key(kb.Tab)
	if got := focus(); got != "skip" {
		t.Errorf("the first stop is %s, want the way past the navigation", got)
	}
	key(kb.Enter)
	for range 12 {
		if key(kb.Tab); focus() == "name" {
			break
		}
	}
	if got := focus(); got != "name" {
		t.Fatalf("behind the navigation the keyboard gets to %s, never to the name", got)
	}
	b.do(chromedp.KeyEvent("by hand"))
	key(kb.Tab)
	key(" ") // the first scope is ticked: no more
	key(kb.Tab)
	key(" ")
	key(kb.Enter)
	b.shows("Copy it now", "by hand", "report:read")
	if b.count(".facts .tag") != 1 {
		t.Errorf("the token has %d scopes, want the one that was ticked", b.count(".facts .tag"))
	}
}

// A choice that leads to a page by itself leaves the keyboard where it is.
func TestKeyboardChoosesOneAfterTheOther(t *testing.T) {
	t.Parallel()
	b := sharedSite(t).signedIn(t, auth.ReportExport)
	b.open("/console/exports/new")
	evaluate[chromedp.Void](b, `document.querySelector("[name=report_kind]:checked").focus()`)
	for _, kind := range []string{"usage-ledger", "license-audit"} {
		b.do(chromedp.KeyEvent(kb.ArrowDown))
		b.until(`location.search.includes("`+kind+`") && document.activeElement.value === "`+kind+`" && document.activeElement.checked`, "the keyboard is at "+kind)
	}
	b.open("/console/exports")
	evaluate[chromedp.Void](b, `document.querySelector("#format").focus()`)
	b.choose("#format", "csv")
	b.until(`location.search === "?format=csv" && document.activeElement.id === "format"`, "the keyboard is at the filter that was chosen")
	b.open("/console/exports")
	if got := evaluate[string](b, `document.activeElement.localName`); got != "body" {
		t.Errorf("a page that was opened otherwise begins at %s, want body", got)
	}
}
