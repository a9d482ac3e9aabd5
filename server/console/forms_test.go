package console_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"licensekit/auth"
)

// visitor is a browser without one: cookies, and no redirects followed.
type visitor struct {
	t      testing.TB
	base   string
	client *http.Client
}

func newVisitor(t testing.TB, base string) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, base: base, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// visitor signs in with a token of these scopes.
func (s *site) visitor(t testing.TB, scopes ...auth.Scope) *visitor {
	t.Helper()
	_, token := s.token(t, t.Name(), scopes...)
	v := newVisitor(t, s.url)
	if resp, _ := v.send("POST", "/console/sign-in", url.Values{"token": {token}}); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("signing in gives status %d, want 303", resp.StatusCode)
	}
	return v
}

// containsAll tells whether a page has all of these texts in it.
func containsAll(page string, texts ...string) bool {
	for _, text := range texts {
		if !strings.Contains(page, text) {
			return false
		}
	}
	return true
}

// send sends a request, as a form if there is one.
func (v *visitor) send(method, path string, form url.Values, header ...string) (*http.Response, string) {
	v.t.Helper()
	if form != nil {
		header = append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)
	}
	return v.sendBody(method, path, strings.NewReader(form.Encode()), header...)
}

func (v *visitor) sendBody(method, path string, body io.Reader, header ...string) (*http.Response, string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp, string(text)
}

// secret is the session's, as its forms have it.
func (v *visitor) secret(path string) string {
	v.t.Helper()
	_, body := v.send("GET", path, nil)
	found := regexp.MustCompile(`name="form_token" value="([A-Z2-7]+)"`).FindStringSubmatch(body)
	if found == nil {
		v.t.Fatalf("no form of %s has a secret", path)
	}
	return found[1]
}

// Only the console's own forms change anything.
func TestForgedForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, token := s.token(t, "me", auth.ReportExport)
	v := newVisitor(t, s.url)
	if resp, _ := v.send("POST", "/console/sign-in", url.Values{"token": {token}}, "Sec-Fetch-Site", "cross-site"); resp.StatusCode != 403 {
		t.Errorf("signing in from another site gives status %d, want 403", resp.StatusCode)
	}
	resp, _ := v.send("POST", "/console/sign-in", url.Values{"token": {token}}, "Sec-Fetch-Site", "same-origin")
	cookie := resp.Header.Get("Set-Cookie")
	for _, want := range []string{"licensekit=", "; HttpOnly", "; SameSite=Strict", "; Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("cookie %q, want it with %q", cookie, want)
		}
	}
	if strings.Contains(cookie, token[4:20]) || strings.Contains(cookie, "Expires") {
		t.Errorf("cookie %q holds the token or outlives the browser", cookie)
	}
	behind, _ := newVisitor(t, s.url).send("POST", "/console/sign-in", url.Values{"token": {token}}, "Sec-Fetch-Site", "same-origin", "Origin", "https://reports.example")
	if cookie := behind.Header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-licensekit=") || !strings.Contains(cookie, "; Secure") {
		t.Errorf("behind a proxy with TLS the cookie is %q, want a __Host- one", cookie)
	}
	secret := v.secret("/console/exports")
	for what, try := range map[string]struct {
		form   url.Values
		header []string
	}{
		"without a secret":    {url.Values{}, nil},
		"with another's":      {url.Values{"form_token": {strings.Repeat("A", len(secret))}}, nil},
		"from another site":   {url.Values{"form_token": {secret}}, []string{"Sec-Fetch-Site", "cross-site"}},
		"from another origin": {url.Values{"form_token": {secret}}, []string{"Origin", "https://evil.example"}},
		"from a subdomain":    {url.Values{"form_token": {secret}}, []string{"Sec-Fetch-Site", "same-site"}},
	} {
		if resp, body := v.send("POST", "/console/sign-out", try.form, try.header...); resp.StatusCode != 403 || !strings.Contains(body, "<html") {
			t.Errorf("signing out %s gives status %d, want the page of 403", what, resp.StatusCode)
		}
	}
	if resp, _ := v.send("GET", "/console/exports", nil); resp.StatusCode != 200 {
		t.Errorf("then the session is gone: status %d", resp.StatusCode)
	}
	if resp, _ := v.send("POST", "/console/sign-out", url.Values{"form_token": {secret}}); resp.StatusCode != 303 {
		t.Errorf("signing out gives status %d, want 303", resp.StatusCode)
	}
	if resp, _ := v.send("GET", "/console/exports", nil); resp.StatusCode != 303 {
		t.Errorf("after signing out the exports give status %d, want 303", resp.StatusCode)
	}
}

// The session opens pages, never the API.
func TestCookieIsNoToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, token := s.token(t, "me", auth.Admin)
	v := newVisitor(t, s.url)
	v.send("POST", "/console/sign-in", url.Values{"token": {token}})
	if resp, _ := v.send("GET", "/console/exports", nil); resp.StatusCode != 200 {
		t.Fatalf("the exports give status %d, want 200", resp.StatusCode)
	}
	if resp, _ := v.send("GET", "/api/v1/reports/exports", nil); resp.StatusCode != 401 {
		t.Errorf("the API with the cookie gives status %d, want 401", resp.StatusCode)
	}
}

// Every page has the headers that keep browsers strict; what is no page is
// refused as one.
func TestPageHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := newVisitor(t, s.url)
	for path, want := range map[string]int{
		"/": 303, "/console": 303, "/console/": 303, "/console/sign-in": 200, "/console/nothing": 404, "/console/exports": 303,
		"/console/assets/console.css": 200, "/console/assets/../console.go": 404, "/console/assets/nothing": 404,
	} {
		resp, _ := v.send("GET", path, nil)
		if resp.StatusCode != want {
			t.Errorf("GET %s gives status %d, want %d", path, resp.StatusCode, want)
		}
		if strings.HasPrefix(path, "/console/") && !strings.Contains(path, "..") {
			if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; style-src 'self';") || strings.Contains(csp, "unsafe") {
				t.Errorf("GET %s: Content-Security-Policy %q", path, csp)
			}
			if resp.Header.Get("X-Frame-Options") != "DENY" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("GET %s: headers %v", path, resp.Header)
			}
		}
	}
	if resp, body := v.send("HEAD", "/console/sign-in", nil); resp.StatusCode != 200 || body != "" {
		t.Errorf("HEAD gives status %d and %d bytes", resp.StatusCode, len(body))
	}
	if resp, _ := v.send("GET", "/console/sign-in", nil, "Accept-Language", "de-AT, en;q=0.5"); resp.Header.Get("Content-Language") != "de-AT" {
		t.Errorf("Content-Language %q, want de-AT", resp.Header.Get("Content-Language"))
	}
	if resp, _ := v.send("GET", "/health", nil); resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("/health has Content-Type %q beside the console", resp.Header.Get("Content-Type"))
	}
}
