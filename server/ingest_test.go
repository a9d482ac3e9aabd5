package server

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	"licensekit/auth"
)

// account is what became of a body.
type account struct {
	Accepted, Duplicates, Conflicts, Rejected int
	Errors                                    []struct {
		Line                 int
		Field, Code, Message string
	}
}

func (a account) counts() [4]int { return [4]int{a.Accepted, a.Duplicates, a.Conflicts, a.Rejected} }

const (
	activitiesPath = "/api/v1/activities"
	csvBody        = "id,occurred_at,action,customer_id,amount\na,2026-01-01T00:00:00Z,usage.consumed,c,1\nb,2026-01-02T00:00:00Z,usage.consumed,c,2\n"
	ndjsonBody     = `{"id":"a","occurred_at":"2026-01-01T00:00:00Z","action":"usage.consumed","customer_id":"c","amount":1}` + "\n" +
		`{"id":"b","occurred_at":"2026-01-02T00:00:00Z","action":"usage.consumed","customer_id":"c","amount":2}` + "\n"
)

// wantAccount sends a body and checks its account.
func (s *site) wantAccount(t *testing.T, path, contentType, body string, want [4]int) account {
	t.Helper()
	var got account
	s.post(t, auth.ReportWrite, path, contentType, body).into(t, 200, &got)
	if got.counts() != want {
		t.Errorf("%s as %s: accepted, duplicates, conflicts, rejected = %v %v, want %v", path, contentType, got.counts(), got.Errors, want)
	}
	return got
}

// count is the number of activities in the ledger.
func (s *site) count(t *testing.T) int64 {
	t.Helper()
	n, err := s.sequence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The same two activities in every format: what came first is stored, and the
// others are its duplicates.
func TestIngestFormats(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	rows := strings.ReplaceAll(strings.TrimSpace(ndjsonBody), "\n", ",")
	event := func(id, day, amount string) string {
		return `{"specversion":"1.0","id":"` + id + `","source":"app","type":"usage.consumed","time":"2026-01-` + day + `T00:00:00Z","data":{"customer_id":"c","amount":` + amount + `}}`
	}
	s.wantAccount(t, activitiesPath, "text/csv", csvBody, [4]int{2, 0, 0, 0})
	s.wantAccount(t, activitiesPath, "text/csv; charset=utf-8", csvBody, [4]int{0, 2, 0, 0})
	s.wantAccount(t, activitiesPath, "application/x-ndjson", ndjsonBody, [4]int{0, 2, 0, 0})
	s.wantAccount(t, activitiesPath, "application/json", "["+rows+"]", [4]int{0, 2, 0, 0})
	s.wantAccount(t, activitiesPath, "application/json", strings.Split(ndjsonBody, "\n")[0], [4]int{0, 1, 0, 0})
	s.wantAccount(t, activitiesPath, "application/cloudevents-batch+json", "["+event("e1", "01", "1")+","+event("e2", "02", "2")+"]", [4]int{2, 0, 0, 0})
	s.wantAccount(t, activitiesPath, "application/cloudevents+json", event("e1", "01", "1"), [4]int{0, 1, 0, 0})
	s.wantAccount(t, activitiesPath, "application/cloudevents+json", event("e1", "01", "7"), [4]int{0, 0, 1, 0})
	if got := s.count(t); got != 4 {
		t.Errorf("the ledger holds %d activities, want 4", got)
	}
}

func TestIngestRecords(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for object, body := range map[string]string{
		"products": `[{"id":"p","name":"P"}]`, "customers": `[{"id":"c","email":"c@example.com"}]`,
		"subscriptions": `[{"id":"s","product_id":"p","customer_id":"c","status":"active"}]`,
		"orders":        `[{"id":"o","status":"paid"}]`, "licenses": `[{"id":"l","product_id":"p","status":"active"}]`,
	} {
		s.wantAccount(t, "/api/v1/records/"+object, "application/json", body, [4]int{1, 0, 0, 0})
	}
	s.wantAccount(t, "/api/v1/records/customers", "text/csv", "id,name\nc,Ada\nd,Bea\n", [4]int{2, 0, 0, 0})
	got := s.wantAccount(t, "/api/v1/records/licenses", "application/x-ndjson", `{"id":"l","status":"lost"}`+"\n", [4]int{0, 0, 0, 1})
	if len(got.Errors) != 1 || got.Errors[0].Field != "status" || got.Errors[0].Code != "INVALID_VALUE" {
		t.Errorf("errors = %+v, want one INVALID_VALUE of status", got.Errors)
	}
	for _, object := range []string{"activities", "Products", "things", "product"} {
		s.post(t, auth.ReportWrite, "/api/v1/records/"+object, "application/json", "[]").want(t, 404, "NOT_FOUND").detail(t, "products")
	}
	s.post(t, auth.ReportWrite, "/api/v1/records/products", "application/cloudevents+json", "{}").want(t, 422, "INVALID_OPTION")
}

// Bad rows are named; good ones go in.
func TestIngestNamesBadRows(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	got := s.wantAccount(t, activitiesPath, "text/csv", csvBody+"c,yesterday,usage.consumed,c,1\na,2026-01-01T00:00:00Z,usage.consumed,c,999\nd,2026-01-01T00:00:00Z,usage.consumed,c,three\n", [4]int{2, 0, 1, 2})
	var where []string
	for _, e := range got.Errors {
		where = append(where, fmt.Sprintf("%d %s %s", e.Line, e.Field, e.Code))
	}
	if want := []string{"4 occurred_at INVALID_TIME", "5 id CONFLICT", "6 amount INVALID_TYPE"}; !slices.Equal(where, want) {
		t.Errorf("errors at %q, want %q", where, want)
	}
}

func TestIngestMapping(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	query := url.Values{
		"map": {"id=usage_id", "occurred_at=Date", "amount=Qty"}, "set": {"action=usage.consumed", "source=import"},
		"date_format": {"DD.MM.YYYY HH:mm"}, "time_zone": {"Europe/Berlin"}, "delimiter": {";"},
	}
	s.wantAccount(t, activitiesPath+"?"+query.Encode(), "text/csv", "usage_id;Date;Qty;Note\nx;01.02.2026 00:30;5;hello\n", [4]int{1, 0, 0, 0})
	x := s.ready(t, `{"report_kind":"usage-ledger"}`)
	body := string(s.fetch(t, x, nil).body)
	for _, want := range []string{`"occurred_at":"2026-01-31T23:30:00.000Z"`, `"source":"import"`, `"amount":5`, `"id":"x"`} {
		if !strings.Contains(body, want) {
			t.Errorf("ledger %s lacks %s", body, want)
		}
	}
}

func TestIngestQueriesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for query, detail := range map[string]string{
		"dryrun=true": `unknown parameter "dryrun"`, "atomic=yes": "atomic", "dry_run=": "empty", "map=": "empty", "map=x": "want field=column",
		"set=x": "want field=value", "map=id%3Da&map=": "empty", "atomic=true&atomic=true": "more than once", "time_zone=Mars": "time_zone",
		"time_zone=Local": "time_zone", "delimiter=ab": "delimiter", "delimiter=%E2%82%AC": "delimiter",
		"delimiter=;": "a semicolon in a value is written %3B",
	} {
		s.post(t, auth.ReportWrite, activitiesPath+"?"+query, "text/csv", csvBody).want(t, 400, "INVALID_QUERY").detail(t, detail)
	}
	for query, code := range map[string]string{
		"date_format=zz": "INVALID_OPTION", "map=colour%3Dx": "UNKNOWN_FIELD", "map=id%3Dx&map=id%3Dy": "DUPLICATE_NAME",
		"map=id%3Dnot_there": "MISSING_COLUMN", "set=amount%3Dmany": "INVALID_TYPE",
	} {
		s.post(t, auth.ReportWrite, activitiesPath+"?"+query, "text/csv", csvBody).want(t, 422, code)
	}
	if got := s.count(t); got != 0 {
		t.Errorf("the ledger holds %d activities, want none", got)
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.wantAccount(t, activitiesPath+"?dry_run=true", "text/csv", csvBody, [4]int{2, 0, 0, 0})
	s.wantAccount(t, activitiesPath+"?dry_run=true&atomic=true", "text/csv", csvBody+"c,x,y,,\n", [4]int{2, 0, 0, 1})
	if got := s.count(t); got != 0 {
		t.Errorf("after a dry run the ledger holds %d activities, want none", got)
	}
	s.wantAccount(t, activitiesPath+"?dry_run=false", "text/csv", csvBody, [4]int{2, 0, 0, 0})
}

// All or nothing: one bad row and nothing is stored, and the answer names it.
func TestAtomic(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, extra := range map[string]string{"rejected": "c,yesterday,usage.consumed,c,1\n", "conflict": "a,2026-01-01T00:00:00Z,usage.consumed,c,999\n"} {
		a := s.post(t, auth.ReportWrite, activitiesPath+"?atomic=true", "text/csv", csvBody+extra).want(t, 422, "ATOMIC_REJECTED")
		if got := resultOf(t, a); got.Rejected+got.Conflicts != 1 || len(got.Errors) != 1 || got.Errors[0].Line != 4 {
			t.Errorf("%s: result %+v, want line 4 named", name, got)
		}
	}
	a := s.cut(t, activitiesPath+"?atomic=true", auth.ReportWrite, "text/csv", csvBody, len(csvBody)+100).want(t, 422, "TRUNCATED_FILE")
	if got := a.err(t).Result; got != nil {
		t.Errorf("cut off: result %s, want none: nothing was stored", got)
	}
	if got := s.count(t); got != 0 {
		t.Errorf("the ledger holds %d activities, want none", got)
	}
	s.wantAccount(t, activitiesPath+"?atomic=true", "text/csv", csvBody, [4]int{2, 0, 0, 0})
	s.wantAccount(t, activitiesPath+"?atomic=true", "text/csv", csvBody, [4]int{0, 2, 0, 0})
}

// A client that is slow with its body keeps nobody else from writing.
func TestSlowAtomicBodyHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path, half := activitiesPath+"?atomic=true", len(csvBody)/2
	slow := s.begin(t, path, auth.ReportWrite, "text/csv", csvBody[:half], len(csvBody))
	for n := range 20 { // it is under way by one of them
		s.ingest(t, fmt.Sprintf("other-%d,2026-01-01T00:00:00Z,usage.consumed,c,f,1", n))
	}
	if _, err := io.WriteString(slow, csvBody[half:]); err != nil {
		t.Fatal(err)
	}
	var got account
	readAnswer(t, slow, "POST", path).into(t, 200, &got)
	if want := [4]int{2, 0, 0, 0}; got.counts() != want {
		t.Errorf("the slow body: %v, want %v", got.counts(), want)
	}
}

func resultOf(t *testing.T, a answer) (got account) {
	t.Helper()
	if err := json.Unmarshal(a.err(t).Result, &got); err != nil {
		t.Fatalf("%s: result: %v", a, err)
	}
	return got
}

// What went in before a body broke stays in, and the answer says how much.
func TestBodyBreaksHalfWay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.cut(t, activitiesPath, auth.ReportWrite, "text/csv", csvBody+"c,2026-01-0", 10_000).want(t, 422, "TRUNCATED_FILE").detail(t, "half way")
	if got := resultOf(t, a); got.Accepted != 2 {
		t.Errorf("result %+v, want 2 accepted", got)
	}
	packed := pack(t, strings.Repeat(ndjsonBody, 2000))
	a = s.packed(t, "gzip", "application/x-ndjson", packed[:len(packed)/2]).want(t, 422, "TRUNCATED_FILE")
	if got := resultOf(t, a); got.Duplicates < 2 || got.Accepted != 0 {
		t.Errorf("result of half a gzip %+v, want duplicates only", got)
	}
	if got := s.count(t); got != 2 {
		t.Errorf("the ledger holds %d activities, want 2", got)
	}
	page := string(s.do(t, call{method: "GET", path: "/metrics"}).body)
	if want := `licensekit_ingested_rows_total{object="activities",result="accepted"} 2`; !strings.Contains(page, want) {
		t.Errorf("metrics lack %s: rows of a broken body count too", want)
	}
}

func pack(t *testing.T, text string) string {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}

// packed sends activities in a coding.
func (s *site) packed(t *testing.T, coding, contentType, body string) answer {
	t.Helper()
	return s.do(t, call{method: "POST", path: activitiesPath, token: s.token(t, auth.ReportWrite), body: body,
		header: map[string]string{"Content-Type": contentType, "Content-Encoding": coding}})
}

func TestGzipBodies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i, coding := range []string{"gzip", "GZIP", "x-gzip"} {
		var got account
		s.packed(t, coding, "text/csv", pack(t, csvBody)).into(t, 200, &got)
		if want := [4]int{2 * (1 - min(i, 1)), 2 * min(i, 1), 0, 0}; got.counts() != want {
			t.Errorf("Content-Encoding %s: %v, want %v", coding, got.counts(), want)
		}
	}
	half := len("id,occurred_at,action,customer_id,amount\n")
	var got account
	s.packed(t, "gzip", "text/csv", pack(t, csvBody[:half])+pack(t, csvBody[half:])).into(t, 200, &got)
	if got.Duplicates != 2 {
		t.Errorf("two gzip members: %+v, want both read", got)
	}
	s.packed(t, "identity", "text/csv", csvBody).into(t, 200, &got)
	for _, coding := range []string{"br", "deflate", "zstd", "gzip, gzip", "gzip,br"} {
		s.packed(t, coding, "text/csv", pack(t, csvBody)).want(t, 415, "UNSUPPORTED_ENCODING").saying(t, "Accept-Encoding", "gzip, identity")
	}
	s.packed(t, "gzip", "text/csv", csvBody).want(t, 400, "INVALID_ENCODING")
	s.packed(t, "gzip", "text/csv", "").want(t, 422, "EMPTY_FILE")
	damaged := []byte(pack(t, strings.Repeat(csvBody, 50)))
	damaged[len(damaged)-6] ^= 1
	s.packed(t, "gzip", "application/x-ndjson", string(damaged)).want(t, 400, "INVALID_ENCODING")
}

// The limit holds for what is sent and for what it unpacks to.
func TestIngestLimit(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	s.limits.ingest = 10_000
	s.serve(t)
	long := strings.Repeat(ndjsonBody, 100)
	s.post(t, auth.ReportWrite, activitiesPath, "application/x-ndjson", long).want(t, 413, "PAYLOAD_TOO_LARGE").detail(t, "10000 bytes")
	a := s.packed(t, "gzip", "application/x-ndjson", pack(t, long)).want(t, 413, "PAYLOAD_TOO_LARGE").detail(t, "10000 bytes")
	if got := resultOf(t, a); got.Duplicates == 0 {
		t.Errorf("result %+v, want what was read before the limit", got)
	}
	if got := s.count(t); got != 2 {
		t.Errorf("the ledger holds %d activities, want 2", got)
	}
}

func TestIngestMediaTypes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, contentType := range []string{"", "text/html", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "application/octet-stream", "nonsense", "application/pdf"} {
		s.post(t, auth.ReportWrite, activitiesPath, contentType, csvBody).want(t, 415, "UNSUPPORTED_MEDIA_TYPE").detail(t, contentType)
	}
	s.post(t, auth.ReportWrite, activitiesPath, "", csvBody).detail(t, "there is no content type; want one of text/csv")
	s.post(t, auth.ReportWrite, activitiesPath, "text/plain", csvBody).detail(t, `content type "text/plain" does not tell the format; want one of text/csv`)
	s.post(t, auth.ReportWrite, activitiesPath+"?delimiter=tab&dry_run=true", "text/csv", strings.ReplaceAll(csvBody, ",", "\t")).want(t, 200, "")
	s.post(t, auth.ReportWrite, activitiesPath, "text/csv", "").want(t, 422, "EMPTY_FILE")
	s.post(t, auth.ReportWrite, activitiesPath, "application/json", "{").want(t, 422, "TRUNCATED_FILE")
	s.post(t, auth.ReportWrite, activitiesPath, "text/csv", "x,y\n1,2\n").want(t, 422, "MISSING_HEADER")
}
