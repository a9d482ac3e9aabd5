package evidence

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/report"
)

// LogKey is the public key of a log, with the log's name.
type LogKey struct {
	PublicKey
	verifier note.Verifier
}

// NewLogKey names a key [ForLog] after its log.
func NewLogKey(origin string, key PublicKey) (LogKey, error) {
	err := key.usableFor(ForLog)
	if err == nil {
		err = checkShape("log_origin", origin, originShape)
	}
	if err != nil {
		return LogKey{}, fmt.Errorf("key of a log: %w", err)
	}
	text, err := note.NewEd25519VerifierKey(origin, key.key)
	if err != nil {
		return LogKey{}, fmt.Errorf("key of log %s: %w", origin, err)
	}
	verifier, err := note.NewVerifier(text)
	return LogKey{key, verifier}, err
}

// ParseLogKey reads a pinned log key: a verifier key of a C2SP signed note,
// "<origin>+<hash>+<key>", on one line.
func ParseLogKey(text []byte) (LogKey, error) {
	key, err := parseLogKey(strings.TrimSpace(string(text)))
	if err != nil {
		return LogKey{}, fmt.Errorf("read log key: %w", err)
	}
	return key, nil
}

func parseLogKey(text string) (LogKey, error) {
	if len(text) > maxKeyFile {
		return LogKey{}, fmt.Errorf("more than %d bytes", maxKeyFile)
	}
	verifier, err := note.NewVerifier(text)
	if err != nil {
		return LogKey{}, err
	}
	// The key itself is in base64, and may have a plus too.
	raw, err := base64.StdEncoding.DecodeString(strings.SplitN(text, "+", 3)[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize {
		return LogKey{}, fmt.Errorf("want an %s key", Algorithm)
	}
	key, err := NewLogKey(verifier.Name(), PublicKey{ForLog, ed25519.PublicKey(raw[1:])})
	if err == nil && key.String() != text {
		err = errors.New("not the one encoding of this key")
	}
	return key, err
}

// Origin is the log's name.
func (k LogKey) Origin() string { return k.verifier.Name() }

// String is the verifier key, as [ParseLogKey] and spicy read it.
func (k LogKey) String() string {
	text, err := note.NewEd25519VerifierKey(k.Origin(), k.key)
	if err != nil {
		panic("evidence: encode log key: " + err.Error())
	}
	return text
}

// Record is the key as the API shows it.
func (k LogKey) Record(status Status, created report.Instant) PublicKeyRecord {
	record := k.PublicKey.Record(status, created)
	record.VerifierKey = k.String()
	return record
}

// logSigner is a signing key under its log's name.
type logSigner struct {
	note.Verifier
	sign func(message []byte) []byte
}

func (s logSigner) Sign(message []byte) ([]byte, error) { return s.sign(message), nil }

// OpenLog opens the log of a directory, see [tilelog.Open]. Only a key [ForLog]
// can sign its checkpoints. The origin names the log in all that it signs; two
// logs must never have the same.
func OpenLog(dir string, key *SigningKey, origin string) (*tilelog.Log, error) {
	return OpenRecalledLog(dir, key, origin, "", nil)
}
