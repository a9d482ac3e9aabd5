package evidence

import (
	"crypto/ed25519"
	"fmt"
	"strconv"
)

// PayloadType is what a signature says its payload is.
const PayloadType = "application/vnd.in-toto+json"

// pae is the DSSE v1 pre-authentication encoding: what is signed in place of
// the payload, so that a payload of one type can't pass for one of another.
func pae(payloadType string, payload []byte) []byte {
	return append([]byte(paeHead(payloadType, len(payload))), payload...)
}

// paeHead is all of the encoding that stands before the payload.
func paeHead(payloadType string, payloadSize int) string {
	return "DSSEv1 " + strconv.Itoa(len(payloadType)) + " " + payloadType + " " + strconv.Itoa(payloadSize) + " "
}

// Seal signs a manifest, whose KeyID it sets. The same key and manifest give
// the same envelope. Only a key [ForExport] can.
func (k *SigningKey) Seal(m Manifest) (*Envelope, error) {
	if err := k.Public.usableFor(ForExport); err != nil {
		return nil, fmt.Errorf("seal export %s: %w", m.ExportID, err)
	}
	m.KeyID = k.Public.ID()
	text, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	return &Envelope{Manifest: text, KeyID: m.KeyID, Signature: k.sign(pae(PayloadType, text))}, nil
}

// usableFor refuses a key of another purpose.
func (k PublicKey) usableFor(purpose Purpose) error {
	if k.purpose != purpose {
		return fmt.Errorf("key %s is for purpose %q, not %q", k.ID(), k.purpose, purpose)
	}
	return nil
}

// signed tells whether the key signed this manifest.
func (k PublicKey) signed(manifest, signature []byte) bool {
	return len(signature) == ed25519.SignatureSize && ed25519.Verify(k.key, pae(PayloadType, manifest), signature)
}
