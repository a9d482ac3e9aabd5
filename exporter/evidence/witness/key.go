package witness

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// The algorithm bytes of verifier keys of cosigners (C2SP tlog-cosignature).
const (
	algorithmEd25519 = 4
	algorithmMLDSA44 = 6
)

// maxKey bounds a verifier key, in bytes; one of ML-DSA-44 has some 1,800.
const maxKey = 4 << 10

// Key is the public key of a witness, with the witness's name.
type Key struct {
	verifier note.Verifier
	text     string
	public   string // the key alone, with its algorithm
}

// ParseKey reads a verifier key of a cosigner, "<name>+<hash>+<key>", in its
// one encoding.
func ParseKey(text string) (Key, error) {
	key, err := parseKey(text)
	if err != nil {
		return Key{}, fmt.Errorf("read witness key %.40q: %w", text, err)
	}
	return key, nil
}

func parseKey(text string) (Key, error) {
	if len(text) > maxKey {
		return Key{}, fmt.Errorf("more than %d bytes", maxKey)
	}
	verifier, err := formats.NewVerifierForCosignatureV1(text)
	if err != nil {
		return Key{}, err
	}
	raw, err := base64.StdEncoding.DecodeString(strings.SplitN(text, "+", 3)[2])
	if err != nil {
		return Key{}, err
	}
	if raw[0] != algorithmEd25519 && raw[0] != algorithmMLDSA44 {
		return Key{}, errors.New("it is a key of a log; that of a witness has type 4 (Ed25519) or 6 (ML-DSA-44)")
	}
	key := Key{verifier, text, string(raw)}
	// The hash that stands in the text is not compared by who read it.
	if again := encodeKey(verifier, raw); again != text {
		return Key{}, fmt.Errorf("not the one encoding of this key, which is %.60s…", again)
	}
	return key, nil
}

func encodeKey(v note.Verifier, raw []byte) string {
	return fmt.Sprintf("%s+%08x+%s", v.Name(), v.KeyHash(), base64.StdEncoding.EncodeToString(raw))
}

// NewKey names an Ed25519 key after a witness. A name has no spaces and no
// plus; a URL without its scheme is usual.
func NewKey(name string, public ed25519.PublicKey) (Key, error) {
	plain, err := note.NewEd25519VerifierKey(name, public)
	if err != nil {
		return Key{}, fmt.Errorf("key of witness %q: %w", name, err)
	}
	text, err := formats.VKeyToCosignatureV1(plain)
	if err != nil {
		return Key{}, fmt.Errorf("key of witness %q: want a name without spaces and plus: %w", name, err)
	}
	return ParseKey(text)
}

// Name is the witness's name.
func (k Key) Name() string { return k.verifier.Name() }

// String is the verifier key, as [ParseKey] and policies take it.
func (k Key) String() string { return k.text }

// Same tells whether two keys are one, under whatever names.
func (k Key) Same(other Key) bool { return k.public == other.public }

// ParseKeys reads a list of witnesses: a verifier key a line, empty lines and
// those that begin with # aside. No key stands twice.
func ParseKeys(text []byte) (keys []Key, err error) {
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, err := ParseKey(line)
		if err == nil {
			keys, err = add(keys, key)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return keys, nil
}

// add refuses a key that is there, under whatever name.
func add(keys []Key, key Key) ([]Key, error) {
	for _, other := range keys {
		if other.Same(key) {
			return nil, fmt.Errorf("the key of witness %s stands twice, also as %s", key.Name(), other.Name())
		}
	}
	return append(keys, key), nil
}
