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

func TestWebhooks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(t, auth.WebhookWrite)
	b.open("/console/webhooks")
	b.fill("#name", "billing")
	b.fill("#url", "https://user:pass@hooks.example.com/")
	if status := b.click("main form button"); status != 422 {
		t.Errorf("an address with a password gives status %d, want 422", status)
	}
	b.shows("Correct the value")
	b.fill("#url", "https://hooks.example.com/in")
	b.click("main form button")
	b.shows("Copy its secret now", "billing")
	secret := b.text("#secret")
	b.inspect("webhook-added")
	b.click(".actions a.button")
	b.shows("Export frozen, Export failed", "active", "Nothing yet", secret[:4])
	b.click("button[value=pause]")
	b.shows("paused")
	b.inspect("webhook")
	b.open("/console/webhooks")
	b.shows("https://hooks.example.com/in", "paused", "never")
	b.inspect("webhooks")
	b.click("a.row")
	b.click("button.danger")
	b.until(`location.pathname === "/console/webhooks" && !document.querySelector("table")`, "the webhook is gone")
}
