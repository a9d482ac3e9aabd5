package evidence

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"

	"licensekit/exporter/report"
)

// Envelope is a signed manifest: what is stored of an export beside its
// artifact. Who holds one knows nothing yet of whether the signature is right.
type Envelope struct {
	Manifest  []byte // the encoding of [Manifest.Marshal]
	KeyID     string
	Signature []byte // raw Ed25519, 64 bytes
}

// MaxEnvelope bounds the JSON form of an envelope, in bytes.
const MaxEnvelope = 128 << 10

// dsse is the JSON form of a DSSE envelope; byte slices stand there in base64.
type dsse struct {
	Payload     []byte          `json:"payload"`
	PayloadType string          `json:"payloadType"`
	Signatures  []dsseSignature `json:"signatures"`
}

type dsseSignature struct {
	KeyID string `json:"keyid,omitempty"`
	Sig   []byte `json:"sig"`
}

// Marshal gives the DSSE envelope in RFC 8785 form.
func (e *Envelope) Marshal() ([]byte, error) {
	text, err := report.CanonicalJSON(e.dsse())
	if err != nil {
		return nil, fmt.Errorf("encode envelope: %w", err)
	}
	return text, nil
}

func (e *Envelope) dsse() dsse {
	return dsse{
		Payload:     e.Manifest,
		PayloadType: PayloadType,
		Signatures:  []dsseSignature{{KeyID: e.KeyID, Sig: e.Signature}},
	}
}

// ParseEnvelope reads what [Envelope.Marshal] writes and nothing else: one
// signature over a sound manifest that names the same key.
func ParseEnvelope(text []byte) (*Envelope, error) {
	e, err := decodeEnvelope(text)
	if err != nil {
		return nil, fmt.Errorf("read envelope: %w", err)
	}
	return e, nil
}

func decodeEnvelope(text []byte) (*Envelope, error) {
	if len(text) > MaxEnvelope {
		return nil, fmt.Errorf("%d bytes; the limit is %d", len(text), MaxEnvelope)
	}
	var d dsse
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, err
	}
	if err := sameText("payloadType", PayloadType, d.PayloadType); err != nil {
		return nil, err
	}
	if len(d.Signatures) != 1 {
		return nil, fmt.Errorf("%d signatures; want one", len(d.Signatures))
	}
	e := &Envelope{Manifest: d.Payload, KeyID: d.Signatures[0].KeyID, Signature: d.Signatures[0].Sig}
	again, err := e.Marshal()
	if err == nil {
		err = sameBytes("the one encoding of this envelope", again, text)
	}
	if err == nil {
		_, err = e.Parse()
	}
	return e, err
}

// Parse reads the manifest, which must name the key of the envelope.
func (e *Envelope) Parse() (*Manifest, error) {
	if len(e.Signature) != ed25519.SignatureSize {
		return nil, fmt.Errorf("a signature of %d bytes; want %d", len(e.Signature), ed25519.SignatureSize)
	}
	m, err := ParseManifest(e.Manifest)
	if err != nil {
		return nil, err
	}
	if m.KeyID != e.KeyID {
		return nil, errors.New("the manifest names another key than the envelope")
	}
	return m, nil
}

// Check tells whether this key, pinned for exports, signed the envelope.
func (e *Envelope) Check(key PublicKey) error {
	if err := key.usableFor(ForExport); err != nil {
		return err
	}
	if err := sameText("key id", key.ID(), e.KeyID); err != nil {
		return err
	}
	if !key.signed(e.Manifest, e.Signature) {
		return fmt.Errorf("key %s did not sign this manifest", key.ID())
	}
	return nil
}
