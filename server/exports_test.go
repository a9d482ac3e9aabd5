package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"licensekit/auth"
	"licensekit/exporter"
	"licensekit/exporter/report"
)

// exportData is an export as a client sees it.
type exportData struct {
	ID             string
	Kind           string `json:"report_kind"`
	Format, Status string
	Filters        map[string]any
	Digest         string
	ArtifactDigest string `json:"artifact_digest"`
	ContentType    string `json:"content_type"`
	CreatedBy      string `json:"created_by"`
	DownloadURL    string `json:"download_url"`
	AsOf           *int64 `json:"as_of"`
	RowCount       *int64 `json:"row_count"`
	SizeBytes      *int64 `json:"size_bytes"`
	LogOrigin      string `json:"log_origin"`
	LogIndex       *int64 `json:"log_index"`
	KeyID          string `json:"key_id"`
	Error          *struct{ Code, Message string }
}

// ready makes an export and waits for it.
func (s *site) ready(t testing.TB, body string) (x exportData) {
	t.Helper()
	s.create(t, body).into(t, http.StatusCreated, &x)
	if x.Status != "ready" {
		t.Fatalf("export of %s is %s, want ready", body, x.Status)
	}
	return x
}

// The smallest body is enough for every kind that this build computes.
func TestSmallestBody(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ingest(t, "a,2026-01-01T00:00:00Z,usage.consumed,c1,f,3", "b,2026-01-02T00:00:00Z,usage.consumed,c2,f,4")
	for _, kind := range report.KindNames() {
		a := s.create(t, fmt.Sprintf(`{"report_kind":%q}`, kind))
		var x exportData
		a.into(t, 201, &x)
		a.saying(t, "Location", exportsPath+"/"+x.ID).saying(t, "Idempotency-Replayed", "")
		if x.Kind != kind || x.Format != "json" || x.Status != "ready" || x.Digest != x.ArtifactDigest || *x.AsOf != 2 {
			t.Errorf("%s; want a ready json export of %s as of 2, both digests the same", a, kind)
		}
		if got := s.get(t, a.header.Get("Location")); got.status != 200 || !bytes.Equal(dataOf(t, got), dataOf(t, a)) {
			t.Errorf("Location gives %s, want what the create gave: %s", got, a)
		}
	}
}

// dataOf is an answer's data as it was sent.
func dataOf(t *testing.T, a answer) []byte {
	t.Helper()
	var body struct{ Data json.RawMessage }
	if err := json.Unmarshal(a.body, &body); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return body.Data
}

// The members of the metadata, before and after it is made.
func TestMetadata(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	got := map[string]any{}
	s.create(t, `{"report_kind":"usage-summary","format":"csv","filters":{"from":"2026-01-01T01:00:00+01:00","customer_id":"c","time_zone":"UTC"}}`).into(t, 201, &got)
	want := []string{
		"id", "report_kind", "format", "status", "filters", "digest", "artifact_digest", "content_type", "created_by", "created_at",
		"updated_at", "download_url", "as_of", "frozen_at", "row_count", "size_bytes", "log_origin", "log_index", "progress", "error",
	}
	for _, name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("member %s is missing", name)
		}
		delete(got, name)
	}
	delete(got, "key_id")
	if len(got) > 0 {
		t.Errorf("unexpected members %v", slices.Sorted(maps.Keys(got)))
	}
	x := s.ready(t, `{"report_kind":"usage-summary","format":"csv","filters":{"from":"2026-01-01T01:00:00.1239+01:00","customer_id":"c","time_zone":"UTC"}}`)
	wantFilters := map[string]any{"from": "2026-01-01T00:00:00.123Z", "customer_id": "c"}
	for name, value := range wantFilters {
		if x.Filters[name] != value {
			t.Errorf("filters.%s = %v, want the normal form %v", name, x.Filters[name], value)
		}
	}
	if _, there := x.Filters["time_zone"]; there || x.ContentType != "text/csv" || x.DownloadURL != exportsPath+"/"+x.ID+"/download" {
		t.Errorf("export %+v; want no time_zone that changes nothing, text/csv, and its own download", x)
	}
	key, _ := s.Server.tokens.List(t.Context())
	if x.CreatedBy != key[len(key)-1].ID {
		t.Errorf("created_by = %q, want %q", x.CreatedBy, key[len(key)-1].ID)
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for body, want := range map[string]struct {
		status       int
		code, detail string
	}{
		``:                                {400, "INVALID_JSON", "unexpected end"},
		` `:                               {400, "INVALID_JSON", "unexpected end"},
		`{`:                               {400, "INVALID_JSON", "unexpected end"},
		`{"report_kind":"usage-summary"`:  {400, "INVALID_JSON", "unexpected end"},
		`{"report_kind":'usage-summary'}`: {400, "INVALID_JSON", "byte 16"},
		`null`:                            {400, "INVALID_JSON", "null"},
		`[]`:                              {400, "INVALID_JSON", "holds array where an object belongs"},
		`"usage-summary"`:                 {400, "INVALID_JSON", "holds string where an object belongs"},
		jsonExport + `x`:                  {400, "INVALID_JSON", "after top-level value"},
		jsonExport + jsonExport:           {400, "INVALID_JSON", "after top-level value"},
		`{"report_kind":"usage-summary","report_kind":"usage-ledger"}`:                          {400, "INVALID_JSON", `"report_kind" stands twice`},
		`{"report_kind":"usage-summary","filters":{"from":"2026-01-01T00:00:00Z","from":null}}`: {400, "INVALID_JSON", `"from" stands twice`},
		`{"report_kind":"usage-summary","limit":5}`:                                             {400, "INVALID_JSON", `unknown member "limit"`},
		`{"Report_Kind":"usage-summary"}`:                                                       {400, "INVALID_JSON", `unknown member "Report_Kind"`},
		`{"report_kind":5}`:                                                                     {400, "INVALID_JSON", "report_kind holds number where a string belongs"},
		`{"report_kind":"usage-summary","format":["csv"]}`:                                      {400, "INVALID_JSON", "format holds array where a string belongs"},
		"{\"report_kind\":\"usage-summary\xff\"}":                                               {400, "INVALID_JSON", "UTF-8"},
		strings.Repeat(`[`, 100_000):                                                            {400, "INVALID_JSON", "max depth"},
		`{"filters":` + strings.Repeat(`{"a":`, 100_000):                                        {400, "INVALID_JSON", "max depth"},
		`{}`:                      {422, "VALIDATION_ERROR", "report_kind must be one of"},
		`{"report_kind":null}`:    {422, "VALIDATION_ERROR", "report_kind"},
		`{"report_kind":""}`:      {422, "VALIDATION_ERROR", "report_kind"},
		`{"report_kind":"usage"}`: {422, "VALIDATION_ERROR", `report_kind "usage" must be one of`},
		`{"report_kind":"usage-summary","format":"docx"}`:                                                       {422, "VALIDATION_ERROR", `format "docx" must be one of`},
		`{"report_kind":"usage-summary","format":""}`:                                                           {422, "VALIDATION_ERROR", "format"},
		`{"report_kind":"usage-summary","filters":[]}`:                                                          {422, "VALIDATION_ERROR", "filters must be a JSON object"},
		`{"report_kind":"usage-summary","filters":"from"}`:                                                      {422, "VALIDATION_ERROR", "filters must be a JSON object"},
		`{"report_kind":"usage-summary","filters":{"colour":"red"}}`:                                            {422, "VALIDATION_ERROR", "colour is not a filter"},
		`{"report_kind":"usage-summary","filters":{"limit":"5"}}`:                                               {422, "VALIDATION_ERROR", "limit is not a filter"},
		`{"report_kind":"usage-ledger","filters":{"bucket":"1d"}}`:                                              {422, "VALIDATION_ERROR", "bucket is not a filter of usage-ledger"},
		`{"report_kind":"usage-summary","filters":{"customer_id":""}}`:                                          {422, "VALIDATION_ERROR", "customer_id is empty"},
		`{"report_kind":"usage-summary","filters":{"customer_id":7}}`:                                           {422, "VALIDATION_ERROR", "customer_id"},
		`{"report_kind":"usage-summary","filters":{"customer_id":"a\u0007"}}`:                                   {422, "VALIDATION_ERROR", "control character"},
		`{"report_kind":"usage-summary","filters":{"group_by":["colour"]}}`:                                     {422, "VALIDATION_ERROR", `group_by "colour" must be one of`},
		`{"report_kind":"usage-summary","filters":{"group_by":"source,source"}}`:                                {422, "VALIDATION_ERROR", "twice"},
		`{"report_kind":"usage-summary","filters":{"bucket":"1w"}}`:                                             {422, "VALIDATION_ERROR", `bucket "1w" must be`},
		`{"report_kind":"usage-summary","filters":{"bucket":"1d","time_zone":"Mars/Olympus"}}`:                  {422, "VALIDATION_ERROR", "time_zone"},
		`{"report_kind":"usage-summary","filters":{"bucket":"1d","time_zone":"Local"}}`:                         {422, "VALIDATION_ERROR", "time_zone"},
		`{"report_kind":"usage-summary","filters":{"bucket":"1d","time_zone":"../etc/passwd"}}`:                 {422, "VALIDATION_ERROR", "time_zone"},
		`{"report_kind":"usage-summary","filters":{"from":"yesterday"}}`:                                        {422, "VALIDATION_ERROR", "from"},
		`{"report_kind":"usage-summary","filters":{"from":"2026-02-30T00:00:00Z"}}`:                             {422, "VALIDATION_ERROR", "from"},
		`{"report_kind":"usage-summary","filters":{"from":"2026-02-02T00:00:00Z","to":"2026-02-01T00:00:00Z"}}`: {422, "VALIDATION_ERROR", "is after to"},
	} {
		a := s.create(t, body)
		a.call.path += " " + body[:min(len(body), 100)]
		a.want(t, want.status, want.code).detail(t, want.detail)
	}
	var list []exportData
	s.get(t, exportsPath).into(t, 200, &list)
	if len(list) != 0 {
		t.Errorf("refused bodies made %d exports, want none", len(list))
	}
}

func TestMediaTypesAndSizes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for contentType, status := range map[string]int{
		"application/json": 201, "application/json; charset=utf-8": 201, "": 201, "APPLICATION/JSON": 201,
		"text/plain": 415, "application/x-www-form-urlencoded": 415, "application/jsonx": 415, "json": 415, ";": 415,
	} {
		a := s.createWith(t, jsonExport, map[string]string{"Content-Type": contentType})
		if a.status != status {
			t.Errorf("Content-Type %q: %s; want status %d", contentType, a, status)
		}
	}
	s.createWith(t, jsonExport, map[string]string{"Content-Encoding": "gzip"}).want(t, 415, "UNSUPPORTED_ENCODING").saying(t, "Accept-Encoding", "identity")
	padding := maxJSON - len(jsonExport)
	if a := s.create(t, jsonExport+strings.Repeat(" ", padding)); a.status != 201 {
		t.Errorf("a body of exactly 1 MiB: %s; want status 201", a)
	}
	s.create(t, jsonExport+strings.Repeat(" ", padding+1)).want(t, 413, "PAYLOAD_TOO_LARGE").detail(t, "1048576 bytes")
}

// createWith asks for an export with headers.
func (s *site) createWith(t testing.TB, body string, header map[string]string) answer {
	t.Helper()
	return s.do(t, call{method: "POST", path: exportsPath, token: s.token(t, auth.ReportExport), body: body, header: header})
}

// A body that ends before its length is not taken for a short one.
func TestBodyThatEndsEarly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.cut(t, exportsPath, auth.ReportExport, "application/json", jsonExport, len(jsonExport)+10)
	a.want(t, 400, "INCOMPLETE_BODY")
}

func TestPrefer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.createWith(t, jsonExport, map[string]string{"Prefer": "respond-async, wait=0"})
	var x exportData
	if a.status == 201 { // it was quicker than the answer, which is no fault
		a.into(t, 201, &x)
	} else {
		a.into(t, 202, &x)
	}
	eventually(t, "the export is ready", func() bool {
		s.get(t, a.header.Get("Location")).into(t, 200, &x)
		return x.Status == "ready"
	})
	for prefer, status := range map[string]int{
		"wait=5": 201, "WAIT=5": 201, "wait=99999": 201, "return=minimal": 201, "": 201, "handling=strict, wait=5": 201,
		"wait=": 400, "wait=x": 400, "wait=-1": 400, "wait=1.5": 400, "wait=99999999999999999999": 400,
	} {
		a := s.createWith(t, jsonExport, map[string]string{"Prefer": prefer})
		if a.status != status {
			t.Errorf("Prefer %q: %s; want status %d", prefer, a, status)
		}
		if status == 400 {
			a.want(t, 400, "INVALID_HEADER")
		}
	}
}

// Without a worker an export stays pending; the answer does not wait for ever.
func TestPendingExport(t *testing.T) {
	t.Parallel()
	s := newSite(t, workers(0))
	began := time.Now()
	a := s.createWith(t, jsonExport, map[string]string{"Prefer": "wait=1"})
	var x exportData
	a.into(t, 202, &x)
	if took := time.Since(began); x.Status != "pending" || took < time.Second {
		t.Errorf("%s after %v; want pending after a second", a, took)
	}
	if x.Digest != "" || x.AsOf != nil || x.RowCount != nil || x.SizeBytes != nil || x.LogIndex != nil {
		t.Errorf("pending export %+v knows what only a finished one can", x)
	}
	for _, path := range []string{"/download", "/bundle"} {
		s.get(t, exportsPath+"/"+x.ID+path).want(t, 409, "EXPORT_NOT_READY").detail(t, "pending")
	}
}

// A total beyond 64 bits fails the export, and says so.
func TestFailedExport(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	rows := make([]string, 1100)
	for i := range rows {
		rows[i] = fmt.Sprintf("a%d,2026-01-01T00:00:00Z,usage.consumed,c,f,9007199254740991", i)
	}
	s.ingest(t, rows...)
	var x exportData
	s.create(t, jsonExport).into(t, 201, &x)
	if x.Status != "failed" || x.Error == nil || x.Error.Code != "TOTAL_OVERFLOW" {
		t.Fatalf("export is %s with error %+v; want failed with TOTAL_OVERFLOW", x.Status, x.Error)
	}
	for _, path := range []string{"/download", "/bundle"} {
		s.get(t, exportsPath+"/"+x.ID+path).want(t, 409, "EXPORT_NOT_READY").detail(t, "failed")
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key := map[string]string{"Idempotency-Key": "month-end"}
	first := s.createWith(t, jsonExport, key).saying(t, "Idempotency-Replayed", "")
	var made exportData
	first.into(t, 201, &made)
	// The same request, written otherwise: defaults spelled out, other order.
	again := s.createWith(t, `{"filters":{"time_zone":"UTC"}, "format":"json", "report_kind":"usage-summary"}`, key).saying(t, "Idempotency-Replayed", "true")
	if !bytes.Equal(dataOf(t, again), dataOf(t, first)) || again.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("the same key and request give %s, want %s", again, first)
	}
	s.createWith(t, `{"report_kind":"usage-summary","format":"csv"}`, key).want(t, 409, "IDEMPOTENCY_CONFLICT").detail(t, made.ID)
	_, other := s.issue(t, auth.Spec{Scopes: []auth.Scope{auth.ReportExport}})
	a := s.do(t, call{method: "POST", path: exportsPath, token: other, body: `{"report_kind":"usage-summary","format":"csv"}`, header: key})
	if a.status != 201 || a.header.Get("Location") == first.header.Get("Location") {
		t.Errorf("the key of another caller gives %s; want an export of its own", a)
	}
	s.createWith(t, jsonExport, map[string]string{"Idempotency-Key": strings.Repeat("k", 256)}).want(t, 422, "VALIDATION_ERROR").detail(t, "Idempotency-Key")
	if a := s.createWith(t, jsonExport, map[string]string{"Idempotency-Key": strings.Repeat("k", 255)}); a.status != 201 {
		t.Errorf("a key of 255 bytes: %s; want status 201", a)
	}
}

// A full queue refuses new exports, says when to come again, and still gives
// the one that an idempotency key stands for.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	s := newSite(t, workers(0))
	at := map[string]string{"Idempotency-Key": "k", "Prefer": "wait=0"}
	first := s.createWith(t, jsonExport, at)
	s.many(t, exporter.MaxQueued-1)
	s.create(t, jsonExport).want(t, 429, "TOO_MANY_REQUESTS").saying(t, "Retry-After", "10")
	if a := s.createWith(t, jsonExport, at); a.status != 202 || a.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("a known Idempotency-Key at a full queue: %s; want the export that it stands for", a)
	}
	s.unready(t, "QUEUE_FULL")
	families := s.families(t)
	families.want(t, "licensekit_exports_waiting", exporter.MaxQueued)
	families.want(t, "licensekit_export_queue_limit", exporter.MaxQueued)
	families.want(t, "licensekit_rate_limited_total", 1, "limit", "queue")
	families.want(t, "licensekit_ready", 0, "check", "queue")
}
