//go:build unix

package faults

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"licensekit/exporter"
)

// fact is something that a client was told is done.
type fact struct {
	at     time.Time // when the answer had come
	of     subject
	id     string
	text   string          // the row that was sent; the token
	export exporter.Export // as the server last showed it
	event  string          // the request, or the key, whose event the audit trail must have, "" if none
}

// subject is what a fact is about.
type subject string

const (
	activity subject = "activity"
	customer subject = "customer"
	export   subject = "export"
	token    subject = "token"
	revoked  subject = "revoked token"
	key      subject = "public key"
)

// book is what was acknowledged, in the order in which it was.
type book struct {
	mu    sync.Mutex
	facts []fact // guarded by mu
}

// note enters facts.
func (b *book) note(facts ...fact) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for _, f := range facts {
		f.at = now
		b.facts = append(b.facts, f)
	}
}

// all are the facts so far.
func (b *book) all() []fact {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.facts)
}

// about gives the facts about a subject; a later one about the same id takes the place of
// an earlier one.
func about(facts []fact, of subject) (selected []fact) {
	place := map[string]int{}
	for _, f := range facts {
		if f.of != of {
			continue
		}
		if at, known := place[f.id]; known {
			selected[at] = f
			continue
		}
		place[f.id] = len(selected)
		selected = append(selected, f)
	}
	return selected
}

// summary counts the facts.
func (b *book) summary() string {
	facts, text := b.all(), ""
	for _, of := range []subject{activity, customer, export, token, revoked, key} {
		text += fmt.Sprintf(", %d of %s", len(about(facts, of)), of)
	}
	return "acknowledged" + text
}
