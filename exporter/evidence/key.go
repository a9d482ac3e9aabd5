package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"licensekit/exporter/report"
)

// Purpose says what a key signs. A key has one purpose for life.
type Purpose string

// The purposes of keys.
const (
	ForExport  Purpose = "export"  // manifests
	ForLog     Purpose = "log"     // checkpoints of the log
	ForWitness Purpose = "witness" // checkpoints of others' logs, see [Cosigner]
)

// Algorithm is the only one there is.
const Algorithm = "Ed25519"

// PublicKey checks signatures. The zero value is no key.
type PublicKey struct {
	purpose Purpose
	key     ed25519.PublicKey
}

// Purpose is what the key signs, or for a pinned key what it is trusted with.
func (k PublicKey) Purpose() Purpose { return k.purpose }

// spki is the key as a SubjectPublicKeyInfo in DER.
func (k PublicKey) spki() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		panic("evidence: encode Ed25519 public key: " + err.Error())
	}
	return der
}

// ID is the key's name in manifests: the SHA-256 of its SubjectPublicKeyInfo
// in DER, 64 lower-case hex digits.
func (k PublicKey) ID() string {
	sum := sha256.Sum256(k.spki())
	return hex.EncodeToString(sum[:])
}

// Fingerprint is the id in groups of eight digits, to be read aloud.
func (k PublicKey) Fingerprint() string {
	id := k.ID()
	var groups []string
	for i := 0; i < len(id); i += 8 {
		groups = append(groups, id[i:i+8])
	}
	return strings.Join(groups, " ")
}

// PEM is the SubjectPublicKeyInfo in PEM, as openssl and cosign read it.
func (k PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: publicKeyBlock, Bytes: k.spki()})
}

const publicKeyBlock = "PUBLIC KEY"

// maxKeyFile bounds a key file, in bytes.
const maxKeyFile = 16 << 10

// ParsePublicKey reads a pinned key: one SubjectPublicKeyInfo in PEM and
// nothing after it. PEM does not say what a key is for, so the caller does.
func ParsePublicKey(purpose Purpose, text []byte) (PublicKey, error) {
	der, err := onlyBlock(text, publicKeyBlock)
	if err != nil {
		return PublicKey{}, fmt.Errorf("read public key: %w", err)
	}
	return parseSPKI(purpose, der)
}

func parseSPKI(purpose Purpose, der []byte) (PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return PublicKey{}, fmt.Errorf("read public key: %w", err)
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return PublicKey{}, fmt.Errorf("read public key: it is %s, want an %s key", typeName(parsed), Algorithm)
	}
	return PublicKey{purpose, key}, nil
}

// onlyBlock gives the content of the only PEM block of a text. Two are refused
// rather than the second ignored: whoever put it there meant something by it.
func onlyBlock(text []byte, want string) ([]byte, error) {
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("more than %d bytes", maxKeyFile)
	}
	if n := bytes.Count(text, []byte("-----BEGIN ")); n > 1 {
		return nil, fmt.Errorf("%d PEM blocks in one file; want one key a file", n)
	}
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return nil, fmt.Errorf("no PEM block; want -----BEGIN %s-----", want)
	case block.Type == privateKeyBlock && want == publicKeyBlock:
		return nil, errors.New("this is a private key, which must stay where it is; ask for the public one")
	case block.Type != want || len(block.Headers) > 0:
		return nil, fmt.Errorf("PEM block %.40q; want a plain %q", block.Type, want)
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, fmt.Errorf("text after the PEM block: %.40q", bytes.TrimSpace(rest))
	}
	return block.Bytes, nil
}

// typeName is what a key that is not ours is: "an RSA key".
func typeName(key any) string {
	name := strings.TrimPrefix(fmt.Sprintf("%T", key), "*")
	pkg, _, _ := strings.Cut(name, ".")
	return map[string]string{"rsa": "an RSA key", "ecdsa": "an ECDSA key", "ecdh": "a key for ECDH", "dsa": "a DSA key", "ed25519": "an Ed25519 key"}[pkg]
}

// Status says whether a key still signs.
type Status string

// The states of a key. What a retired key signed stays valid.
const (
	Active  Status = "active"
	Retired Status = "retired"
)

// PublicKeyRecord is a key as the API shows it.
type PublicKeyRecord struct {
	KID       string         `json:"kid"`
	Algorithm string         `json:"algorithm"`
	PublicKey []byte         `json:"public_key"` // the raw 32 bytes, in base64
	Status    Status         `json:"status"`
	CreatedAt report.Instant `json:"created_at"`
	Purpose   Purpose        `json:"purpose"`
	PEM       string         `json:"pem"`
	// VerifierKey is the key as readers of signed notes take it, with the log's
	// name; only keys [ForLog] have one, see [LogKey].
	VerifierKey string `json:"verifier_key,omitempty"`
}

// Record is the key as the API shows it.
func (k PublicKey) Record(status Status, created report.Instant) PublicKeyRecord {
	return PublicKeyRecord{
		KID: k.ID(), Algorithm: Algorithm, PublicKey: bytes.Clone(k.key), Status: status,
		CreatedAt: created, Purpose: k.purpose, PEM: string(k.PEM()),
	}
}
