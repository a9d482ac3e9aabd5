package auth

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"licensekit/exporter/audit"
)

// Key is an API key as the contract shows it. Times are UTC to the millisecond;
// a zero ExpiresAt means never, a zero LastUsedAt not yet.
type Key struct {
	ID           string         `json:"id"` // key_ and 26 characters
	Name         string         `json:"name"`
	Prefix       string         `json:"key_prefix"` // lkm_ and 8 characters
	Scopes       []Scope        `json:"scopes"`
	AllowedCIDRs []netip.Prefix `json:"allowed_cidrs"` // never nil; empty means everywhere
	Active       bool           `json:"is_active"`     // false once revoked; expiry leaves it true
	ExpiresAt    time.Time      `json:"expires_at,omitzero"`
	LastUsedAt   time.Time      `json:"last_used_at,omitzero"`
	CreatedAt    time.Time      `json:"created_at"`
}

// expired reports whether the key has ended; at ExpiresAt itself it has.
func (k Key) expired(now time.Time) bool {
	return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt)
}

// event tells the audit trail what was done to the key.
func (k Key) event(done audit.Type) audit.Event {
	said := audit.Metadata{"name": k.Name, "key_prefix": k.Prefix, "scopes": k.Scopes, "allowed_cidrs": k.AllowedCIDRs}
	if !k.ExpiresAt.IsZero() {
		said["expires_at"] = k.ExpiresAt
	}
	return audit.Event{Type: done, ResourceType: "api_key", ResourceID: k.ID, Metadata: said}
}

// Spec is what is asked of a new key.
type Spec struct {
	Name         string     `json:"name"`          // 1 to 128 bytes of UTF-8 without control characters
	Scopes       []Scope    `json:"scopes"`        // nil means admin; empty is refused
	AllowedCIDRs []string   `json:"allowed_cidrs"` // networks or single addresses; none means everywhere
	ExpiresAt    *time.Time `json:"expires_at"`    // nil means never
}

// FieldError reports a field of a [Spec] that can't be accepted.
type FieldError struct {
	Field   string // the contract's name: name, scopes, allowed_cidrs, expires_at
	Value   string // what was given
	Problem string // what is wrong with it, continuing "<field> <value>"
}

func (e *FieldError) Error() string { return fmt.Sprintf("%s %q: %s", e.Field, e.Value, e.Problem) }

// key checks the spec and makes the key that it asks for, all but the prefix.
// Errors: [*FieldError], of the first field that is wrong.
func (s Spec) key(now time.Time) (Key, error) {
	if problem := audit.NameProblem(s.Name); problem != "" {
		return Key{}, &FieldError{Field: "name", Value: s.Name, Problem: problem}
	}
	scopes, err := s.scopes()
	if err != nil {
		return Key{}, err
	}
	networks, err := parseNetworks(s.AllowedCIDRs)
	if err != nil {
		return Key{}, err
	}
	expires, err := s.expiry(now)
	if err != nil {
		return Key{}, err
	}
	return Key{
		ID:           "key_" + strings.ToLower(rand.Text()),
		Name:         s.Name,
		Scopes:       scopes,
		AllowedCIDRs: networks,
		Active:       true,
		ExpiresAt:    expires,
		CreatedAt:    now,
	}, nil
}

// scopes gives the valid scopes in the order asked for, without repeats.
func (s Spec) scopes() ([]Scope, error) {
	if s.Scopes == nil {
		return []Scope{Admin}, nil
	}
	if len(s.Scopes) == 0 {
		return nil, &FieldError{Field: "scopes", Problem: "must name at least one scope; leave it out for admin"}
	}
	var scopes []Scope
	for _, name := range s.Scopes {
		scope, err := ParseScope(string(name))
		if err != nil {
			return nil, err
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

// expiry gives the end of the key, or the zero time for never.
func (s Spec) expiry(now time.Time) (time.Time, error) {
	if s.ExpiresAt == nil {
		return time.Time{}, nil
	}
	expires := millis(*s.ExpiresAt)
	problem := ""
	switch {
	case !expires.After(now):
		problem = "must be in the future; it is now " + now.Format(time.RFC3339Nano)
	case expires.Year() > 9999: // RFC 3339 has four digits
		problem = "must be before the year 10000; leave it out for a key that never expires"
	}
	if problem != "" {
		return time.Time{}, &FieldError{Field: "expires_at", Value: expires.Format(time.RFC3339Nano), Problem: problem}
	}
	return expires, nil
}

// millis is an instant as this package keeps it.
func millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
