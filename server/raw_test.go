package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"licensekit/server/console"
)

// withConsole opens a site as serve does.
func withConsole(o *Options) {
	o.Pages = func(api Local) *http.ServeMux {
		return console.New(api, console.Options{Version: "test", Now: time.Now, Log: o.Log})
	}
}

// replies sends bytes and gives what the server answers until it closes the
// connection, which the client half closes when it has sent everything.
func (s *site) replies(t *testing.T, text string) []byte {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		io.WriteString(conn, text) // the server may close before it has read all
		conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%.80q…: the connection stays open", text)
	}
	return got
}

// statuses gives the status of each response in a text, and "?" for what is
// none.
func statuses(text []byte) (all []string) {
	for r := bufio.NewReader(bytes.NewReader(text)); ; {
		if _, err := r.Peek(1); err != nil {
			return all
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return append(all, "?")
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		all = append(all, fmt.Sprint(resp.StatusCode))
	}
}

// A request whose end two readers could see in different places is refused, and
// nothing in its body is ever taken for a request: each of these hides one for
// a page that is answered 200.
func TestRequestSmuggling(t *testing.T) {
	t.Parallel()
	s := newSite(t, withConsole)
	const hidden = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
	post := func(head, body string) string {
		return "POST /api/v1/reports/exports HTTP/1.1\r\nHost: x\r\n" + head + "\r\n" + body
	}
	length := fmt.Sprintf("Content-Length: %d\r\n", len(hidden))
	for name, test := range map[string]struct{ text, want string }{
		"two lengths":                {post("Content-Length: 0\r\n"+length, hidden), "400"},
		"two lengths in one":         {post(fmt.Sprintf("Content-Length: 0, %d\r\n", len(hidden)), hidden), "400"},
		"the same length twice":      {post(length+length, hidden), "401"},
		"a length with a sign":       {post(fmt.Sprintf("Content-Length: +%d\r\n", len(hidden)), hidden), "400"},
		"a negative length":          {post("Content-Length: -1\r\n", hidden), "400"},
		"a length in hexadecimal":    {post("Content-Length: 0x22\r\n", hidden), "400"},
		"an enormous length":         {post("Content-Length: 99999999999999999999\r\n", hidden), "400"},
		"an empty length":            {post("Content-Length: \r\n", hidden), "400"},
		"length and chunks":          {post(length+"Transfer-Encoding: chunked\r\n", "0\r\n\r\n"+hidden), "401"},
		"chunks and length":          {post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"+hidden), "401"},
		"two codings":                {post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"+hidden), "501"},
		"chunked twice":              {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"+hidden), "501"},
		"an unknown coding":          {post("Transfer-Encoding: xchunked\r\n"+length, hidden), "501"},
		"a coding with a tab":        {post("Transfer-Encoding: \tchunked\r\n", "0\r\n\r\n"+hidden), "401"},
		"a coding behind a control":  {post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"+hidden), "400"},
		"a name with a space":        {post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"+hidden), "400"},
		"a space before a name":      {post(" Transfer-Encoding: chunked\r\n"+length, hidden), "400"},
		"a folded header":            {post("X-A: b\r\n c\r\nTransfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"+hidden), "401"}, // RFC 9112, 5.2: a fold may be read as a space
		"a lone CR in a value":       {post("X-A: b\rTransfer-Encoding: chunked\r\n"+length, hidden), "400"},
		"a NUL in a value":           {post("X-A: b\x00\r\n"+length, hidden), "400"},
		"a NUL in a name":            {post("X\x00: b\r\n"+length, hidden), "400"},
		"a header without a colon":   {post("Hello\r\n"+length, hidden), "400"},
		"a bad size of a chunk":      {post("Transfer-Encoding: chunked\r\n", "zz\r\n"+hidden), "401"},
		"a size with an underscore":  {post("Transfer-Encoding: chunked\r\n", "2_2\r\n"+hidden), "401"},
		"a chunk's size with a sign": {post("Transfer-Encoding: chunked\r\n", "-1\r\n"+hidden), "401"},
		"a chunk that is too long":   {post("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n"+hidden), "401"},
		"a body that is announced":   {post(length, hidden), "401"},
		"GET with a body":            {"GET /readyz HTTP/1.1\r\nHost: x\r\n" + length + "\r\n" + hidden, "200"},
		"HTTP/1.0 with chunks":       {"POST /api/v1/reports/exports HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden, "401"},
		"an expectation":             {post("Expect: 100-continue\r\n"+length, hidden), "401"},
		"an unknown expectation":     {post("Expect: a-miracle\r\n"+length, hidden), "417"},
		"an upgrade to HTTP/2":       {"GET /api/v1/api-keys HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "401 405"},
	} {
		got := strings.Join(statuses(s.replies(t, test.text)), " ")
		if got != test.want {
			t.Errorf("%s: answered %s, want %s", name, got, test.want)
		}
	}
}

// What is hardly HTTP ends with a clean refusal.
func TestRequestLines(t *testing.T) {
	t.Parallel()
	s := newSite(t, withConsole)
	const host = "\r\nHost: x\r\n\r\n"
	for name, test := range map[string]struct{ text, want string }{
		"HTTP/0.9":                  {"GET /health\r\n\r\n", "400"},
		"HTTP/1.2":                  {"GET /health HTTP/1.2" + host, "200"}, // RFC 9110, 2.5: read as 1.1
		"HTTP/2 in clear":           {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "405"},
		"HTTP/9.9":                  {"GET /health HTTP/9.9" + host, "505"},
		"no version":                {"GET /health " + host, "400"},
		"lower case":                {"get /health HTTP/1.1" + host, "405"},
		"no method":                 {" /health HTTP/1.1" + host, "400"},
		"a method with a NUL":       {"GE\x00T /health HTTP/1.1" + host, "400"},
		"two spaces":                {"GET  /health HTTP/1.1" + host, "400"},
		"a tab":                     {"GET\t/health HTTP/1.1" + host, "400"},
		"lone LF":                   {"GET /health HTTP/1.1\nHost: x\n\n", "200"}, // RFC 9112, 2.2: a reader may take it
		"empty lines before":        {"\r\n\r\nGET /health HTTP/1.1" + host, "400"},
		"no host":                   {"GET /health HTTP/1.1\r\n\r\n", "400"},
		"two hosts":                 {"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
		"a host with a space":       {"GET /health HTTP/1.1\r\nHost: a b\r\n\r\n", "400"},
		"a host with a path":        {"GET /health HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"},
		"no host, 1.0":              {"GET /health HTTP/1.0\r\n\r\n", "200"},
		"absolute":                  {"GET http://elsewhere/health HTTP/1.1" + host, "200"},
		"absolute, of another kind": {"GET ftp://elsewhere/health HTTP/1.1" + host, "200"},
		"absolute, no path":         {"GET http://elsewhere HTTP/1.1" + host, "404"},
		"relative":                  {"GET health HTTP/1.1" + host, "400"},
		"a space in the path":       {"GET /hea lth HTTP/1.1" + host, "400"},
		"a NUL in the path":         {"GET /health\x00 HTTP/1.1" + host, "400"},
		"a control in the path":     {"GET /hea\x7flth HTTP/1.1" + host, "400"},
		"bad percent":               {"GET /health%zz HTTP/1.1" + host, "400"},
		"half a percent":            {"GET /health% HTTP/1.1" + host, "400"},
		"nothing":                   {"", ""},
		"garbage":                   {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\xff", 200), "400"},
		"a path of 60,000 bytes":    {"GET /" + strings.Repeat("a", 60_000) + " HTTP/1.1" + host, "404"},
		"a path of 80,000 bytes":    {"GET /" + strings.Repeat("a", 80_000) + " HTTP/1.1" + host, "431"},
		"headers of 80,000 bytes":   {"GET /health HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: "+strings.Repeat("b", 994)+"\r\n", 80) + "\r\n", "431"},
		"a line without end":        {"GET /" + strings.Repeat("a", 1<<20), "431"},
		"half a request":            {"GET /health HTTP/1.1\r\nHost: x\r\n", "400"},
	} {
		got := strings.Join(statuses(s.replies(t, test.text)), " ")
		if got != test.want {
			t.Errorf("%s: answered %q, want %q", name, got, test.want)
		}
	}
}

// However a path is written, it is the route that it names exactly, or none:
// nothing is cleaned, decoded or redirected into another route's answer.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	s := newSite(t, withConsole)
	x := s.ready(t, jsonExport)
	const keys = "/api/v1/api-keys"
	for _, path := range []string{
		"//api/v1/api-keys", "/./api/v1/api-keys", "/x/../api/v1/api-keys", "/health/../api/v1/api-keys", "/health/..;/api/v1/api-keys",
		"/api/v1/api-keys/", "/api/v1/api-keys/.", "/api/v1/api-keys%2f", "/api/v1%2fapi-keys", "/API/v1/api-keys", "/api/v1/api-keys;x",
		"/api/v1/api-keys%00", "/api/v1/api-keys.json", "/api/v1/api-keys%20", `/api\v1\api-keys`, "/%2e/api/v1/api-keys", "/console/../api/v1/api-keys",
		"/console/%2e%2e/api/v1/api-keys", "/console/assets/../../api/v1/api-keys", "/console/assets/..%2f..%2fapi/v1/api-keys",
		"//", "/.", "/console/..", "//console/", "/console//", "/console/./sign-in", "/console/%2e/sign-in", "/console%2fsign-in", "/console/sign-in/",
		"/api/v1/log/tile/0/../../../api-keys", "/api/v1/log/tile/0/..%2f..%2f..%2fapi-keys", "/api/v1/log/tile/entries/../0/000", "/api/v1/log/tile/../checkpoint",
		exportsPath + "/" + x.ID + "%2fdownload", exportsPath + "/" + x.ID + "//download", exportsPath + "/x/../" + x.ID + "/download", exportsPath + "/" + x.ID + "/download/",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
			text := s.replies(t, method+" "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			got := statuses(text)
			if method == "HEAD" { // its answer announces a body that does not come
				got = got[:min(1, len(got))]
			}
			// 401 is the route's own refusal where a trick came out as an id.
			if want := []string{"401", "404", "405"}; len(got) != 1 || !slices.Contains(want, got[0]) {
				t.Errorf("%s %s: answered %v, want one of %v: %.300q", method, path, got, want, text)
			}
		}
	}
	if got := statuses(s.replies(t, "GET "+keys+" HTTP/1.1\r\nHost: x\r\n\r\n")); !slices.Equal(got, []string{"401"}) {
		t.Errorf("the route itself: answered %v, want 401", got)
	}
}

// A head that comes a byte at a time is not waited for for ever.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	s.limits.head = 300 * time.Millisecond
	s.serve(t)
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	gone := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(conn)
		gone <- err
	}()
	for _, b := range []byte("GET /health HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("b", 1000)) {
		if _, err := conn.Write([]byte{b}); err != nil {
			break
		}
		select {
		case <-gone:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Error("a head that never ends is still read after 50 s")
}
