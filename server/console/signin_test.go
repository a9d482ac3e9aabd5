package console_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"licensekit/auth"
)

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	s := newSite(t)
	id, token := s.token(t, "short", auth.ReportExport)
	v := newVisitor(t, s.url)
	after := func(length time.Duration) (signedIn bool) {
		s.skew.Store(int64(length))
		resp, _ := v.send("GET", "/console/exports", nil)
		return resp.StatusCode == 200
	}
	signIn := func() { v.send("POST", "/console/sign-in", url.Values{"token": {token}}) }
	signIn()
	if !after(59 * time.Minute) {
		t.Error("after 59 minutes the session has ended")
	}
	if after(2 * time.Hour) {
		t.Error("an hour after its last request the session goes on")
	}
	if _, page := v.send("GET", "/console/sign-in", nil); !strings.Contains(page, "Your session has ended") {
		t.Error("the sign-in page does not say that the session has ended")
	}
	signIn()
	for hour := range 14 {
		if in, want := after(2*time.Hour+time.Duration(hour)*59*time.Minute), hour < 13; in != want {
			t.Fatalf("in hour %d the session goes on: %v, want %v", hour, in, want)
		}
	}
	signIn()
	s.api(t, "DELETE", "/api/v1/api-keys/"+id, "", nil, nil)
	if resp, _ := v.send("GET", "/console/exports", nil); resp.StatusCode != 303 {
		t.Errorf("with its key revoked the session gives status %d, want 303", resp.StatusCode)
	}
}
