package server

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"licensekit/auth"
)

const keysPath = "/api/v1/api-keys"

// newKey asks for a key and remembers its token.
func (s *site) newKey(t *testing.T, body string) (id, token string, a answer) {
	t.Helper()
	a = s.post(t, auth.Admin, keysPath, "application/json", body)
	id, token = remember(t, a)
	return id, token, a
}

// keys lists them by id, as they were sent.
func (s *site) keys(t *testing.T) map[string]map[string]any {
	t.Helper()
	var list []map[string]any
	s.do(t, call{method: "GET", path: keysPath, token: s.token(t, auth.Admin)}).into(t, 200, &list)
	byID := map[string]map[string]any{}
	for _, key := range list {
		byID[key["id"].(string)] = key
	}
	return byID
}

func TestIssueKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	expires := s.opts.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	id, token, a := s.newKey(t, `{"name":"billing","scopes":["report:export","report:read"],"allowed_cidrs":["127.0.0.0/8"],"expires_at":"`+expires+`"}`)
	a.saying(t, "Location", keysPath+"/"+id).saying(t, "Cache-Control", "no-store")
	if got := s.do(t, call{method: "GET", path: exportsPath, token: token}); got.status != 200 {
		t.Errorf("with the new token: %s; want status 200", got)
	}
	key := s.keys(t)[id]
	want := []string{"allowed_cidrs", "created_at", "expires_at", "id", "is_active", "key_prefix", "last_used_at", "name", "scopes"}
	if got := slices.Sorted(maps.Keys(key)); !slices.Equal(got, want) {
		t.Errorf("members of a key %v, want %v", got, want)
	}
	if key["name"] != "billing" || key["is_active"] != true || key["expires_at"] != expires || !strings.HasPrefix(token, key["key_prefix"].(string)) {
		t.Errorf("key = %v, want what was asked for", key)
	}
	s.skew.Store(int64(2 * time.Hour))
	s.do(t, call{method: "GET", path: exportsPath, token: token}).want(t, 401, "UNAUTHORIZED").detail(t, "expired")
}

// Scopes that are left out mean admin; an empty list is refused.
func TestScopesLeftOut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, body := range []string{`{"name":"n"}`, `{"name":"n","scopes":null}`} {
		id, token, _ := s.newKey(t, body)
		if got := s.keys(t)[id]["scopes"]; !slices.Equal(got.([]any), []any{"admin"}) {
			t.Errorf("%s: scopes %v, want admin", body, got)
		}
		if a := s.do(t, call{method: "GET", path: keysPath, token: token}); a.status != 200 {
			t.Errorf("%s: %s; want status 200", body, a)
		}
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for body, want := range map[string]struct {
		status       int
		code, detail string
	}{
		`{}`:           {422, "VALIDATION_ERROR", "name"},
		`{"name":" "}`: {422, "VALIDATION_ERROR", "name"},
		`{"name":"` + strings.Repeat("n", 129) + `"}`:      {422, "VALIDATION_ERROR", "name"},
		`{"name":"n","scopes":[]}`:                         {422, "VALIDATION_ERROR", "scopes"},
		`{"name":"n","scopes":["root"]}`:                   {422, "VALIDATION_ERROR", `scopes "root"`},
		`{"name":"n","allowed_cidrs":["everywhere"]}`:      {422, "VALIDATION_ERROR", "allowed_cidrs"},
		`{"name":"n","expires_at":"2001-01-01T00:00:00Z"}`: {422, "VALIDATION_ERROR", "future"},
		`{"name":"n","expires_at":"tomorrow"}`:             {422, "VALIDATION_ERROR", "RFC 3339"},
		`{"name":"n","expires_at":5}`:                      {400, "INVALID_JSON", "expires_at holds number where a string belongs"},
		`{"name":"n","scopes":"admin"}`:                    {400, "INVALID_JSON", "scopes holds string where a list belongs"},
		`{"name":"n","scopes":[1]}`:                        {400, "INVALID_JSON", "scopes holds number where a string belongs"},
		`{"name":"n","token":"lkm_x"}`:                     {400, "INVALID_JSON", `unknown member "token"`},
		`{"name":"n"`:                                      {400, "INVALID_JSON", "unexpected end"},
	} {
		_, _, a := s.newKey(t, body)
		a.want(t, want.status, want.code).detail(t, want.detail)
	}
	s.post(t, auth.Admin, keysPath, "text/plain", `{"name":"n"}`).want(t, 415, "UNSUPPORTED_MEDIA_TYPE")
	s.post(t, auth.Admin, keysPath, "application/json", `{"name":"`+strings.Repeat("n", maxJSON)+`"}`).want(t, 413, "PAYLOAD_TOO_LARGE")
	if got := len(s.keys(t)); got != 1 {
		t.Errorf("there are %d keys, want the one that the test uses", got)
	}
}

// The list shows every key and nothing of a secret, in whatever form.
func TestListShowsNoSecrets(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, token, _ := s.newKey(t, `{"name":"a"}`)
	for _, query := range []string{"", "?limit=1", "?limit=1000"} {
		a := s.do(t, call{method: "GET", path: keysPath + query, token: s.token(t, auth.Admin)})
		if leaks := secrets.leaks(a.body); len(leaks) > 0 || bytes.Contains(a.body, []byte("sha256")) {
			t.Errorf("%s shows secrets of %v", a, leaks)
		}
	}
	if secret := token[len("lkm_")+8:]; strings.Contains(jsonText(t, s.keys(t)[id]), secret[:8]) {
		t.Errorf("key %v shows a part of its secret", s.keys(t)[id])
	}
	s.do(t, call{method: "GET", path: keysPath + "?limit=0", token: s.token(t, auth.Admin)}).want(t, 400, "INVALID_QUERY")
	s.do(t, call{method: "GET", path: keysPath + "?offset=1", token: s.token(t, auth.Admin)}).want(t, 400, "INVALID_QUERY")
}

func jsonText(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id, token, _ := s.newKey(t, `{"name":"n"}`)
	revoke := func() answer {
		return s.do(t, call{method: "DELETE", path: keysPath + "/" + id, token: s.token(t, auth.Admin)})
	}
	var key struct {
		ID     string
		Active bool `json:"is_active"`
	}
	for range 2 { // revoking again changes nothing
		revoke().into(t, 200, &key)
		if key.ID != id || key.Active {
			t.Errorf("revoked key = %+v, want %s, not active", key, id)
		}
	}
	s.do(t, call{method: "GET", path: keysPath, token: token}).want(t, 401, "UNAUTHORIZED").detail(t, "unknown or revoked")
	if got := s.keys(t)[id]; got["is_active"] != false {
		t.Errorf("the list says %v, want the key, not active", got)
	}
	s.do(t, call{method: "DELETE", path: keysPath + "/key_none", token: s.token(t, auth.Admin)}).want(t, 404, "NOT_FOUND")
}
