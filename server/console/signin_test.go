package console_test

import (
	"strings"
	"testing"
	"time"

	"licensekit/auth"
)

func TestSignInAndOut(t *testing.T) {
	s := newSite(t)
	id, token := s.token(t, "Erika", auth.ReportExport)
	b := newTab(t, s.url, "en-GB")
	b.open("/console/exports?format=csv")
	b.inspect("sign-in")
	b.fill("#token", "lkm_nonsense")
	if status := b.click("main form button"); status != 401 {
		t.Errorf("a wrong token gives status %d, want 401", status)
	}
	b.shows("This token does not let you in", "mistyped")
	b.inspect("sign-in-refused")
	b.fill("#token", token)
	b.click("main form button")
	if got, want := b.path(), "/console/exports?format=csv"; got != want {
		t.Errorf("signed in at %s, want %s, where it began", got, want)
	}
	b.shows("Erika")
	b.click(".who form button")
	if got := b.path(); got != "/console/sign-in" {
		t.Errorf("signed out at %s", got)
	}
	b.open("/console/exports")
	if got := b.path(); !strings.HasPrefix(got, "/console/sign-in") {
		t.Errorf("after signing out the exports are at %s, want the sign-in page", got)
	}
	if log := s.log.String(); strings.Contains(log, token[12:28]) || !strings.Contains(log, "path=/console/exports status=200") || !strings.Contains(log, "key_id="+id) {
		t.Errorf("the log shows the token, or no page of key %s:\n%s", id, log)
	}
}

// A session ends with its key, with time, and nowhere else.
func TestSessionEnds(t *testing.T) {
	s := newSite(t)
	id, token := s.token(t, "short", auth.ReportExport)
	b := newTab(t, s.url, "en-GB")
	b.signIn(token)
	s.skew.Store(int64(59 * time.Minute))
	if b.open("/console/exports"); !strings.HasPrefix(b.path(), "/console/exports") {
		t.Errorf("after 59 minutes the tab is at %s", b.path())
	}
	s.skew.Store(int64(2 * time.Hour))
	b.open("/console/exports")
	b.shows("Your session has ended")
	b.signIn(token)
	for hour := range 14 {
		s.skew.Store(int64(2*time.Hour) + int64(hour)*int64(59*time.Minute))
		b.open("/console/exports")
		if out := strings.HasPrefix(b.path(), "/console/sign-in"); out != (hour >= 13) {
			t.Fatalf("in hour %d the tab is at %s", hour, b.path())
		}
	}
	b.signIn(token)
	s.api(t, "DELETE", "/api/v1/api-keys/"+id, "", nil, nil)
	b.open("/console/exports")
	b.shows("Your session has ended")
}
