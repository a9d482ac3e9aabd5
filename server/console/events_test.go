package console_test

import (
	"strings"
	"testing"

	"licensekit/auth"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	s := newSite(t).stock(t)
	id := s.freeze(t, `{"report_kind":"usage-summary","format":"csv","filters":{"group_by":["customer_id"],"from":"2025-01-01T00:00:00Z"}}`)
	b := s.signedIn(t, auth.Admin)
	b.open("/console/events")
	b.shows("Export frozen", "Activities imported", "Token issued", "Owner", "accepted 4,088", "Server started")
	b.inspect("events")
	b.choose("#event_type", "report_export.created")
	b.until(`location.search === "?event_type=report_export.created" && document.querySelectorAll("tbody tr").length === 1`, "the filter applies and stands in the URL")
	b.shows("from 2025-01-01T00:00:00.000Z, group_by customer_id")
	b.click("tbody a")
	if got := b.path(); got != "/console/exports/"+id {
		t.Errorf("an event of an export leads to %s", got)
	}
	b.open("/console/events?resource_id=" + id)
	if rows := b.count("tbody tr"); rows != 2 {
		t.Errorf("%d events of the export, want that it was asked for and frozen", rows)
	}
	b.open("/console/events?event_type=report_export.deleted")
	b.shows("No event matches the filter")
	if status := b.open("/console/events?actor_type=ghost"); status != 400 {
		t.Errorf("an actor that is none gives status %d, want 400", status)
	}
	b.shows("must be one of", "Correct the value")
}

// The trail is paged, and leads only to what the token may see.
func TestEventsOfAnAuditor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 60 {
		s.token(t, "one of many", auth.ReportRead)
	}
	v := s.visitor(t, auth.EventRead)
	_, page := v.send("GET", "/console/events", nil)
	if strings.Count(page, "<tr>") != 51 || strings.Contains(page, `href="/console/tokens/`) || strings.Contains(page, "rel=\"next\"") == false {
		t.Errorf("the first page has %d rows, or leads to tokens, or to no older ones", strings.Count(page, "<tr>")-1)
	}
	if _, page := v.send("GET", "/console/events?cursor=10", nil); strings.Count(page, "<tr>") != 10 || !strings.Contains(page, "Newest") {
		t.Errorf("the page behind event 10 has %d rows, want 9", strings.Count(page, "<tr>")-1)
	}
}
