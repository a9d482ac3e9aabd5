package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"licensekit/auth"
	"licensekit/server"
)

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

// What a receiver turned away can be tried at once, and sent again after it was
// given up.
func TestReplay(t *testing.T) {
	t.Parallel()
	var open atomic.Bool
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !open.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(receiver.Close)
	s := newSite(t, func(o *server.Options) { o.WebhookAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	var made struct{ Webhook struct{ ID string } }
	s.api(t, "POST", "/api/v1/webhooks", "application/json", strings.NewReader(`{"name":"billing","url":"`+receiver.URL+`","event_types":["report_export.ready"]}`), &made)
	s.freeze(t, `{"report_kind":"usage-summary"}`)
	path := "/webhooks/" + made.Webhook.ID
	b := s.signedIn(t, auth.WebhookWrite)
	b.until(`fetch("/console`+path+`").then((r) => r.text()).then((t) => t.includes("Try now"))`, "the delivery is tried again")
	b.open("/console" + path)
	b.shows("Export frozen", "pending", "The answer is 503")
	b.click(`button[value=replay]`)
	s.giveUp(t, "/api/v1"+path+"/deliveries")
	b.open("/console" + path)
	b.shows("failed", "16 attempts")
	b.inspect("webhook-failed")
	b.click(`button[value=replay]`)
	b.shows("17 attempts", "failed")
	open.Store(true)
	b.click(`button[value=replay]`)
	b.shows("18 attempts", "delivered")
	b.until(`fetch("/console`+path+`", { headers: { "Accept-Language": "de" } }).then((r) => r.text()).then((t) => t.includes(">zugestellt<"))`, "in German it says so in German")
	if n := b.count(`button[value=replay]`); n != 0 {
		t.Errorf("what was received has %d buttons to send it again, want none", n)
	}
}

// giveUp brings attempts of the only delivery forward until there is none, and
// replays it once more.
func (s *site) giveUp(t testing.TB, path string) {
	t.Helper()
	var all []struct{ ID string }
	s.api(t, "GET", path, "", nil, &all)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		var d struct{ Status string }
		s.api(t, "POST", path+"/"+all[0].ID+"/replay", "", nil, &d)
		if d.Status == "failed" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the delivery is %s after %v, want it given up", d.Status, patience)
		}
	}
}
