// Package webhook tells others what happened: it follows the audit trail and
// sends its events to the endpoints that want them, signed, in LicenseKit's
// manner.
//
// # Promises
//
//   - Every event that an endpoint asks for is sent to it at least once, in the
//     order of the trail, one after the other; where it stands is on the disk, so
//     that a crash or a restart leaves nothing out. What is sent again carries the
//     same delivery id.
//   - A delivery that fails is tried again, [Attempts] times over about a day,
//     later each time, or when Retry-After says so. Then it is given up, and the
//     next event has its turn. No endpoint waits for another.
//   - What was given up can be sent again, and what was received too, as long as
//     the history has it: see [Courier.Replay].
//   - An endpoint that is paused misses nothing: it is told later.
//   - A request goes to public addresses and to networks that were allowed, and to
//     none else, whatever a name resolves to at that moment: the address is looked
//     at when the connection is made. Redirects are not followed, proxies not used,
//     and of an answer nothing is kept but its status.
//   - Secrets are shown once, when they are made, and stand in no log, list or
//     event; URLs, which may carry one, in no log and no event.
//
// # Refusals
//
// Receivers may get an event twice, and compare delivery ids; a replay comes with
// the same id and body, after events that are newer. Deliveries are no events of
// the trail themselves, replays are. The last [History] of an endpoint are kept. A
// secret must be known to sign with it: it stands in the database, and so in
// backups.
//
// # A request
//
// A delivery is a POST of the event as GET /api/v1/events shows it, with
//
//	X-Locksmith-Delivery-ID     whd_ and 26 characters: the same for every attempt
//	X-Locksmith-Event-Sequence  the event's sequence; 0 for a test
//	X-Locksmith-Event-Type      its type
//	X-Locksmith-Signature       t=<timestamp>,v1=<signature>
//
// The timestamp is that of the attempt, in seconds since the epoch; the
// signature is the HMAC-SHA256, in lower-case hex, over
//
//	<timestamp>.<delivery id>.<body>
//
// whose key is the secret as it is written, whsec_ included. An answer of 200 to
// 299 is a receipt.
//
// # Storage
//
// Three buckets of the database belong to this package, all of sealed values
// (see package sealed):
//
//	webhooks             endpoint id           the endpoint, its secret
//	webhooks.positions   endpoint id           how far it has come in the trail
//	webhooks.deliveries  endpoint id, NUL,     a delivery
//	                     sequence big-endian
package webhook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"licensekit/exporter/audit"
)

// The limits of endpoints.
const (
	maxTypes     = 100
	maxEndpoints = 100
)

// Endpoint is where events are sent, as the contract shows it. Times are UTC to
// the millisecond.
type Endpoint struct {
	ID             string       `json:"id"` // whe_ and 26 characters
	Name           string       `json:"name"`
	URL            string       `json:"url"`
	SecretPrefix   string       `json:"secret_prefix"`
	EventTypes     []audit.Type `json:"event_types"` // never nil; empty means all
	Active         bool         `json:"is_active"`
	LastDeliveryAt time.Time    `json:"last_delivery_at,omitzero"` // the last that was received
	CreatedAt      time.Time    `json:"created_at"`
	UpdatedAt      time.Time    `json:"updated_at"`
}

// wants tells whether the endpoint asks for an event.
func (e Endpoint) wants(event audit.Event) bool {
	return len(e.EventTypes) == 0 || slices.Contains(e.EventTypes, event.Type)
}

// Change is what is asked of an endpoint; what is nil stays as it is. A new one
// has a name and a URL, and by default all events, a new secret, and is active.
type Change struct {
	Name       *string
	URL        *string
	EventTypes *[]audit.Type // empty for all
	Secret     *string       // in place of one that is made
	Rotate     bool          // make a new secret
	Active     *bool
}

// FieldError reports a field of a [Change] that can't be accepted.
type FieldError struct {
	Field   string // the contract's name
	Problem string // what is wrong, continuing the field's name
}

func (e *FieldError) Error() string { return e.Field + " " + e.Problem }

// apply checks the change and makes it. changed names what it was about.
func (c Change) apply(r *record, may networks) (changed []string, err error) {
	fields := []struct {
		name  string
		given bool
		set   func() error
	}{
		{"name", c.Name != nil, func() error { r.Name = *c.Name; return checkName(r.Name) }},
		{"url", c.URL != nil, func() error { r.URL = *c.URL; return may.checkURL(r.URL) }},
		{"event_types", c.EventTypes != nil, func() (err error) { r.EventTypes, err = checkTypes(*c.EventTypes); return err }},
		{"secret", c.Secret != nil || c.Rotate, func() error { return c.setSecret(r) }},
		{"is_active", c.Active != nil, func() error { r.Active = *c.Active; return nil }},
	}
	for _, f := range fields {
		if !f.given {
			continue
		}
		if err := f.set(); err != nil {
			return nil, err
		}
		changed = append(changed, f.name)
	}
	return changed, nil
}

func (c Change) setSecret(r *record) error {
	if c.Rotate && c.Secret != nil {
		return &FieldError{"rotate_secret", "makes a secret: leave out secret"}
	}
	if c.Rotate {
		r.Secret = newSecret()
	} else if err := checkSecret(*c.Secret); err != nil {
		return err
	} else {
		r.Secret = *c.Secret
	}
	r.SecretPrefix = publicPart(r.Secret)
	return nil
}

func checkName(name string) error {
	if problem := audit.NameProblem(name); problem != "" {
		return &FieldError{"name", problem}
	}
	return nil
}

// checkTypes gives the types without repeats. One that no event has is taken: a
// client may ask for events of LicenseKit that do not come to pass here.
func checkTypes(types []audit.Type) ([]audit.Type, error) {
	if len(types) > maxTypes {
		return nil, &FieldError{"event_types", fmt.Sprintf("has %d types, of at most %d; leave it empty for all", len(types), maxTypes)}
	}
	all := []audit.Type{}
	for _, t := range types {
		what, done, ok := strings.Cut(string(t), ".")
		if !ok || !isWord(what) || !isWord(done) {
			return nil, &FieldError{"event_types", fmt.Sprintf("has %q, which is no type such as %s", t, audit.ExportReady)}
		}
		if !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all, nil
}

func isWord(text string) bool {
	return text != "" && len(text) <= 64 && !strings.ContainsFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' })
}
