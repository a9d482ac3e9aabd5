package tilelog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxSize bounds the size of a tree, in leaves. Beyond 2^62 the arithmetic of
// proofs would not end.
const MaxSize = 1 << 40

// MaxCheckpoint bounds a signed checkpoint, in bytes: 32 cosignatures of
// ML-DSA-44 are within it.
const MaxCheckpoint = 128 << 10

// ErrNotSigned says that the wanted key did not sign a checkpoint.
var ErrNotSigned = errors.New("not signed by the log's key")

// Checkpoint is the state of a log: it stands for every leaf up to its size.
type Checkpoint struct {
	Origin string // the log's name for itself
	Size   int64  // leaves
	Root   tlog.Hash
}

// text is what is signed.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// sign gives the signed note. The same checkpoint and key give the same bytes.
func (c Checkpoint) sign(key note.Signer) ([]byte, error) {
	if key.Name() != c.Origin {
		return nil, fmt.Errorf("sign checkpoint of %s: the key is named %s", c.Origin, key.Name())
	}
	signed, err := note.Sign(&note.Note{Text: c.text()}, key)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint of %s: %w", c.Origin, err)
	}
	return signed, nil
}

// ParseCheckpoint reads a signed checkpoint and does not ask who signed it.
func ParseCheckpoint(signed []byte) (Checkpoint, error) {
	c, err := parseCheckpoint(signed)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read checkpoint: %w", err)
	}
	return c, nil
}

// ParseHead reads a signed checkpoint as [ParseCheckpoint] does, and keeps its
// signed form beside it.
func ParseHead(signed []byte) (Head, error) {
	c, err := ParseCheckpoint(signed)
	return Head{c, signed}, err
}

// VerifyCheckpoint reads a checkpoint that the key must have signed; the key's
// name must be the checkpoint's origin. Errors: [ErrNotSigned].
func VerifyCheckpoint(signed []byte, key note.Verifier) (Checkpoint, error) {
	c, err := ParseCheckpoint(signed)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != key.Name() {
		return Checkpoint{}, fmt.Errorf("%w: it is of log %q, the key of log %q", ErrNotSigned, c.Origin, key.Name())
	}
	if _, err := note.Open(signed, note.VerifierList(key)); err != nil {
		return Checkpoint{}, fmt.Errorf("%w %s+%08x: %w", ErrNotSigned, key.Name(), key.KeyHash(), err)
	}
	return c, nil
}

func parseCheckpoint(signed []byte) (Checkpoint, error) {
	if len(signed) > MaxCheckpoint {
		return Checkpoint{}, fmt.Errorf("%d bytes; the limit is %d", len(signed), MaxCheckpoint)
	}
	_, err := note.Open(signed, note.VerifierList()) // knows no key, so it finds none that signed
	unverified, ok := errors.AsType[*note.UnverifiedNoteError](err)
	if !ok {
		return Checkpoint{}, err
	}
	if encodeNote(unverified.Note) != string(signed) {
		return Checkpoint{}, errors.New("not the one encoding of this note")
	}
	return parseTree(unverified.Note.Text)
}

// encodeNote writes a note as it must be. The note package accepts repeated
// signatures, line ends in base64, and other bits behind its end.
func encodeNote(n *note.Note) string {
	var b strings.Builder
	b.WriteString(n.Text + "\n")
	for _, s := range n.UnverifiedSigs {
		raw, err := base64.StdEncoding.DecodeString(s.Base64)
		if err != nil {
			return ""
		}
		fmt.Fprintf(&b, "— %s %s\n", s.Name, base64.StdEncoding.EncodeToString(raw))
	}
	return b.String()
}

func parseTree(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Checkpoint{}, errors.New("want the three lines origin, size and root")
	}
	if lines[0] == "" {
		return Checkpoint{}, errors.New("the origin is empty")
	}
	size, err := parseNumber(lines[1])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("size: %w", err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("root: %w", err)
	}
	if empty, _ := tlog.TreeHash(0, nil); size == 0 && root != empty {
		return Checkpoint{}, errors.New("the root is not that of an empty tree")
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: root}
	if c.text() != text {
		return Checkpoint{}, errors.New("not the one encoding of this checkpoint")
	}
	return c, nil
}

// parseNumber reads a size or an index.
func parseNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > MaxSize || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("%.40q is not a number from 0 to %d", text, int64(MaxSize))
	}
	return n, nil
}
