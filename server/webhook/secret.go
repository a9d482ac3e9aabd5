package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"licensekit/exporter/audit"
)

const secretPrefix = "whsec_"

var alphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newSecret has 256 random bits.
func newSecret() string {
	var random [32]byte
	rand.Read(random[:]) // never fails: the runtime ends the process instead
	return secretPrefix + alphabet.EncodeToString(random[:])
}

// The lengths of secrets that others make, in bytes.
const (
	minSecret = 24
	maxSecret = 256
)

func checkSecret(secret string) error {
	if len(secret) < minSecret || len(secret) > maxSecret {
		return &FieldError{"secret", fmt.Sprintf("is %d bytes long, must have %d to %d", len(secret), minSecret, maxSecret)}
	}
	if strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return &FieldError{"secret", "must be ASCII without spaces"}
	}
	return nil
}

// publicPart is what is shown of a secret, to tell it from others.
func publicPart(secret string) string {
	if strings.HasPrefix(secret, secretPrefix) {
		return secret[:len(secretPrefix)+4]
	}
	return secret[:4]
}

// signature is the value of X-Locksmith-Signature.
func signature(secret string, at time.Time, deliveryID string, body []byte) string {
	timestamp := at.Unix()
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s.", timestamp, deliveryID)
	mac.Write(body)
	return fmt.Sprintf("t=%d,v1=%s", timestamp, hex.EncodeToString(mac.Sum(nil)))
}

// deliveryID is the same for the same event and endpoint, so that it need not be
// kept before the first attempt. It follows from all of the event: a directory
// that was restored from a backup gives its sequence to another one.
func deliveryID(endpoint string, event audit.Event) (string, error) {
	text, err := json.Marshal(event)
	sum := sha256.Sum256([]byte(endpoint + "\x00" + string(text)))
	return "whd_" + alphabet.EncodeToString(sum[:16]), err
}
