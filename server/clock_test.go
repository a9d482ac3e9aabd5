package server

import (
	"net/http"
	"testing"
	"time"

	"licensekit/auth"
	"licensekit/exporter/audit"
)

// The clock goes back by a day, over a restart too. What has an order keeps it,
// nothing is lost, and tokens, limits and idempotency hold.
func TestClockJumpsBack(t *testing.T) {
	t.Parallel()
	first := newSite(t)
	first.skew.Store(int64(24 * time.Hour))
	_, token := first.issue(t, auth.Spec{Scopes: []auth.Scope{auth.ReportExport}})
	first.ingest(t, "a,2026-01-01T00:00:00Z,usage.consumed,c,f,1")
	before := first.ready(t, jsonExport)
	keyed := func(s *site) answer {
		return s.do(t, call{method: "POST", path: exportsPath, token: token, body: jsonExport, header: map[string]string{"Idempotency-Key": "k", "Content-Type": "application/json"}})
	}
	known := keyed(first)
	first.skew.Store(0)
	first.ingest(t, "b,2026-01-01T00:00:00Z,usage.consumed,c,f,1")
	between := first.ready(t, jsonExport)
	first.shut(t)

	s := newSite(t, func(o *Options) { o.Data = first.opts.Data })
	s.skew.Store(-int64(24 * time.Hour))
	s.ingest(t, "c,2026-01-01T00:00:00Z,usage.consumed,c,f,1")
	after := s.ready(t, jsonExport)
	if again := keyed(s); again.status != known.status || again.header.Get("Location") != known.header.Get("Location") {
		t.Errorf("a known Idempotency-Key: %s; want %s", again, known)
	}
	if a := s.do(t, call{method: "GET", path: exportsPath, token: token}); a.status != http.StatusOK {
		t.Errorf("a token that will be issued tomorrow: %s; want status 200", a)
	}
	var list []exportData
	s.get(t, exportsPath).into(t, 200, &list)
	if len(list) != 4 || list[0].ID != after.ID || list[1].ID != between.ID || list[3].ID != before.ID {
		t.Errorf("exports %+v; want the newest first: %s, %s, one more, %s", list, after.ID, between.ID, before.ID)
	}
	for i := 1; i < len(list); i++ {
		newer, older := list[i-1], list[i]
		if *newer.AsOf < *older.AsOf || *newer.LogIndex <= *older.LogIndex {
			t.Errorf("%s is of sequence %d at place %d of the log, and %s after it %d at %d",
				older.ID, *older.AsOf, *older.LogIndex, newer.ID, *newer.AsOf, *newer.LogIndex)
		}
	}
	if *after.AsOf != 3 {
		t.Errorf("as_of of the last export: %d, want 3", *after.AsOf)
	}
	events, err := s.trail.After(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if e.Sequence != int64(i+1) {
			t.Errorf("event %d has the sequence %d", i+1, e.Sequence)
		}
	}
	if last := events[len(events)-1]; last.Type == audit.ServerStarted {
		t.Errorf("the last event is %+v, want what was done since", last)
	}
	var result struct {
		OK       bool
		Problems []any
	}
	s.do(t, call{method: "GET", path: "/api/v1/system/check", token: s.token(t, auth.Admin)}).into(t, 200, &result)
	if !result.OK {
		t.Errorf("check finds %v", result.Problems)
	}
	if a := s.do(t, call{method: "GET", path: "/readyz"}); a.status != http.StatusOK {
		t.Errorf("readyz: %s; want status 200", a)
	}
}
