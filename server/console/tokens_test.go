package console_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"licensekit/auth"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(t, auth.Admin)
	b.open("/console/tokens")
	b.shows("TestTokens", "yours", "active")
	b.click(".head a.button")
	b.inspect("token-new")
	b.fill("#networks", "not a network")
	b.fill("#name", "billing")
	if status := b.click("main form button"); status != 422 {
		t.Errorf("a network that is none gives status %d, want 422", status)
	}
	b.shows("allowed_cidrs", "not a network", "Correct the value")
	if name := evaluate[string](b, `document.querySelector("#name").value`); name != "billing" {
		t.Errorf("the form comes back with the name %q, want what was typed", name)
	}
	b.inspect("token-refused")
	b.fill("#networks", "127.0.0.0/8")
	b.press("input[value='report:read']")
	b.click("main form button")
	b.shows("It is shown this once", "127.0.0.0/8", "report:export", "report:read")
	b.inspect("token-issued")
	token := b.text("#secret")
	if !strings.HasPrefix(token, "lkm_") {
		t.Fatalf("the token reads %q", token)
	}
	other := newTab(t, s.url, "en-GB")
	other.signIn(token)
	b.click(".actions a.button")
	b.shows("billing", "127.0.0.0/8", "Revoke this token")
	if text := b.text("main"); strings.Contains(text, token) {
		t.Error("the token's page shows its secret")
	}
	b.inspect("token")
	b.click("button.danger")
	b.shows("revoked")
	if b.count("button.danger") != 0 {
		t.Error("a revoked token can be revoked")
	}
	other.open("/console/exports")
	other.shows("Your session has ended")
	b.open("/console/tokens")
	b.shows("billing", "revoked")
	b.inspect("tokens")
	b.open("/console/tokens/key_nobody")
	b.shows("There is no such token")
	if strings.Contains(s.log.String(), token[12:30]) {
		t.Error("the log shows the token")
	}
}

// A form issues one token, however often it is sent, and revoking one's own
// token signs out.
func TestTokenForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t, auth.Admin)
	_, page := v.send("GET", "/console/tokens/new", nil)
	once := regexp.MustCompile(`name="once" value="(\w+)"`).FindStringSubmatch(page)[1]
	form := url.Values{"form_token": {v.secret("/console/tokens/new")}, "once": {once}, "name": {"a"}, "scopes": {"report:export"}, "days": {"30"}}
	issued, page := v.send("POST", "/console/tokens", form)
	if issued.StatusCode != 201 || !strings.Contains(page, "lkm_") || issued.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("issuing gives status %d, Cache-Control %q", issued.StatusCode, issued.Header.Get("Cache-Control"))
	}
	if again, page := v.send("POST", "/console/tokens", form); again.StatusCode != 409 || strings.Contains(page, "lkm_") {
		t.Errorf("sending the form again gives status %d, want 409 and no token", again.StatusCode)
	}
	var keys []auth.Key
	s.api(t, "GET", "/api/v1/api-keys", "", nil, &keys)
	if len(keys) != 2 {
		t.Errorf("there are %d keys, want the visitor's and one more", len(keys))
	}
	if end := keys[1].ExpiresAt; end.Before(time.Now().Add(29*24*time.Hour)) || end.After(time.Now().Add(31*24*time.Hour)) {
		t.Errorf("the token expires at %v, want in 30 days", end)
	}
	for what, change := range map[string][2]string{"no scope": {"scopes", ""}, "no number of days": {"days", "1e3"}, "no name": {"name", ""}} {
		wrong := url.Values{"form_token": form["form_token"], "once": {what}, "name": {"a"}, "scopes": {"report:export"}, "days": {"30"}}
		if wrong.Set(change[0], change[1]); change[1] == "" {
			wrong.Del(change[0])
		}
		if resp, _ := v.send("POST", "/console/tokens", wrong); resp.StatusCode != 422 {
			t.Errorf("%s gives status %d, want 422", what, resp.StatusCode)
		}
	}
	path := "/console/tokens/" + keys[0].ID
	if resp, _ := v.send("POST", path+"/revocation", url.Values{}); resp.StatusCode != 403 {
		t.Errorf("revoking without the form's secret gives status %d, want 403", resp.StatusCode)
	}
	if _, page := v.send("GET", path, nil); !strings.Contains(page, "You will be signed out") {
		t.Error("the page of one's own token does not say that revoking it signs out")
	}
	v.send("POST", path+"/revocation", url.Values{"form_token": form["form_token"]})
	if resp, _ := v.send("GET", path, nil); resp.StatusCode != 303 {
		t.Errorf("after revoking one's own token the page gives status %d, want 303 to sign in", resp.StatusCode)
	}
}
