package console_test

import (
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"licensekit/auth"
	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/witness"
)

// Who may do nothing at all may see what is public.
func TestKeysAndLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.freeze(t, `{"report_kind":"usage-ledger"}`)
	b := s.signedIn(t, auth.ReportWrite)
	b.open("/console/log")
	b.shows("Keys that sign exports", "since", "No one has cosigned a checkpoint yet")
	s.api(t, "POST", "/api/v1/system/keys/rotate", "application/json", nil, nil)
	s.cosign(t, "auditor.example/w1")
	b.open("/console/log")
	b.shows("active", "retired", "up to 2 entries", "auditor.example/w1", time.Now().UTC().Format("2 Jan 2006"))
	b.press("details summary")
	b.shows("BEGIN PUBLIC KEY")
	if checkpoint, want := b.text("#checkpoint"), string(s.fetch(t, "/api/v1/log/checkpoint")); checkpoint != strings.Join(strings.Fields(want), " ") {
		t.Errorf("the page shows the checkpoint %q, want %q", checkpoint, want)
	}
	b.inspect("log")
}

// cosign has the newest checkpoint cosigned by a witness of its own.
func (s *site) cosign(t testing.TB, name string) {
	t.Helper()
	public, secret, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := witness.NewKey(name, public)
	if err != nil {
		t.Fatal(err)
	}
	var logs []struct {
		VerifierKey string `json:"verifier_key"`
	}
	s.api(t, "GET", "/api/v1/logs", "", nil, &logs)
	logKey, err := evidence.ParseLogKey([]byte(logs[0].VerifierKey))
	if err != nil {
		t.Fatal(err)
	}
	c, err := logKey.ReadCosigned(s.fetch(t, "/api/v1/log/checkpoint"), []witness.Key{key})
	if err == nil {
		err = c.Cosign(key, func(message []byte) []byte { return ed25519.Sign(secret, message) }, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	signed, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"checkpoint": string(signed), "witnesses": []string{key.String()}})
	if err != nil {
		t.Fatal(err)
	}
	s.api(t, "POST", "/api/v1/log/cosigned", "application/json", strings.NewReader(string(body)), nil)
}
