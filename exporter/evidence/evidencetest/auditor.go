// Package evidencetest has those who test with evidence play the parts of
// others: for now witnesses, whose secrets a server never has.
package evidencetest

import (
	"crypto/ed25519"
	"testing"
	"time"

	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/witness"
)

// Auditor is a witness of logs. It signs whatever it is shown.
type Auditor struct {
	Key    witness.Key
	secret ed25519.PrivateKey
}

// NewAuditor makes a witness with a key of its own.
func NewAuditor(t testing.TB, name string) Auditor {
	t.Helper()
	public, secret, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := witness.NewKey(name, public)
	if err != nil {
		t.Fatal(err)
	}
	return Auditor{key, secret}
}

// Sign adds the auditor's cosignature to a checkpoint of the log that has a
// verifier key.
func (a Auditor) Sign(t testing.TB, verifierKey string, checkpoint []byte) []byte {
	t.Helper()
	key, err := evidence.ParseLogKey([]byte(verifierKey))
	if err != nil {
		t.Fatal(err)
	}
	c, err := key.ReadCosigned(checkpoint, []witness.Key{a.Key})
	if err == nil {
		err = c.Cosign(a.Key, func(message []byte) []byte { return ed25519.Sign(a.secret, message) }, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	signed, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
