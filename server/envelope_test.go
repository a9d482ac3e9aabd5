package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/julienschmidt/httprouter"

	"licensekit/auth"
)

// What no route is for is answered in the envelope too; that meta is right is
// checked of every response of every test.
func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, target := range []string{
		"/", "/nothing", "/api", "/api/v1", "/api/v2/reports/exports", "/HEALTH", "/health/", "/Health", "//health", "/./health",
		"/health%2f", "/api/v1/../../health", "/api/v1/reports/exports/", "/api/v1//reports/exports", "/../../../etc/passwd",
		"/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/api/v1/reports/exports/a/b/c", "/health%00", "/health;x=1",
	} {
		s.raw(t, "GET", target).want(t, 404, "NOT_FOUND")
	}
}

// An id may be anything; it never becomes a path.
func TestIDsAreNoPaths(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	bearer := "Authorization: Bearer " + s.token(t, auth.ReportExport)
	for _, id := range []string{"..", "%2e%2e", "%00", "rptx_", "*", strings.Repeat("x", 8000), "%ff", "a%20b", "-1", "..%5c..%5c"} {
		for _, path := range []string{"", "/download", "/bundle"} {
			s.raw(t, "GET", exportsPath+"/"+id+path, bearer).want(t, 404, "NOT_FOUND")
		}
	}
	s.raw(t, "GET", exportsPath+"//download", bearer).want(t, 404, "NOT_FOUND")
	s.raw(t, "GET", exportsPath+"/..%2f..%2fmeta.db/download", bearer).want(t, 404, "NOT_FOUND")
}

// Every path refuses the methods that the table does not have, and says which
// it has; OPTIONS is none of them.
func TestOtherMethods(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	allowed := map[string][]string{}
	for _, route := range s.routes() {
		path := strings.NewReplacer(":id", "x", ":log", "1", ":object", "products", ":level", "0", "*index", "000", ":index", "0", ":page", "1.png").Replace(route.path)
		allowed[path] = append(allowed[path], route.method)
		if route.method == "GET" {
			allowed[path] = append(allowed[path], "HEAD")
		}
	}
	for path, methods := range allowed {
		slices.Sort(methods)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			if slices.Contains(methods, method) {
				continue
			}
			a := s.raw(t, method, path).saying(t, "Allow", strings.Join(methods, ", "))
			if method == "HEAD" {
				if a.status != 405 {
					t.Errorf("%s; want status 405", a)
				}
				continue
			}
			a.want(t, 405, "METHOD_NOT_ALLOWED").detail(t, "allowed: "+strings.Join(methods, ", "))
		}
	}
	s.raw(t, "OPTIONS", "*").want(t, 405, "METHOD_NOT_ALLOWED") // net/http would answer it itself, without the envelope
	s.raw(t, "CONNECT", "licensekit:80").want(t, 404, "NOT_FOUND")
}

// HEAD has what GET has, but for the body.
func TestHeadOfEveryGet(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	export := s.ready(t, jsonExport)
	varying := []string{"X-Request-Id", "Date", "Content-Length"}
	for name, e := range entries(export.ID) {
		method, _, _ := strings.Cut(name, " ")
		if method != "GET" {
			continue
		}
		get := s.do(t, call{method: "GET", path: e.path, token: s.token(t, auth.Admin)})
		head := s.do(t, call{method: "HEAD", path: e.path, token: s.token(t, auth.Admin)})
		if head.status != get.status || len(head.body) != 0 {
			t.Errorf("%s has a body of %d bytes; want status %d without any", head, len(head.body), get.status)
		}
		for header := range get.header {
			if !slices.Contains(varying, header) && header != "Transfer-Encoding" {
				head.saying(t, header, get.header.Get(header))
			}
		}
		if strings.HasSuffix(e.path, "download") || strings.HasSuffix(e.path, "bundle") {
			head.saying(t, "Content-Length", get.header.Get("Content-Length"))
		}
	}
	a := s.do(t, call{method: "HEAD", path: exportsPath})
	if a.status != 401 || len(a.body) != 0 {
		t.Errorf("HEAD without a token: %s; want status 401 without a body", a)
	}
}

func TestHeadersOfEveryResponse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	seen := map[string]bool{}
	for _, path := range []string{"/health", "/nothing", exportsPath, "/metrics"} {
		a := s.do(t, call{method: "GET", path: path})
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Cross-Origin-Resource-Policy": "same-origin",
			"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "", "Server": "", "Access-Control-Allow-Origin": "",
		} {
			a.saying(t, name, want)
		}
		id := a.header.Get("X-Request-Id")
		if seen[id] || id == "" {
			t.Errorf("%s: X-Request-Id %q, want a new one", a, id)
		}
		seen[id] = true
	}
}

func TestTimestampIsTheServersClock(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.skew.Store(int64(240 * time.Hour))
	a := s.do(t, call{method: "GET", path: "/health"})
	var body struct{ Meta struct{ Timestamp time.Time } }
	if err := json.Unmarshal(a.body, &body); err != nil {
		t.Fatal(err)
	}
	if got, want := body.Meta.Timestamp, s.opts.Now(); want.Sub(got).Abs() > time.Minute {
		t.Errorf("meta.timestamp is %v, want about %v", got, want)
	}
}

// A crashed handler answers 500 in the envelope if nothing was sent yet, and
// cuts the connection if something was. Its words stay in the log.
func TestCrash(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	crash := func(path string, before func(http.ResponseWriter)) {
		s.router.Handle("GET", path, func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
			before(w)
			panic("the reason of the crash")
		})
	}
	crash("/crash/early", func(http.ResponseWriter) {})
	crash("/crash/headers", func(w http.ResponseWriter) {
		attach(w, "application/zip", "x.zip")
		w.Header().Set("Content-Length", "1000000")
		w.Header().Set("ETag", `"x"`)
	})
	crash("/crash/late", func(w http.ResponseWriter) { w.Write([]byte("half")) })
	s.serve(t)
	for _, path := range []string{"/crash/early", "/crash/headers"} {
		resp, err := s.client.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Error errorBody
			Meta  struct {
				RequestID string `json:"request_id"`
			}
		}
		err = json.NewDecoder(resp.Body).Decode(&body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 500 || body.Error.Code != "INTERNAL" || body.Meta.RequestID != resp.Header.Get("X-Request-Id") {
			t.Errorf("%s: status %d, body %+v, error %v; want 500 INTERNAL in the envelope", path, resp.StatusCode, body, err)
		}
		if strings.Contains(body.Error.Message+body.Error.Detail, "reason") {
			t.Errorf("%s: the answer %+v tells the reason, want it in the log only", path, body.Error)
		}
		for _, name := range []string{"ETag", "Content-Disposition"} {
			if got := resp.Header.Get(name); got != "" {
				t.Errorf("%s: %s is %q, want none: it spoke of another body", path, name, got)
			}
		}
		if log := string(logs.bytes()); !strings.Contains(log, "the reason of the crash") || !strings.Contains(log, "envelope_test.go") {
			t.Errorf("%s: the log lacks the reason or the place of the crash", path)
		}
	}
	if resp, err := s.client.Get(s.url + "/crash/late"); err == nil {
		defer resp.Body.Close()
		if n, err := resp.Body.Read(make([]byte, 100)); err == nil {
			if _, err = resp.Body.Read(make([]byte, 100)); err == nil || err.Error() == "EOF" {
				t.Errorf("/crash/late: read %d bytes, then %v; want a broken connection", n, err)
			}
		}
	}
	eventually(t, "the log of the cut-off request", func() bool { return strings.Contains(string(logs.bytes()), `"path":"/crash/late","status":200`) })
}
