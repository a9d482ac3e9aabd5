package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"licensekit/auth"
	"licensekit/exporter/audit"
	"licensekit/exporter/ledger"
	"licensekit/exporter/ledger/intake"
)

// eventData is an event as a client sees it.
type eventData struct {
	Sequence     int64
	Type         string `json:"event_type"`
	ActorType    string `json:"actor_type"`
	ActorID      string `json:"actor_id"`
	IP           string `json:"ip_address"`
	RequestID    string `json:"request_id"`
	ResourceType string `json:"resource_type"`
	ResourceID   string `json:"resource_id"`
	Metadata     map[string]any
}

// events reads the trail, newest first.
func (s *site) events(t *testing.T, query string) (events []eventData) {
	t.Helper()
	s.do(t, call{method: "GET", path: "/api/v1/events?limit=200&" + query, token: s.token(t, auth.EventRead)}).into(t, 200, &events)
	return events
}

// lastEvent is the newest event's sequence.
func (s *site) lastEvent(t *testing.T) int64 {
	t.Helper()
	page, _, err := s.trail.List(t.Context(), audit.Query{Limit: 1})
	if err != nil || len(page) == 0 {
		t.Fatalf("the trail holds %+v, %v; want some event", page, err)
	}
	return page[0].Sequence
}

// only gives the one event of a type.
func (s *site) only(t *testing.T, what string) eventData {
	t.Helper()
	events := s.events(t, "event_type="+what)
	if len(events) != 1 {
		t.Fatalf("%s: %d events, want 1: %+v", what, len(events), events)
	}
	return events[0]
}

// by checks who did it, and over which request.
func (e eventData) by(t *testing.T, key auth.Key, a answer) eventData {
	t.Helper()
	if e.ActorType != "api_key" || e.ActorID != key.ID || e.IP != "127.0.0.1" || e.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("event %+v, want it by key %s from 127.0.0.1 over request %s", e, key.ID, a.header.Get("X-Request-Id"))
	}
	return e
}

// says checks metadata, as JSON shows it.
func (e eventData) says(t *testing.T, want map[string]any) eventData {
	t.Helper()
	for name, value := range want {
		if got := e.Metadata[name]; fmt.Sprint(got) != fmt.Sprint(value) {
			t.Errorf("event %+v: metadata.%s is %v, want %v", e, name, got, value)
		}
	}
	return e
}

func TestKeysAreRecorded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin, token := s.issue(t, auth.Spec{})
	a := s.do(t, call{method: "POST", path: "/api/v1/api-keys", token: token,
		body: `{"name":"billing","scopes":["report:read"],"allowed_cidrs":["10.0.0.0/8"],"expires_at":"2099-01-01T00:00:00Z"}`})
	id, secret := remember(t, a)
	made := s.events(t, "event_type=api_key.created&resource_id="+id)
	if len(made) != 1 {
		t.Fatalf("created: %+v, want one event", made)
	}
	made[0].by(t, admin, a).says(t, map[string]any{"name": "billing", "scopes": "[report:read]", "allowed_cidrs": "[10.0.0.0/8]", "expires_at": "2099-01-01T00:00:00Z"})
	a = s.do(t, call{method: "DELETE", path: "/api/v1/api-keys/" + id, token: token})
	s.do(t, call{method: "DELETE", path: "/api/v1/api-keys/" + id, token: token}) // changes nothing
	s.only(t, "api_key.revoked").by(t, admin, a).says(t, map[string]any{"name": "billing"})
	trail := s.do(t, call{method: "GET", path: "/api/v1/events", token: s.token(t, auth.EventRead)})
	if bytes.Contains(trail.body, []byte(secret[len("lkm_")+8:])) {
		t.Errorf("the trail shows a token: %s", trail)
	}
}

func TestExportsAreRecorded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key, token := s.issue(t, auth.Spec{Scopes: []auth.Scope{auth.ReportExport}})
	var x exportData
	a := s.do(t, call{method: "POST", path: exportsPath, token: token, body: `{"report_kind":"usage-summary","filters":{"customer_id":"c"}}`})
	a.into(t, 201, &x)
	s.only(t, "report_export.created").by(t, key, a).says(t, map[string]any{"report_kind": "usage-summary", "format": "json", "filters": "map[customer_id:c group_by:[product_id feature_code]]"})
	ready := s.only(t, "report_export.ready").says(t, map[string]any{"artifact_digest": x.ArtifactDigest, "log_index": 0, "created_by": key.ID})
	if ready.ActorType != "system" || ready.ActorID != "server" || ready.ResourceID != x.ID {
		t.Errorf("ready: %+v, want it of %s by the server", ready, x.ID)
	}
	story := s.events(t, "resource_type=report_export&resource_id="+x.ID)
	if len(story) != 2 || story[0].Sequence < story[1].Sequence {
		t.Errorf("the export's story %+v, want two events, newest first", story)
	}
}

// A thousand ranges are two events, and a client that has the file none.
func TestDownloadsAreRecorded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	x := s.ready(t, jsonExport)
	key, token := s.issue(t, auth.Spec{Scopes: []auth.Scope{auth.ReportExport}})
	get := func(method, path string, header map[string]string, status int) answer {
		t.Helper()
		a := s.do(t, call{method: method, path: exportsPath + "/" + x.ID + path, token: token, header: header})
		if a.status != status {
			t.Fatalf("%s; want status %d", a, status)
		}
		return a
	}
	get("HEAD", "/download", nil, 200)
	get("HEAD", "/bundle", nil, 200)
	get("GET", "/download", map[string]string{"If-None-Match": `"` + x.ArtifactDigest + `"`}, 304)
	get("GET", "/download", map[string]string{"Range": "bytes=999999-"}, 416)
	if events := s.events(t, "actor_type=api_key&event_type=report_export.downloaded"); len(events) != 0 {
		t.Errorf("nothing was downloaded, and there are %+v", events)
	}
	first := get("GET", "/download", map[string]string{"Range": "bytes=0-9"}, 206)
	for range 20 {
		get("GET", "/download", map[string]string{"Range": "bytes=0-9"}, 206)
	}
	s.only(t, "report_export.downloaded").by(t, key, first).says(t, map[string]any{"artifact_digest": x.ArtifactDigest, "whole": false})
	bundle := get("GET", "/bundle", nil, 200)
	s.only(t, "report_export.bundle_downloaded").by(t, key, bundle)
	if err := s.reads.Close(); err != nil {
		t.Fatal(err)
	}
	events := s.events(t, "event_type=report_export.downloaded")
	if len(events) != 2 {
		t.Fatalf("downloads %+v, want the first and the number of the others", events)
	}
	events[0].says(t, map[string]any{"repeats": 20})
}

func TestImportsAreRecorded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key, token := s.issue(t, auth.Spec{Scopes: []auth.Scope{auth.ReportWrite}})
	send := func(path, body string, status int) answer {
		t.Helper()
		a := s.do(t, call{method: "POST", path: path, token: token, body: body, header: map[string]string{"Content-Type": "text/csv"}})
		if a.status != status {
			t.Fatalf("%s; want status %d", a, status)
		}
		return a
	}
	const head = "id,occurred_at,action,amount\n"
	const row = "e1,2026-01-01T00:00:00Z,usage.consumed,1\n"
	send(activitiesPath+"?dry_run=true", head+row, 200)
	send(activitiesPath+"?atomic=true", head+row+"e2,bad,usage.consumed,1\n", 422)
	send(activitiesPath, "no,such,columns\n", 422)
	if events := s.events(t, "event_type=activities.imported"); len(events) != 0 {
		t.Errorf("nothing was imported, and there are %+v", events)
	}
	a := send(activitiesPath+"?file_name=usage+%C3%BC.csv", head+row+row+"e1,2026-01-01T00:00:00Z,usage.consumed,2\ne3,bad,usage.consumed,1\n", 200)
	s.only(t, "activities.imported").by(t, key, a).says(t, map[string]any{
		"object": "activities", "mode": "batches", "complete": true, "file_name": "usage ü.csv", "accepted": 1, "duplicates": 1, "conflicts": 1, "rejected": 1,
	})
	send("/api/v1/records/customers?atomic=true", "id,name\nc,C\n", 200)
	if e := s.only(t, "records.imported").says(t, map[string]any{"mode": "atomic", "accepted": 1}); e.ResourceType != "customers" {
		t.Errorf("of records: %+v, want resource_type customers", e)
	}
	s.do(t, call{method: "POST", path: activitiesPath + "?file_name=a%00b", token: token, body: "x"}).want(t, 400, "INVALID_QUERY")
}

// An import that breaks half way is recorded with what went in.
func TestBrokenImportIsRecorded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.cut(t, activitiesPath, auth.ReportWrite, "text/csv", csvBody, 1_000_000).want(t, 422, "TRUNCATED_FILE")
	s.only(t, "activities.imported").says(t, map[string]any{"complete": false, "accepted": 2})
}

// One that a crash cuts short between two batches is recorded at the next
// start, with what was in by then.
func TestInterruptedImportIsRecorded(t *testing.T) {
	t.Parallel()
	first := openSite(t)
	i := &importing{Ledger: first.ledger, trail: first.trail, object: intake.Activities, mode: batches, id: "req_cut"}
	rows := csvBody + strings.Repeat("e9,2026-01-01T00:00:00Z,usage.consumed,9\n", 10)
	opts := intake.Options{Object: intake.Activities, Format: intake.CSV, Limits: intake.Limits{BatchRows: 2}}
	body := io.MultiReader(strings.NewReader(rows), iotest.ErrReader(errors.New("the power went")))
	_, err := i.run(t.Context(), func(sink ledger.Appender) (intake.Result, error) {
		return intake.Read(t.Context(), body, opts, sink, nil)
	})
	if err == nil {
		t.Fatal("the import succeeded, and its body did not")
	}
	// The same without the end that run gives it.
	err = i.Keep(t.Context(), intake.Middle, 1, func(ledger.Appender) (intake.Result, error) {
		return intake.Result{Accepted: 200_000, Duplicates: 7}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(o *Options) { o.Data = first.opts.Data })
	events := s.events(t, "event_type=activities.imported")
	if len(events) != 2 {
		t.Fatalf("imports %+v, want both", events)
	}
	events[0].says(t, map[string]any{"interrupted": true, "complete": false, "accepted": 200_000, "duplicates": 7})
	events[1].says(t, map[string]any{"interrupted": nil, "complete": false})
}

func TestOwnAndSystemEvents(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	listener, dial := InProcess()
	s.serve(t, listener)
	owner := s.owned(dial)
	started := s.only(t, "server.started").says(t, map[string]any{"version": "test", "addresses": []string{s.address}})
	if started.ActorType != "system" || started.ActorID != "server" || started.IP != "" {
		t.Errorf("started: %+v, want it by the server", started)
	}
	a := owner.do(t, call{method: "POST", path: "/api/v1/system/keys/rotate"})
	rotated := s.only(t, "signing_key.rotated").says(t, map[string]any{"log_index": 0})
	if rotated.ActorType != "system" || rotated.ActorID != "owner" || rotated.RequestID != a.header.Get("X-Request-Id") || rotated.ResourceID != s.Key().ID() {
		t.Errorf("rotated: %+v, want it by the owner to key %s", rotated, s.Key().ID())
	}
	owner.do(t, call{method: "GET", path: "/api/v1/system/check"})
	s.only(t, "directory.checked").says(t, map[string]any{"ok": true, "problems": 0})
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	events, err := s.Trail().After(t.Context(), 0, 100)
	if last := events[len(events)-1]; err != nil || last.Type != "server.stopped" || last.Metadata["interrupted"] != nil {
		t.Errorf("last event %+v, %v; want an orderly stop", last, err)
	}
}

// What a crash cut short is told at the next start.
func TestCrashIsRecorded(t *testing.T) {
	t.Parallel()
	first := openSite(t)
	l, err := ListenTCP("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	first.recordStart([]Listener{l}) // and never its end
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(o *Options) { o.Data = first.opts.Data })
	s.only(t, "server.stopped").says(t, map[string]any{"interrupted": true})
}

func TestEventsQuery(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 5 {
		s.issue(t, auth.Spec{})
	}
	token := s.token(t, auth.EventRead)
	var sequences []int64
	path := "/api/v1/events?event_type=api_key.created&limit=2"
	for cursor := ""; ; {
		var page []eventData
		next := s.do(t, call{method: "GET", path: path + cursor, token: token}).into(t, http.StatusOK, &page)
		for _, e := range page {
			sequences = append(sequences, e.Sequence)
		}
		if next == nil {
			break
		}
		cursor = fmt.Sprintf("&cursor=%d", *next)
	}
	if len(sequences) != 6 || !slices.IsSortedFunc(sequences, func(a, b int64) int { return int(b - a) }) {
		t.Errorf("paged through %v, want 6 events, newest first", sequences)
	}
	for query, want := range map[string]string{
		"actor_type=root": `actor_type "root" must be one of api_key, `, "limit=0": "limit", "cursor=x": "cursor", "event_type=": "empty", "kind=x": "unknown parameter",
	} {
		a := s.do(t, call{method: "GET", path: "/api/v1/events?" + query, token: token}).want(t, 400, "INVALID_QUERY")
		if !strings.Contains(a.err(t).Detail, want) {
			t.Errorf("%s: detail %q, want one with %q", query, a.err(t).Detail, want)
		}
	}
}
