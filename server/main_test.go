package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"licensekit/auth"
	"licensekit/exporter"
)

// spec is what all tests hold the server to.
var spec *contract

// TestMain runs the tests and then looks at what they did together: every
// operation was exercised, and no log shows a token.
func TestMain(m *testing.M) {
	if exporter.AnswerInspection(os.Args, os.Stdout) {
		return
	}
	flag.Parse()
	var err error
	if spec, err = loadContract(); err != nil {
		fmt.Fprintln(os.Stderr, "openapi.yaml:", err)
		os.Exit(1)
	}
	code := m.Run()
	if leaks := secrets.leaks(logs.bytes()); len(leaks) > 0 {
		fmt.Printf("FAIL: the logs of the whole run show the secrets of %v\n", leaks)
		code = 1
	}
	if missing := unexercised(); len(missing) > 0 && wholeRun() {
		fmt.Printf("FAIL: no test had these operations succeed: %v\n", missing)
		code = 1
	}
	os.Exit(code)
}

func unexercised() (ids []string) {
	for _, operation := range spec.operations() {
		if !spec.exercised[operation.OperationID] {
			ids = append(ids, operation.OperationID)
		}
	}
	slices.Sort(ids)
	return ids
}

// wholeRun tells a run of all tests from one of some.
func wholeRun() bool {
	return !slices.ContainsFunc([]string{"run", "skip", "list"}, func(name string) bool {
		return flag.Lookup("test."+name).Value.String() != ""
	})
}

// buffer keeps the logs of all servers.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

var logs = &buffer{}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.text.Bytes())
}

// vault remembers every token that a test saw, by the id of its key.
type vault struct {
	mu     sync.Mutex
	tokens map[string]string // guarded by mu
}

var secrets = &vault{tokens: map[string]string{}}

func (v *vault) add(id, token string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tokens[id] = token
}

// leaks gives the keys whose token stands in a text, whole or in any part of
// 16 characters of its secret.
func (v *vault) leaks(text []byte) (ids []string) {
	const public, part = len("lkm_") + 8, 16
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, token := range v.tokens {
		for i := public; i+part <= len(token); i++ {
			if bytes.Contains(text, []byte(token[i:i+part])) {
				ids = append(ids, id)
				break
			}
		}
	}
	slices.Sort(ids)
	return ids
}

func TestVaultNoticesALeak(t *testing.T) {
	v := &vault{tokens: map[string]string{"key_a": "lkm_" + strings.Repeat("a", 20) + strings.Repeat("b", 39), "key_b": "lkm_" + strings.Repeat("c", 59)}}
	got := v.leaks([]byte("GET /" + strings.Repeat("a", 8) + strings.Repeat("b", 8) + " and lkm_cccccccc"))
	if want := []string{"key_a"}; !slices.Equal(got, want) {
		t.Errorf("leaks = %v, want %v", got, want)
	}
}

// site is a server on a real port, over a data directory of its own.
type site struct {
	*Server
	url, address string
	client       *http.Client
	skew         atomic.Int64 // of the server's clock, in nanoseconds
	stop         func() error // ends Serve and gives its error; may be called again
	mu           sync.Mutex
	tokens       map[auth.Scope]string // guarded by mu
}

// option changes how a site is set up, before it serves.
type option func(*Options)

func workers(n int) option { return func(o *Options) { o.Workers = n } }

// newSite opens a server and lets it answer.
func newSite(t testing.TB, options ...option) *site {
	t.Helper()
	s := openSite(t, options...)
	s.serve(t)
	return s
}

// openSite opens a server that does not answer yet.
func openSite(t testing.TB, options ...option) *site {
	t.Helper()
	s := &site{tokens: map[auth.Scope]string{}}
	opts := Options{
		Data: filepath.Join(t.TempDir(), "data"), Create: true, Version: "test", Workers: 2,
		Log: slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: func() time.Time { return time.Now().Add(time.Duration(s.skew.Load())) },
	}
	for _, set := range options {
		set(&opts)
	}
	var err error
	if s.Server, err = Open(opts); err != nil {
		t.Fatal(err)
	}
	s.dir.DB.SkipSync() // no test here cuts the power
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// serve lets the server answer, on a port and on further listeners.
func (s *site) serve(t testing.TB, more ...Listener) {
	t.Helper()
	l, err := ListenTCP("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	s.url = "http://" + s.address
	s.client = &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, append(more, l)...) }()
	s.stop = sync.OnceValue(func() error {
		s.client.CloseIdleConnections()
		cancel()
		return <-served
	})
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

// owned gives the same site as its owner sees it through a connection.
func (s *site) owned(dial func(context.Context) (net.Conn, error)) *site {
	return &site{Server: s.Server, url: "http://owner", client: &http.Client{Transport: &http.Transport{
		DisableCompression: true,
		DisableKeepAlives:  true,
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}}}
}

// token gives a token with one scope, the same one each time.
func (s *site) token(t testing.TB, scope auth.Scope) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens[scope] == "" {
		_, s.tokens[scope] = s.issue(t, auth.Spec{Scopes: []auth.Scope{scope}})
	}
	return s.tokens[scope]
}

// issue makes a key behind the API's back.
func (s *site) issue(t testing.TB, spec auth.Spec) (auth.Key, string) {
	t.Helper()
	spec.Name = t.Name()
	key, token, err := s.Server.tokens.Issue(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	secrets.add(key.ID, token.Reveal())
	return key, token.Reveal()
}

// shut stops the server and closes its data directory, for another to open it.
func (s *site) shut(t testing.TB) {
	t.Helper()
	if err := errors.Join(s.stop(), s.Close()); err != nil {
		t.Fatal(err)
	}
}

// post sends a body to a route with the scope that it takes.
func (s *site) post(t testing.TB, scope auth.Scope, path, contentType, body string) answer {
	t.Helper()
	return s.do(t, call{method: "POST", path: path, token: s.token(t, scope), body: body, header: map[string]string{"Content-Type": contentType}})
}

// get asks for a path with report:export.
func (s *site) get(t testing.TB, path string) answer {
	t.Helper()
	return s.do(t, call{method: "GET", path: path, token: s.token(t, auth.ReportExport)})
}

const exportsPath = "/api/v1/reports/exports"

// create asks for an export.
func (s *site) create(t testing.TB, body string) answer {
	t.Helper()
	return s.post(t, auth.ReportExport, exportsPath, "application/json", body)
}

// ingest sends activities as CSV, all of which must be accepted.
func (s *site) ingest(t testing.TB, rows ...string) {
	t.Helper()
	text := "id,occurred_at,action,customer_id,feature_code,amount\n" + strings.Join(rows, "\n") + "\n"
	var got struct{ Accepted int }
	s.post(t, auth.ReportWrite, "/api/v1/activities", "text/csv", text).into(t, http.StatusOK, &got)
	if got.Accepted != len(rows) {
		t.Fatalf("ingest accepted %d rows, want %d", got.Accepted, len(rows))
	}
}

// raw sends bytes as they are and reads the response, which belongs to no
// request that http.Client would send.
func (s *site) raw(t testing.TB, method, target string, lines ...string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := append([]string{method + " " + target + " HTTP/1.1", "Host: licensekit", "Connection: close"}, lines...)
	if _, err := io.WriteString(conn, strings.Join(head, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, conn, method, target)
}

// readAnswer reads a response from a connection.
func readAnswer(t testing.TB, conn net.Conn, method, target string) answer {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	path, query, _ := strings.Cut(target, "?")
	r := &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{}}
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return hold(t, call{method: method, path: target}, r, resp)
}

// cut sends a body that ends before the length that was announced, and reads
// what the server has to say about it.
func (s *site) cut(t testing.TB, path string, scope auth.Scope, contentType, body string, length int) answer {
	t.Helper()
	conn := s.begin(t, path, scope, contentType, body, length)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, conn, "POST", path)
}

// begin sends the beginning of a body of some length.
func (s *site) begin(t testing.TB, path string, scope auth.Scope, contentType, body string, length int) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: licensekit\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		path, s.token(t, scope), contentType, length, body)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
