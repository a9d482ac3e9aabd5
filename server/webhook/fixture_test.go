package webhook

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/audit"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// site is a trail, endpoints, and a courier that may run.
type site struct {
	*Courier
	db   *bbolt.DB
	log  *logs
	stop func() // ends Run; may be called again
}

// logs keep what a courier logs.
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

// setup says how a site differs from one that may ask this machine and tries
// again at once.
type setup struct {
	allowed []netip.Prefix
	roots   *x509.CertPool
	pause   time.Duration
	timeout time.Duration
	db      *bbolt.DB
}

func newSite(t testing.TB, with setup) *site {
	t.Helper()
	s := &site{db: with.db, log: &logs{}, stop: func() {}}
	if s.db == nil {
		var err error
		s.db, err = bbolt.Open(filepath.Join(t.TempDir(), "meta.db"), 0o600, &bbolt.Options{Timeout: time.Second, NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.db.Close() })
	}
	trail, err := audit.Open(s.db, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	store, err := Open(s.db, trail, time.Now, with.allowed)
	if err != nil {
		t.Fatal(err)
	}
	s.Courier = NewCourier(store, Options{
		Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Version: "test", Roots: with.roots,
		pause: func(int) time.Duration { return with.pause },
	})
	if with.timeout > 0 {
		s.sender.timeout = with.timeout
	}
	return s
}

// run lets the courier deliver.
func (s *site) run(t testing.TB) *site {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	s.stop = func() { cancel(); <-done }
	t.Cleanup(s.stop)
	return s
}

// endpoint makes an endpoint and gives its secret too.
func (s *site) endpoint(t testing.TB, url string, types ...audit.Type) (Endpoint, string) {
	t.Helper()
	name := t.Name()
	e, secret, err := s.Create(t.Context(), Change{Name: &name, URL: &url, EventTypes: &types})
	if err != nil {
		t.Fatal(err)
	}
	return e, secret
}

// happen writes events about resources into the trail.
func (s *site) happen(t testing.TB, what audit.Type, resources ...string) {
	t.Helper()
	for _, id := range resources {
		if err := s.trail.Write(t.Context(), audit.Event{Type: what, ResourceType: "thing", ResourceID: id}); err != nil {
			t.Fatal(err)
		}
	}
}

// history gives an endpoint's deliveries, oldest first.
func (s *site) history(t testing.TB, id string) []Delivery {
	t.Helper()
	page, _, err := s.Deliveries(id, Query{Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(page)
	return page
}

// statuses are the statuses of an endpoint's deliveries, oldest first.
func (s *site) statuses(t testing.TB, id string) string {
	var all []string
	for _, d := range s.history(t, id) {
		all = append(all, string(d.Status))
	}
	return strings.Join(all, " ")
}

// got is a request that a receiver had.
type got struct {
	*http.Request
	body  string
	event audit.Event
}

// receiver is a server that deliveries are sent to.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	all     []got            // guarded by mu
	answers []http.Handler   // for the next requests; guarded by mu
	last    http.HandlerFunc // for those after them; guarded by mu
}

func answering(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// newReceiver gives the answers one after the other, and the last one for ever.
func newReceiver(t testing.TB, answers ...http.HandlerFunc) *receiver {
	t.Helper()
	r := newQuietReceiver(t, answers...)
	r.Start()
	return r
}

func newQuietReceiver(t testing.TB, answers ...http.HandlerFunc) *receiver {
	r := &receiver{last: answers[len(answers)-1]}
	for _, a := range answers[:len(answers)-1] {
		r.answers = append(r.answers, a)
	}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		one := got{Request: req, body: string(body)}
		if err == nil {
			err = json.Unmarshal(body, &one.event)
		}
		if err != nil {
			t.Errorf("the receiver got %q: %v", body, err)
		}
		r.mu.Lock()
		r.all = append(r.all, one)
		var answer http.Handler = r.last
		if len(r.answers) > 0 {
			answer, r.answers = r.answers[0], r.answers[1:]
		}
		r.mu.Unlock()
		answer.ServeHTTP(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) requests() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// resources are what the requests' events are about, in order.
func (r *receiver) resources() string {
	var all []string
	for _, g := range r.requests() {
		all = append(all, g.event.ResourceID)
	}
	return strings.Join(all, " ")
}

// comes waits until the resources of the receiver's requests are these.
func (r *receiver) comes(t testing.TB, want string) {
	t.Helper()
	eventually(t, func() (string, bool) { now := r.resources(); return now, now == want }, want)
}

// eventually waits for something that happens on its own.
func eventually(t testing.TB, look func() (string, bool), want string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		found, ok := look()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %q after a minute, want %q", found, want)
		}
	}
}

func pointer[T any](v T) *T { return &v }
