package auth

import (
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/audit"
	"licensekit/exporter/sealed"
)

// anywhere is an address for tests that are not about networks.
var anywhere = netip.MustParseAddr("203.0.113.7")

// clock is a time that tests set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time // guarded by mu
}

func newClock() *clock {
	return &clock{at: time.Date(2026, 3, 4, 5, 6, 7, 890_123_456, time.FixedZone("", 3600))}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

func openDB(t testing.TB, path string) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func openStore(t testing.TB, db sealed.Database, now func() time.Time) *Store {
	t.Helper()
	trail, err := audit.Open(db, now)
	if err != nil {
		t.Fatal(err)
	}
	store, err := Open(db, trail, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// newStore gives a store in a new database, with a clock that stands still.
func newStore(t testing.TB) (*Store, *clock) {
	t.Helper()
	c := newClock()
	return openStore(t, openDB(t, filepath.Join(t.TempDir(), "meta.db")), c.now), c
}

func issue(t testing.TB, s *Store, spec Spec) (Key, Token) {
	t.Helper()
	if spec.Name == "" {
		spec.Name = "test"
	}
	key, token, err := s.Issue(t.Context(), spec)
	if err != nil {
		t.Fatalf("Issue(%+v): %v", spec, err)
	}
	return key, token
}

func mustGet(t testing.TB, s *Store, id string) Key {
	t.Helper()
	key, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustAuthenticate(t testing.TB, s *Store, token Token) Key {
	t.Helper()
	key, err := s.Authenticate(t.Context(), token.Reveal(), anywhere)
	if err != nil {
		t.Fatalf("Authenticate(%s): %v", token, err)
	}
	return key
}
