package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The bounds of a [Memory]: summaries that it knows, groups in each of them, and
// groups in all, each of some hundred bytes. Tests make them smaller.
var (
	knownSummaries = 100
	knownGroups    = 50_000
	knownInAll     = 200_000
)

// Memory knows what recent summaries of one ledger came to, so that the next one
// of the same filters reads only what was accepted since: activities never change
// once they are accepted, so it is the same as one that reads them all. Summaries
// of many groups are not kept. Its methods may be called at the same time.
type Memory struct {
	mu    sync.Mutex
	known map[string]*summary // by filters; guarded by mu
	turn  uint64              // counts the readings; guarded by mu
}

// summary is what the memory knows of some filters.
type summary struct {
	turn uint64 // of its last reading; guarded by Memory.mu
	size int    // groups; guarded by Memory.mu

	mu      sync.Mutex
	groups  *groups // of all activities up to asOf, nil for none; guarded by mu
	asOf    int64   // guarded by mu
	tooMany bool    // groups, so they are not kept; guarded by mu
}

// of gives what is known of some filters, nothing at first. What was not read
// for the longest time makes room.
func (m *Memory) of(filters string) *summary {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn++
	s := m.known[filters]
	if s == nil {
		if m.known == nil {
			m.known = map[string]*summary{}
		}
		if len(m.known) == knownSummaries {
			m.forgetOldest()
		}
		s = &summary{}
		m.known[filters] = s
	}
	s.turn = m.turn
	return s
}

// forgetOldest is called with mu held.
func (m *Memory) forgetOldest() {
	oldest, least := "", m.turn+1
	for filters, s := range m.known {
		if s.turn < least {
			oldest, least = filters, s.turn
		}
	}
	delete(m.known, oldest)
}

// weigh notes how much is known of a summary, and forgets others if that is too
// much in all.
func (m *Memory) weigh(s *summary, size int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.size = size
	for len(m.known) > 1 && m.size() > knownInAll {
		m.forgetOldest()
	}
}

// size is called with mu held.
func (m *Memory) size() (groups int) {
	for _, s := range m.known {
		groups += s.size
	}
	return groups
}

// summary gives the rows of a usage summary. anew computes them without a memory.
func (m *Memory) summary(ctx context.Context, source Source, f Filters, anew Rows) (Rows, error) {
	key, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("name a summary: %w", err)
	}
	zone, err := f.Location()
	if err != nil {
		return nil, err
	}
	return func(yield func(Batch, error) bool) {
		if !m.recall(ctx, source, f, zone, string(key), yield) {
			anew(yield)
		}
	}, nil
}

// recall yields the rows of a usage summary, or the error of reading what is new,
// and tells whether it could: what it doesn't know, many may compute at once.
func (m *Memory) recall(ctx context.Context, source Source, f Filters, zone *time.Location, key string, yield func(Batch, error) bool) bool {
	s := m.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	known, err := s.follow(ctx, source, f, zone)
	switch {
	case err != nil:
		yield(nil, err)
	case known:
		m.weigh(s, s.groups.size)
		s.groups.rows(yield)
	}
	return known || err != nil
}

// follow adds what the source has beyond what is known. It tells whether that is
// now the source's state: an older one has less, and many groups are not kept.
func (s *summary) follow(ctx context.Context, source Source, f Filters, zone *time.Location) (known bool, err error) {
	if s.tooMany {
		return false, nil
	}
	if s.groups == nil {
		s.groups, s.asOf = summaryGroups(f, zone), 0
		s.groups.limit = min(knownGroups, s.groups.limit)
	}
	now := source.Sequence()
	if now < s.asOf {
		return false, nil
	}
	if now == s.asOf {
		return true, nil
	}
	match := f.usage()
	match.Above = s.asOf
	if err = scan(ctx, source, match, s.groups); err != nil {
		s.groups = nil // a part may have been added
		s.tooMany = errors.Is(err, ErrTooManyGroups)
		if s.tooMany {
			err = nil
		}
		return false, err
	}
	s.asOf = now
	return true, nil
}
