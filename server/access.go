package server

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"licensekit/auth"
	"licensekit/exporter/audit"
)

// Access says who is believed to come from where, and who may ask how often.
// With the zero Access no proxy is believed and nobody is held back.
type Access struct {
	TrustedProxies  []netip.Prefix // whose word for a client's address counts; see package auth's ParseNetwork
	ForwardedHeader string         // in which they give it: X-Forwarded-For or Forwarded
	TokenRate       int            // requests a second that a token may make, in bursts of twice as many; 0 for any number
	LoginFailures   int            // failed logins a minute that an address may make; 0 for any number
	Connections     int            // at a time over the network; 0 for any number
}

// DefaultAccess believes no proxy, and holds nobody back who means well.
func DefaultAccess() Access {
	return Access{ForwardedHeader: XForwardedFor, TokenRate: 1000, LoginFailures: 30, Connections: 4096}
}

// gate lets callers in: it authenticates tokens, holds back who asks too often,
// and enters failed logins into the audit trail.
type gate struct {
	tokens   *auth.Store
	requests *throttle // by key
	failures *throttle // by address
	record   *audit.Tally
	metrics  *metrics
	failed   func(error) // is told what could not be recorded
	now      func() time.Time
}

// The bounds of what failed logins may write: so many events at once, and one
// more every so often. Beyond that they are counted together.
const (
	failureEvents = 50
	failureEvery  = 5 * time.Minute
)

func newGate(tokens *auth.Store, trail *audit.Trail, m *metrics, a Access, now func() time.Time, failed func(error)) *gate {
	return &gate{
		tokens: tokens, metrics: m, now: now, failed: failed,
		requests: newThrottle(rate.Limit(a.TokenRate), 2*a.TokenRate),
		failures: newThrottle(rate.Limit(a.LoginFailures)/60, a.LoginFailures),
		record:   audit.NewBoundedTally(trail, rate.NewLimiter(rate.Every(failureEvery), failureEvents), failed),
	}
}

// enter authenticates a token that is presented from an address, be it with a
// request or at a sign-in, and counts the request. Errors: those of
// [auth.Store.Authenticate], a *problem for who asks too often.
//
// A valid token is let in however many others failed from its address: nobody
// can lock its owner out, and nobody can guess its 256 bits.
func (g *gate) enter(ctx context.Context, token string, from netip.Addr) (auth.Key, error) {
	ctx = context.WithoutCancel(ctx) // who tries and hangs up has tried
	key, err := g.tokens.Authenticate(ctx, token, from)
	if err == nil {
		return key, g.admit(key)
	}
	if reason := reasonOf(err); reason != "" {
		g.note(ctx, err, reason, from)
		g.metrics.loginFailed(err)
		if wait := g.failures.take(neighbours(from), g.now()); wait > 0 {
			g.metrics.limited(limitLogins)
			return key, tooMany("too many failed logins from this address", wait)
		}
	}
	return key, err
}

// admit counts a request of a key that is known.
func (g *gate) admit(key auth.Key) error {
	if wait := g.requests.take(key.ID, g.now()); wait > 0 {
		g.metrics.limited(limitToken)
		return tooMany("this token makes too many requests", wait)
	}
	return nil
}

func tooMany(message string, wait time.Duration) *problem {
	seconds := int((wait + time.Second - 1) / time.Second)
	return &problem{status: 429, code: "TOO_MANY_REQUESTS", message: message,
		detail: fmt.Sprintf("try again in %d s", seconds), header: retryAfter(seconds)}
}

// reasonOf says why a login failed, for the audit trail; "" where none was
// tried or it could not be judged.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, auth.ErrMalformed):
		return "mistyped"
	case errors.Is(err, auth.ErrUnknown):
		return "unknown or revoked"
	case errors.Is(err, auth.ErrExpired):
		return "expired"
	case errors.Is(err, auth.ErrNetwork):
		return "network"
	}
	return ""
}

// note enters a failed login into the audit trail, with the key if it is known.
func (g *gate) note(ctx context.Context, err error, reason string, from netip.Addr) {
	e := audit.Event{
		Type: audit.LoginFailed, ResourceType: "api_key", Metadata: audit.Metadata{"reason": reason},
		Origin: audit.Origin{ActorType: audit.ByKey, ActorID: audit.Unknown, IPAddress: addressText(from), RequestID: requestIDOf(ctx)},
	}
	var refused *auth.RefusedError
	if errors.As(err, &refused) {
		e.ActorID, e.ResourceID = refused.KeyID, refused.KeyID
	}
	if err := g.record.Count(ctx, e); err != nil {
		g.failed(err)
	}
}

// neighbours names those whose failed logins count together: an IPv4 address,
// or an IPv6 /64, any address of which its owner can take.
func neighbours(from netip.Addr) string {
	from = from.Unmap().WithZone("")
	if from.Is6() {
		prefix, _ := from.Prefix(64) // 64 bits are never too many
		return prefix.String()
	}
	return from.String()
}

func addressText(from netip.Addr) string {
	if !from.IsValid() {
		return ""
	}
	return from.Unmap().String()
}
