package server

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
)

// any gives some token; where the store can't be read, any will do.
func (v *vault) any() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, token := range v.tokens {
		return token
	}
	return ""
}

// The published key is the one that exports are signed with, in all its forms.
func TestPublicKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var keys []struct{ KID, Algorithm, PublicKey, Status, Purpose, PEM string }
	var raw []map[string]string
	a := s.do(t, call{method: "GET", path: "/api/v1/system/public-keys"})
	a.into(t, 200, &keys)
	a.into(t, 200, &raw)
	if len(keys) != 2 || keys[0].KID != s.Key().ID() || keys[0].Status != "active" || keys[0].Purpose != "export" {
		t.Fatalf("%s; want the export key %s first, active, and the log's", a, s.Key().ID())
	}
	if keys[1].Purpose != "log" || keys[1].Status != "active" || raw[1]["verifier_key"] == "" || raw[0]["verifier_key"] != "" {
		t.Errorf("%s; want the log's key second, active, and it alone with a verifier_key", a)
	}
	block, _ := pem.Decode([]byte(keys[0].PEM))
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if got := base64.StdEncoding.EncodeToString(parsed.(ed25519.PublicKey)); got != raw[0]["public_key"] {
		t.Errorf("pem holds the key %s, public_key says %s", got, raw[0]["public_key"])
	}
	if x := s.ready(t, jsonExport); !strings.Contains(string(s.get(t, exportsPath+"/"+x.ID).body), keys[0].KID) {
		t.Errorf("export %s does not name the key %s", x.ID, keys[0].KID)
	}
}
