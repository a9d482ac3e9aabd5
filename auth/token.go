package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"strings"
)

const (
	tokenPrefix   = "lkm_"
	secretEnd     = len(tokenPrefix) + 52 // 32 bytes in base32
	tokenLength   = secretEnd + 7         // 4 bytes in base32
	publicLength  = len(tokenPrefix) + 8  // what key_prefix shows
	redactionMark = "[redacted]"
)

var (
	alphabet   = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Token is a whole API token. However it is printed, logged or marshalled, it
// shows its public prefix alone; only [Token.Reveal] gives the text.
type Token struct {
	// A func, because fmt calls no methods on the unexported fields of others'
	// structs but prints what is in them, with some verbs through a pointer
	// too. Of a func it knows the address alone. Nil in the zero Token.
	secret func() [32]byte
}

func tokenOf(secret [32]byte) Token {
	return Token{secret: func() [32]byte { return secret }}
}

// newToken makes a token from 256 random bits.
func newToken() Token {
	var secret [32]byte
	rand.Read(secret[:]) // never fails: the runtime ends the process instead
	return tokenOf(secret)
}

// ParseToken reads the text form. Errors: [ErrMissing] for "", [ErrMalformed]
// for all that is not exactly what [Token.Reveal] writes.
func ParseToken(text string) (Token, error) {
	if text == "" {
		return Token{}, ErrMissing
	}
	if len(text) != tokenLength || !strings.HasPrefix(text, tokenPrefix) {
		return Token{}, ErrMalformed
	}
	var secret [32]byte
	if _, err := alphabet.Decode(secret[:], []byte(text[len(tokenPrefix):secretEnd])); err != nil {
		return Token{}, ErrMalformed
	}
	// base32 skips line breaks and ignores unused bits; writing the token again
	// refuses both, and compares the checksum on the way.
	token := tokenOf(secret)
	if token.Reveal() != text {
		return Token{}, ErrMalformed
	}
	return token, nil
}

// Reveal gives the token's text, for its owner and nobody else. The zero
// Token's is "".
func (t Token) Reveal() string {
	if t.secret == nil {
		return ""
	}
	secret := t.secret()
	body := tokenPrefix + alphabet.EncodeToString(secret[:])
	return body + checksum(body)
}

func checksum(body string) string {
	sum := crc32.Checksum([]byte(body), castagnoli)
	return alphabet.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// prefix is the part of the token that is public.
func (t Token) prefix() string { return t.Reveal()[:publicLength] }

// hash is what the store keeps of the token: SHA-256 of the secret, in hex.
func (t Token) hash() string {
	secret := t.secret()
	sum := sha256.Sum256(secret[:])
	return hex.EncodeToString(sum[:])
}

// String gives the public prefix and a mark in place of the rest.
func (t Token) String() string {
	if t.secret == nil {
		return redactionMark
	}
	return t.prefix() + redactionMark
}

// Format prints what String gives for every verb, %#v and %x included.
func (t Token) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }

// MarshalText gives what String gives, so JSON shows no more.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue gives what String gives.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }
