package evidence

import (
	"encoding/hex"
	"fmt"

	"licensekit/exporter/report"
)

// sigstoreType is the version of the Sigstore bundle format.
const sigstoreType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// sigstore is a Sigstore bundle that holds a DSSE envelope and names the key
// that a verifier must have. It carries no trust: who verifies brings the key.
type sigstore struct {
	MediaType string               `json:"mediaType"`
	Material  verificationMaterial `json:"verificationMaterial"`
	Envelope  dsse                 `json:"dsseEnvelope"`
}

type verificationMaterial struct {
	PublicKey struct {
		Hint []byte `json:"hint"` // the SHA-256 of the SubjectPublicKeyInfo, as cosign writes it
	} `json:"publicKey"`
}

// sigstoreBundle follows from the signed manifest. Its envelope has no keyid:
// cosign passes over a signature whose keyid is not an SSH fingerprint.
func sigstoreBundle(m *Manifest, manifest, signature []byte) ([]byte, error) {
	hint, err := hex.DecodeString(m.KeyID)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", SigstoreName, err)
	}
	envelope := Envelope{Manifest: manifest, Signature: signature}
	b := sigstore{MediaType: sigstoreType, Envelope: envelope.dsse()}
	b.Material.PublicKey.Hint = hint
	text, err := report.CanonicalJSON(b)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", SigstoreName, err)
	}
	return text, nil
}
