package console_test

import (
	"testing"

	"licensekit/auth"
)

func TestSchedules(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(t, auth.ReportExport)
	b.open("/console/schedules")
	b.fill("#name", "monthly")
	b.fill("#time_zone", "Mars/Olympus")
	if status := b.click("main form button"); status != 422 {
		t.Errorf("a zone that is none gives status %d, want 422", status)
	}
	b.shows("must be an IANA time zone")
	b.fill("#time_zone", "Europe/Berlin")
	b.press("input[value=xlsx]")
	b.click("main form button")
	b.shows("monthly", "on day 1, 06:00 Europe/Berlin", "PDF, Excel", "Nothing yet")
	b.inspect("schedule")
	b.open("/console/schedules")
	b.shows("monthly", "Usage summary")
	b.inspect("schedules")
	b.click("a.row")
	b.click("button.danger")
	b.until(`location.pathname === "/console/schedules" && !document.querySelector("table")`, "the schedule is gone")
	if status := b.open("/console/schedules/sch_gone"); status != 404 {
		t.Errorf("a schedule that is not gives status %d, want 404", status)
	}
}
