package auth

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func TestAuthenticate(t *testing.T) {
	store, c := newStore(t)
	expires := c.now().Add(time.Hour)
	_, open := issue(t, store, Spec{Name: "open"})
	_, netted := issue(t, store, Spec{Name: "netted", AllowedCIDRs: []string{"192.0.2.0/24", "2001:db8::/32", "fe80::/10"}})
	_, ending := issue(t, store, Spec{Name: "ending", ExpiresAt: &expires})
	_, both := issue(t, store, Spec{Name: "both", ExpiresAt: &expires, AllowedCIDRs: []string{"192.0.2.1"}})
	revokedKey, revoked := issue(t, store, Spec{Name: "revoked"})
	if err := store.Revoke(t.Context(), revokedKey.ID); err != nil {
		t.Fatal(err)
	}
	typo := []byte(open.Reveal())
	typo[20], typo[21] = '0', '1'
	c.advance(time.Hour)

	for name, test := range map[string]struct {
		token string
		from  string // "" for a local socket
		want  error
	}{
		"open":              {open.Reveal(), "203.0.113.7", nil},
		"open, socket":      {open.Reveal(), "", nil},
		"missing":           {"", "203.0.113.7", ErrMissing},
		"mistyped":          {string(typo), "203.0.113.7", ErrMalformed},
		"unknown":           {newToken().Reveal(), "203.0.113.7", ErrUnknown},
		"revoked":           {revoked.Reveal(), "203.0.113.7", ErrUnknown},
		"expired":           {ending.Reveal(), "203.0.113.7", ErrExpired},
		"network":           {netted.Reveal(), "192.0.2.200", nil},
		"network, v6":       {netted.Reveal(), "2001:db8:9::1", nil},
		"network, mapped":   {netted.Reveal(), "::ffff:192.0.2.200", nil},
		"network, zone":     {netted.Reveal(), "fe80::1%eth0", nil},
		"wrong network":     {netted.Reveal(), "192.0.3.1", ErrNetwork},
		"wrong v6 network":  {netted.Reveal(), "2001:db9::1", ErrNetwork},
		"wrong, mapped":     {netted.Reveal(), "::ffff:192.0.3.1", ErrNetwork},
		"netted, socket":    {netted.Reveal(), "", ErrNetwork},
		"network first":     {both.Reveal(), "192.0.2.2", ErrNetwork},
		"then the end":      {both.Reveal(), "192.0.2.1", ErrExpired},
		"mistyped, not net": {netted.Reveal()[1:], "192.0.3.1", ErrMalformed},
	} {
		var from netip.Addr
		if test.from != "" {
			from = netip.MustParseAddr(test.from)
		}
		key, err := store.Authenticate(t.Context(), test.token, from)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
		if (key.ID == "") != (test.want != nil) {
			t.Errorf("%s: key %q with error %v", name, key.ID, err)
		}
	}
}

func TestKeyWorksUntilItsEnd(t *testing.T) {
	store, c := newStore(t)
	expires := c.now().Add(time.Second)
	_, token := issue(t, store, Spec{ExpiresAt: &expires})
	c.advance(time.Second - time.Millisecond)
	mustAuthenticate(t, store, token)
	c.advance(time.Millisecond)
	if _, err := store.Authenticate(t.Context(), token.Reveal(), anywhere); !errors.Is(err, ErrExpired) {
		t.Errorf("at expires_at: error %v, want %v", err, ErrExpired)
	}
}

// Whoever holds a token learns nothing of its past: also not when the revoked
// key had expired, or was used from elsewhere.
func TestRevokedLooksUnknown(t *testing.T) {
	store, c := newStore(t)
	expires := c.now().Add(time.Second)
	key, token := issue(t, store, Spec{ExpiresAt: &expires, AllowedCIDRs: []string{"192.0.2.1"}})
	if err := store.Revoke(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Hour)
	_, revoked := store.Authenticate(t.Context(), token.Reveal(), anywhere)
	_, unknown := store.Authenticate(t.Context(), newToken().Reveal(), anywhere)
	if revoked != ErrUnknown || unknown != ErrUnknown {
		t.Errorf("revoked: %v, unknown: %v; want %v for both, with nothing around it", revoked, unknown, ErrUnknown)
	}
}

func TestAuthenticateDoesNotWaitForAWriter(t *testing.T) {
	store, _ := newStore(t)
	_, token := issue(t, store, Spec{})
	before, undone := lastCommit(t, store), errors.New("undone")
	err := store.db.Update(func(*bbolt.Tx) error {
		for range 100 {
			mustAuthenticate(t, store, token)
		}
		return undone
	})
	if err != undone {
		t.Fatal(err)
	}
	if after := lastCommit(t, store); after != before {
		t.Errorf("authenticating committed transaction %d, want %d still the last", after, before)
	}
}

func lastCommit(t *testing.T, s *Store) (number int) {
	t.Helper()
	if err := s.db.View(func(tx *bbolt.Tx) error { number = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return number
}

func BenchmarkAuthenticate(b *testing.B) {
	store, _ := newStore(b)
	var tokens []string
	for range 20 {
		_, token := issue(b, store, Spec{Scopes: []Scope{ReportRead, ReportExport}, AllowedCIDRs: []string{"192.0.2.0/24", "203.0.113.0/24"}})
		tokens = append(tokens, token.Reveal())
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := store.Authenticate(b.Context(), tokens[i%len(tokens)], anywhere); err != nil {
			b.Fatal(err)
		}
	}
}

// Who signed in with a token is let in again for as long as the token is.
func TestResumeFollowsTheToken(t *testing.T) {
	store, c := newStore(t)
	expires := c.now().Add(time.Hour)
	key, token := issue(t, store, Spec{AllowedCIDRs: []string{"203.0.113.0/24"}, ExpiresAt: &expires, Scopes: []Scope{ReportRead}})
	check := func(when string, from netip.Addr, want error) {
		t.Helper()
		resumed, err := store.Resume(t.Context(), key.ID, from)
		if _, asToken := store.Authenticate(t.Context(), token.Reveal(), from); !errors.Is(err, want) || !errors.Is(asToken, want) {
			t.Errorf("%s: Resume gives error %v, Authenticate %v; want %v of both", when, err, asToken, want)
		}
		if want == nil && (resumed.ID != key.ID || !resumed.Allows(ReportRead) || resumed.Allows(Admin) || !resumed.LastUsedAt.Equal(millis(c.now()))) {
			t.Errorf("%s: Resume gives %+v, want key %s with its scopes and this use", when, resumed, key.ID)
		}
	}
	check("at first", anywhere, nil)
	c.advance(time.Minute)
	check("later", anywhere, nil)
	check("from elsewhere", netip.MustParseAddr("192.0.2.1"), ErrNetwork)
	check("over a socket", netip.Addr{}, ErrNetwork)
	c.advance(time.Hour)
	check("at its end", anywhere, ErrExpired)
	if err := store.Revoke(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	check("revoked", anywhere, ErrUnknown)
	if _, err := store.Resume(t.Context(), "key_gone", anywhere); err != ErrUnknown {
		t.Errorf("Resume of no key: error %v, want %v", err, ErrUnknown)
	}
}
