package server

import (
	"fmt"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"licensekit/auth"
)

// wait gives the seconds of Retry-After, which a 429 must have.
func (a answer) wait(t *testing.T) int {
	t.Helper()
	seconds, err := strconv.Atoi(a.want(t, 429, "TOO_MANY_REQUESTS").header.Get("Retry-After"))
	if err != nil || seconds < 1 {
		t.Errorf("%s: Retry-After %q, want some seconds", a, a.header.Get("Retry-After"))
	}
	return seconds
}

// Who fails too often is told to wait, whatever was wrong, and a valid token
// from the same address is let in all the same.
func TestFailedLoginsAreHeldBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.Access = Access{LoginFailures: 4} })
	token, tries := s.token(t, auth.Admin), 0
	strangers := s.strangers(t)
	delete(strangers, "missing")
	var last answer
	for range 2 {
		for who, stranger := range strangers {
			a := s.do(t, call{method: "GET", path: "/api/v1/api-keys", token: stranger})
			if tries++; tries <= 4 {
				a.want(t, 401, "UNAUTHORIZED")
			} else if last = a; a.wait(t) > 15 {
				t.Errorf("%s: %s; Retry-After %s, want at most a fourth of a minute", who, a, a.header.Get("Retry-After"))
			}
		}
	}
	s.do(t, call{method: "GET", path: "/api/v1/api-keys"}).want(t, 401, "UNAUTHORIZED") // no login at all
	if a := s.do(t, call{method: "GET", path: "/api/v1/api-keys", token: token}); a.status != 200 {
		t.Errorf("a valid token: %s; want status 200", a)
	}
	s.skew.Add(int64(time.Duration(last.wait(t)) * time.Second))
	s.do(t, call{method: "GET", path: "/api/v1/api-keys", token: strangers["unknown"]}).want(t, 401, "UNAUTHORIZED")
}

func TestTokensAreHeldBack(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(o *Options) { o.Access = Access{TokenRate: 2} })
	listener, dial := InProcess()
	s.serve(t, listener)
	_, busy := s.issue(t, auth.Spec{})
	_, other := s.issue(t, auth.Spec{Scopes: []auth.Scope{auth.ReportRead}})
	refused, began := 0, time.Now()
	for range 12 {
		if a := s.do(t, call{method: "GET", path: "/api/v1/api-keys", token: busy}); a.status != 200 {
			a.wait(t)
			refused++
		}
	}
	// Four at once, and two more for each second that this took.
	if most := 4 + 2*(time.Since(began).Seconds()+1); float64(12-refused) > most {
		t.Errorf("%d of 12 requests were refused, want at least %.0f", refused, 12-most)
	}
	s.do(t, call{method: "GET", path: "/api/v1/api-keys", token: other}).want(t, 403, "TOKEN_SCOPE_DENIED")
	for range 12 {
		if a := s.owned(dial).do(t, call{method: "GET", path: "/api/v1/api-keys"}); a.status != 200 {
			t.Errorf("the owner: %s; want status 200", a)
		}
	}
	s.skew.Add(int64(time.Minute))
	if a := s.do(t, call{method: "GET", path: "/api/v1/api-keys", token: busy}); a.status != 200 {
		t.Errorf("a minute later: %s; want status 200", a)
	}
}

// A flood of failed logins from everywhere takes bounded room in the trail.
func TestFailedLoginsAreRecorded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	strangers := s.strangers(t)
	began := s.opts.Now()
	key, expired := s.issue(t, auth.Spec{ExpiresAt: ptr(began.Add(time.Minute))})
	s.skew.Add(int64(time.Hour))
	a := s.do(t, call{method: "GET", path: exportsPath, token: expired}).want(t, 401, "UNAUTHORIZED")
	s.only(t, "authentication.failed").by(t, key, a).says(t, map[string]any{"reason": "expired"})
	for i := range 1000 {
		from := netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
		if _, err := s.gate.enter(t.Context(), strangers["unknown"], from); err == nil {
			t.Fatal("an unknown token was let in")
		}
	}
	if err := s.gate.record.Close(); err != nil {
		t.Fatal(err)
	}
	events := s.events(t, "event_type=authentication.failed")
	if got, most := len(events), failureEvents+1; got != most {
		t.Errorf("1001 failed logins made %d events, want %d", got, most)
	}
	events[0].says(t, map[string]any{"repeats": 1000 - (failureEvents - 1)})
	if got, want := fmt.Sprint(events[1].ActorID, events[1].ResourceID), "unknown"; got != want {
		t.Errorf("by %q, want %q: nobody knows whose token it was", got, want)
	}
}

func ptr[T any](value T) *T { return &value }

// Neighbours in IPv6 count as one, for anybody has 2^64 addresses there.
func TestNeighbours(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::/64", "2001:db8::ff:1": "2001:db8::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := neighbours(netip.MustParseAddr(text)); got != want {
			t.Errorf("neighbours(%s) = %s, want %s", text, got, want)
		}
	}
	if got := neighbours(netip.Addr{}); got != "invalid IP" {
		t.Errorf("neighbours of nobody = %q", got)
	}
}
