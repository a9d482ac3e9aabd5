package witness

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

const testOrigin = "licensekit/lki_test"

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// secretOf gives the same secret for the same name.
func secretOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func signWith(secret ed25519.PrivateKey) func([]byte) []byte {
	return func(message []byte) []byte { return ed25519.Sign(secret, message) }
}

func keyOf(t testing.TB, name string) Key {
	t.Helper()
	key, err := NewKey(name, secretOf(name).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// skeyOf is the secret as the note package writes it.
func skeyOf(t testing.TB, name string) string {
	t.Helper()
	secret := secretOf(name)
	vkey, err := note.NewEd25519VerifierKey(name, secret.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, v.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{1}, secret.Seed()...)))
}

func logVerifier(t testing.TB) note.Verifier {
	t.Helper()
	v, err := note.NewVerifier(logKey(t, testOrigin))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func logKey(t testing.TB, origin string) string {
	t.Helper()
	vkey, err := note.NewEd25519VerifierKey(origin, secretOf(origin).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return vkey
}

// checkpointText is what is signed of a tree of 7.
func checkpointText() string {
	return testOrigin + "\n7\n" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)) + "\n"
}

// signed is a checkpoint with the log's signature and those of further signers.
func signed(t testing.TB, more ...note.Signer) []byte {
	t.Helper()
	ours, err := note.NewSigner(skeyOf(t, testOrigin))
	if err != nil {
		t.Fatal(err)
	}
	text, err := note.Sign(&note.Note{Text: checkpointText()}, append([]note.Signer{ours}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// cosigner signs as transparency-dev's program does, with the time of now.
func cosigner(t testing.TB, name string) note.Signer {
	t.Helper()
	s, err := formats.NewSignerForCosignatureV1(skeyOf(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cosignedBy is the checkpoint with the cosignatures of these names, at noon.
func cosignedBy(t testing.TB, names ...string) *Cosigned {
	t.Helper()
	c, err := Read(signed(t), logVerifier(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := c.Cosign(keyOf(t, name), signWith(secretOf(name)), noon); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func marshal(t testing.TB, c *Cosigned) []byte {
	t.Helper()
	text, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
