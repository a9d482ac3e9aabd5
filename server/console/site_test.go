package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"licensekit/auth"
	"licensekit/server"
	"licensekit/server/console"
)

// site is a server with a console on a real port.
type site struct {
	url   string
	owner *http.Client // the owner's, over the process
	skew  atomic.Int64 // of the console's clock, in nanoseconds
	log   *logs

	frozen []string // ids of exports of the shared site: two of usage by customer, one of licenses
}

// logs keeps what a server logs.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newSite starts a server without any data.
func newSite(t testing.TB, adjust ...func(*server.Options)) *site {
	t.Helper()
	s, stop, err := start(filepath.Join(t.TempDir(), "data"), adjust...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// sharedSite gives a server with the sample data and some exports, for tests
// that look, and do nothing that another one sees.
func sharedSite(t testing.TB) *site {
	t.Helper()
	sharing.Do(func() {
		dir, err := os.MkdirTemp("", "licensekit-console-")
		if err != nil {
			t.Fatal(err)
		}
		s, stop, err := start(filepath.Join(dir, "data"))
		if err != nil {
			t.Fatal(err)
		}
		stopShared = func() error { return errors.Join(stop(), os.RemoveAll(dir)) }
		s.stock(t)
		s.frozen = []string{
			s.freeze(t, `{"report_kind":"usage-summary","format":"csv","filters":{"group_by":["customer_id"],"from":"2025-01-01T00:00:00Z","to":"2025-07-01T00:00:00Z"}}`),
			s.freeze(t, `{"report_kind":"usage-summary","format":"xlsx","filters":{"group_by":["customer_id"],"from":"2025-01-01T00:00:00Z","to":"2025-10-01T00:00:00Z"}}`),
			s.freeze(t, `{"report_kind":"license-audit","format":"json"}`),
		}
		shared = s
	})
	if shared == nil {
		t.Fatal("the shared server did not start")
	}
	return shared
}

var (
	sharing    sync.Once
	shared     *site
	stopShared = func() error { return nil }
)

func start(data string, adjust ...func(*server.Options)) (*site, func() error, error) {
	s := &site{log: &logs{}}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	now := func() time.Time { return time.Now().Add(time.Duration(s.skew.Load())) }
	opts := server.Options{
		Data: data, Create: true, Version: "test", Workers: 2, Log: log, Now: time.Now,
		Pages: func(api server.Local) *http.ServeMux {
			return console.New(api, console.Options{Version: "test", Now: now, Log: log})
		},
	}
	for _, change := range adjust {
		change(&opts)
	}
	opened, err := server.Open(opts)
	if err != nil {
		return nil, nil, err
	}
	listener, err := server.ListenTCP("127.0.0.1:0", nil)
	if err != nil {
		return nil, nil, errors.Join(err, opened.Close())
	}
	inner, dial := server.InProcess()
	s.url = "http://" + listener.Addr().String()
	s.owner = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- opened.Serve(ctx, listener, inner) }()
	return s, func() error {
		s.owner.CloseIdleConnections()
		stop()
		return errors.Join(<-served, opened.Close())
	}, nil
}

// api asks the API as the owner, and reads the answer's data.
func (s *site) api(t testing.TB, method, path, contentType string, body io.Reader, data any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://owner"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	s.ask(t, r, data)
}

// ask sends a request as the owner, and reads the answer's data.
func (s *site) ask(t testing.TB, r *http.Request, data any) {
	t.Helper()
	resp, err := s.owner.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s, %v", r.Method, r.URL.Path, resp.StatusCode, text, err)
	}
	if resp.StatusCode == http.StatusNoContent {
		return
	}
	envelope := struct{ Data any }{data}
	if err := json.Unmarshal(text, &envelope); err != nil {
		t.Fatal(err)
	}
}

// token issues a token, with its key's id.
func (s *site) token(t testing.TB, name string, scopes ...auth.Scope) (id, token string) {
	t.Helper()
	var made struct {
		Key   auth.Key `json:"api_key"`
		Token string
	}
	spec, err := json.Marshal(auth.Spec{Name: name, Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	s.api(t, "POST", "/api/v1/api-keys", "application/json", bytes.NewReader(spec), &made)
	return made.Key.ID, made.Token
}

// samples are the files of sample data, in the order of their links.
var samples = []string{"records/products", "records/customers", "records/subscriptions", "records/orders", "records/licenses", "activities"}

// stock loads the sample data.
func (s *site) stock(t testing.TB) *site {
	t.Helper()
	for _, path := range samples {
		f, err := os.Open(filepath.Join("../../testdata/sample", filepath.Base(path)+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		s.api(t, "POST", "/api/v1/"+path, "text/csv", f, nil)
		f.Close()
	}
	return s
}

// freeze makes an export and gives its id once it is ready.
func (s *site) freeze(t testing.TB, body string) string {
	t.Helper()
	var made struct{ ID, Status string }
	s.api(t, "POST", "/api/v1/reports/exports", "application/json", strings.NewReader(body), &made)
	if made.Status != "ready" {
		t.Fatalf("export of %s is %s, want ready", body, made.Status)
	}
	return made.ID
}

// signedIn opens a tab for a token with these scopes.
func (s *site) signedIn(t testing.TB, scopes ...auth.Scope) *tab {
	t.Helper()
	_, token := s.token(t, t.Name(), scopes...)
	b := newTab(t, s.url, "en-GB")
	b.signIn(token)
	return b
}

func (b *tab) signIn(token string) {
	b.t.Helper()
	b.open("/console/sign-in")
	b.fill("#token", token)
	b.click("main form button")
	if path := b.path(); strings.HasPrefix(path, "/console/sign-in") {
		b.t.Fatalf("after signing in the tab is at %s", path)
	}
}
