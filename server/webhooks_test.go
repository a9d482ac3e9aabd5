package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"licensekit/auth"
	"licensekit/server/webhook"
)

const webhooksPath = "/api/v1/webhooks"

// onThisMachine lets webhooks lead here.
func onThisMachine(o *Options) {
	o.WebhookAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// hook asks for something of the webhooks.
func (s *site) hook(t *testing.T, method, path, body string) answer {
	t.Helper()
	a := s.do(t, call{method: method, path: webhooksPath + path, token: s.token(t, auth.WebhookWrite), body: body})
	var shown struct {
		Data struct {
			Webhook webhook.Endpoint
			Secret  string
		}
	}
	if json.Unmarshal(a.body, &shown) == nil && shown.Data.Secret != "" {
		secrets.add(shown.Data.Webhook.ID, shown.Data.Secret)
	}
	return a
}

// inbox is a receiver of webhooks.
type inbox struct {
	*httptest.Server
	mu    sync.Mutex
	all   []delivered // guarded by mu
	shuts bool        // whether the next request is turned away; guarded by mu
}

type delivered struct {
	header http.Header
	body   []byte
}

func newInbox(t *testing.T) *inbox {
	in := &inbox{}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("receive: %v", err)
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		in.all = append(in.all, delivered{r.Header, body})
		if in.shuts {
			in.shuts = false
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(in.Close)
	return in
}

func (in *inbox) received() []delivered {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.all)
}

// A receiver learns that an export is ready, and finds all that the audit trail
// says of it.
func TestWebhookTellsOfAnExport(t *testing.T) {
	t.Parallel()
	s, in := newSite(t, onThisMachine), newInbox(t)
	var made webhookWithSecret
	s.hook(t, "POST", "", `{"name":"archive","url":"`+in.URL+`","event_types":["report_export.ready"]}`).
		into(t, 201, &made)
	x := s.ready(t, jsonExport)
	eventually(t, "the export is told of", func() bool { return len(in.received()) == 1 })
	got := in.received()[0]
	var event eventData
	if err := json.Unmarshal(got.body, &event); err != nil {
		t.Fatal(err)
	}
	want := s.only(t, "report_export.ready").says(t, map[string]any{"report_kind": "usage-summary", "format": "json"})
	if event.Sequence != want.Sequence || event.ResourceID != x.ID || event.Metadata["artifact_digest"] != x.ArtifactDigest {
		t.Errorf("the receiver got %s, want event %+v", got.body, want)
	}
	id := got.header.Get("X-Locksmith-Delivery-ID")
	stamp, _, _ := strings.Cut(strings.TrimPrefix(got.header.Get("X-Locksmith-Signature"), "t="), ",")
	mac := hmac.New(sha256.New, []byte(made.Secret))
	io.WriteString(mac, stamp+"."+id+"."+string(got.body))
	if want := "t=" + stamp + ",v1=" + hex.EncodeToString(mac.Sum(nil)); got.header.Get("X-Locksmith-Signature") != want {
		t.Errorf("signature is %q, want %q", got.header.Get("X-Locksmith-Signature"), want)
	}
	var history []webhook.Delivery
	eventually(t, "the delivery is in the history", func() bool {
		s.hook(t, "GET", "/"+made.Webhook.ID+"/deliveries?status=delivered", "").into(t, 200, &history)
		return len(history) == 1
	})
	attempts := s.families(t)["licensekit_webhook_attempts_total"]
	if got, want := labels(attempts, "status"), []string{"delivered", "failed", "pending"}; !slices.Equal(got, want) {
		t.Errorf("attempts are counted as %v, want %v", got, want)
	}
	if history[0].ID != id || history[0].ResponseStatus != 200 {
		t.Errorf("history is %+v, want delivery %s", history, id)
	}
}

func TestWebhookLifeOverHTTP(t *testing.T) {
	t.Parallel()
	s, in := newSite(t, onThisMachine), newInbox(t)
	var made, rotated webhookWithSecret
	a := s.hook(t, "POST", "", `{"name":"n","url":"`+in.URL+`","is_active":false}`)
	a.into(t, 201, &made)
	path := "/" + made.Webhook.ID
	a.saying(t, "Location", webhooksPath+path)
	var shown webhook.Endpoint
	s.hook(t, "GET", path, "").into(t, 200, &shown)
	if shown.Active || shown.Name != "n" || shown.URL != in.URL || !strings.HasPrefix(made.Secret, shown.SecretPrefix) {
		t.Errorf("endpoint is %+v, want it as it was made", shown)
	}
	var all []webhook.Endpoint
	for _, query := range []string{"", "?limit=1"} {
		a := s.hook(t, "GET", query, "")
		a.into(t, 200, &all)
		if leaks := secrets.leaks(a.body); len(all) != 1 || len(leaks) > 0 {
			t.Errorf("%s shows secrets of %v", a, leaks)
		}
	}
	s.hook(t, "PATCH", path, `{"name":"m","event_types":["api_key.created"]}`).into(t, 200, &shown)
	if shown.Name != "m" || len(shown.EventTypes) != 1 {
		t.Errorf("changed endpoint is %+v, want the change", shown)
	}
	s.hook(t, "PATCH", path, `{"rotate_secret":true}`).into(t, 200, &rotated)
	if rotated.Secret == made.Secret || !strings.HasPrefix(rotated.Secret, rotated.Webhook.SecretPrefix) {
		t.Errorf("rotated: %+v, want a new secret", rotated)
	}
	s.hook(t, "PATCH", path, `{"secret":"`+strings.Repeat("x", 30)+`"}`).into(t, 200, &shown)
	var sent webhook.Delivery
	s.hook(t, "POST", path+"/test", "").into(t, 200, &sent)
	if sent.Status != webhook.Delivered || len(in.received()) != 1 {
		t.Errorf("test is %+v, received %d; want it received", sent, len(in.received()))
	}
	if a := s.hook(t, "DELETE", path, ""); a.status != 204 || len(a.body) != 0 {
		t.Errorf("%s; want status 204 without a body", a)
	}
	s.hook(t, "GET", path, "").want(t, 404, "NOT_FOUND")
	s.hook(t, "GET", path+"/deliveries", "").want(t, 404, "NOT_FOUND")
	if got := s.events(t, "resource_id="+made.Webhook.ID); len(got) != 5 {
		t.Errorf("%d events, want created, three times updated, deleted", len(got))
	}
}

// What was turned away is sent at once when it is asked for, and again after it
// was received.
func TestReplayOverHTTP(t *testing.T) {
	t.Parallel()
	s, in := newSite(t, onThisMachine), newInbox(t)
	in.shuts = true
	var made webhookWithSecret
	s.hook(t, "POST", "", `{"name":"n","url":"`+in.URL+`","event_types":["report_export.ready"]}`).into(t, 201, &made)
	path := "/" + made.Webhook.ID + "/deliveries"
	s.ready(t, jsonExport)
	history := func(status string) (all []webhook.Delivery) {
		s.hook(t, "GET", path+"?status="+status, "").into(t, 200, &all)
		return all
	}
	eventually(t, "the delivery is tried again", func() bool { return len(history("pending")) == 1 })
	id := history("pending")[0].ID
	var sent webhook.Delivery
	if s.hook(t, "POST", path+"/"+id+"/replay", "").into(t, 202, &sent); sent.Status != webhook.Pending {
		t.Errorf("replay is %+v, want it pending", sent)
	}
	eventually(t, "the delivery is received", func() bool { return len(history("delivered")) == 1 })
	if s.hook(t, "POST", path+"/"+id+"/replay", "").into(t, 200, &sent); sent.Status != webhook.Delivered || sent.Attempts != 3 {
		t.Errorf("replay is %+v, want it delivered by attempt 3", sent)
	}
	for _, got := range in.received() {
		if got.header.Get("X-Locksmith-Delivery-ID") != id || string(got.body) != string(in.received()[0].body) {
			t.Errorf("the receiver got %s with %s, want %s with the same body each time", got.header.Get("X-Locksmith-Delivery-ID"), got.body, id)
		}
	}
	s.only(t, "webhook_delivery.replayed").says(t, map[string]any{"delivery_id": id, "event_type": "report_export.ready", "received": true})
	s.hook(t, "POST", "/"+made.Webhook.ID+"/test", "").into(t, 200, &sent)
	s.hook(t, "POST", path+"/"+sent.ID+"/replay", "").want(t, 409, "NOT_REPLAYABLE").detail(t, "is in no trail")
	s.hook(t, "POST", path+"/whd_none/replay", "").want(t, 404, "NOT_FOUND")
}

func TestWebhooksThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for body, want := range map[string]struct {
		status       int
		code, detail string
	}{
		`{"name":"n"}`: {422, "VALIDATION_ERROR", "url is missing"},
		`{"name":"n","url":"https://example.com/","description":"d"}`:    {400, "INVALID_JSON", `unknown member "description"`},
		`{"name":"n","url":"https://example.com/","rotate_secret":true}`: {400, "INVALID_JSON", `unknown member "rotate_secret"`},
		`{"name":"n","url":"https://example.com/","event_types":"x.y"}`:  {400, "INVALID_JSON", "event_types holds string where a list belongs"},
		`{"name":"n","url":"https://example.com/","event_types":["x"]}`:  {422, "VALIDATION_ERROR", "event_types"},
		`{"name":"n","url":"https://example.com/","secret":"short"}`:     {422, "VALIDATION_ERROR", "secret is 5 bytes long"},
		`{"name":"n","url":"https://169.254.169.254/latest/meta-data/"}`: {422, "VALIDATION_ERROR", "link-local"},
		`{"name":"n","url":"https://me:secretsecret@example.com/"}`:      {422, "VALIDATION_ERROR", "user or a password"},
		`{"name":"n","url":"http://example.com/"}`:                       {422, "VALIDATION_ERROR", "must begin with https://"},
	} {
		s.hook(t, "POST", "", body).want(t, want.status, want.code).detail(t, want.detail)
	}
	var made webhookWithSecret
	s.hook(t, "POST", "", `{"name":"n","url":"https://example.com/","is_active":false}`).into(t, 201, &made)
	s.hook(t, "PATCH", "/"+made.Webhook.ID, `{"rotate_secret":true,"secret":"`+strings.Repeat("x", 30)+`"}`).want(t, 422, "VALIDATION_ERROR").detail(t, "leave out secret")
	s.hook(t, "GET", "/"+made.Webhook.ID+"/deliveries?status=lost", "").want(t, 400, "INVALID_QUERY")
	s.hook(t, "GET", "?offset=1", "").want(t, 400, "INVALID_QUERY")
}
