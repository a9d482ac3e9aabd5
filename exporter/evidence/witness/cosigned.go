package witness

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"

	"licensekit/exporter/evidence/tilelog"
)

// Cosignature is a witness's signature on a checkpoint.
type Cosignature struct {
	Witness Key
	At      time.Time // by the witness's clock, in seconds; zero where it says none
	line    note.Signature
}

// Cosigned is a checkpoint with the signatures on it.
type Cosigned struct {
	tilelog.Checkpoint
	// By are the cosignatures of witnesses that are known; each was found good.
	By []Cosignature
	// Strangers are the signatures of others, of which nothing is known.
	Strangers []note.Signature

	text string
	log  note.Signature
}

// Read reads a checkpoint that the log must have signed, and finds the
// cosignatures on it. One that bears a known witness's name and is none of
// its is an error. Errors: [tilelog.ErrNotSigned].
func Read(signed []byte, log note.Verifier, known []Key) (*Cosigned, error) {
	checkpoint, err := tilelog.VerifyCheckpoint(signed, log)
	if err != nil {
		return nil, err
	}
	c, err := read(signed, log, known)
	if err != nil {
		return nil, fmt.Errorf("cosignatures on size %d of %s: %w", checkpoint.Size, checkpoint.Origin, err)
	}
	c.Checkpoint = checkpoint
	return c, nil
}

func read(signed []byte, log note.Verifier, known []Key) (*Cosigned, error) {
	verifiers := []note.Verifier{log}
	for _, key := range known {
		verifiers = append(verifiers, key.verifier)
	}
	opened, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		return nil, err
	}
	if again, err := note.Sign(opened); err != nil || len(again) != len(signed) { // a second one is passed over
		return nil, fmt.Errorf("a known key signed twice (%d bytes of %d)", len(again), len(signed))
	}
	c := &Cosigned{text: opened.Text, Strangers: opened.UnverifiedSigs}
	for _, line := range opened.Sigs {
		if line.Name == log.Name() && line.Hash == log.KeyHash() {
			c.log = line
			continue
		}
		i := slices.IndexFunc(known, func(k Key) bool { return k.Name() == line.Name && k.verifier.KeyHash() == line.Hash })
		at, err := timeOf(line)
		if err != nil {
			return nil, fmt.Errorf("witness %s: %w", line.Name, err)
		}
		c.By = append(c.By, Cosignature{known[i], at, line})
	}
	return c, nil
}

// latest bounds the time of a cosignature: the last second that RFC 3339 has.
const latest = 253402300799

// timeOf reads the time that stands in front of a cosignature.
func timeOf(line note.Signature) (time.Time, error) {
	raw, err := base64.StdEncoding.DecodeString(line.Base64)
	if err != nil || len(raw) < 12 {
		return time.Time{}, fmt.Errorf("no time in a cosignature of %d bytes", len(raw))
	}
	seconds := binary.BigEndian.Uint64(raw[4:])
	switch {
	case seconds > latest:
		return time.Time{}, fmt.Errorf("the time of its cosignature is %d seconds since 1970", seconds)
	case seconds == 0:
		return time.Time{}, nil
	}
	return time.Unix(int64(seconds), 0).UTC(), nil
}

// Marshal is the signed note: the log's signature, then the cosignatures of
// known witnesses in the order of their names. Strangers' are left out.
func (c *Cosigned) Marshal() ([]byte, error) {
	by := slices.SortedFunc(slices.Values(c.By), func(a, b Cosignature) int {
		return cmp.Or(cmp.Compare(a.line.Name, b.line.Name), cmp.Compare(a.line.Hash, b.line.Hash))
	})
	sigs := []note.Signature{c.log}
	for _, s := range by {
		sigs = append(sigs, s.line)
	}
	return note.Sign(&note.Note{Text: c.text, Sigs: sigs})
}

// Merge adds the cosignatures on the same checkpoint from another note. Of two
// by one witness the newer one stays: it says that the witness still knew of
// nothing later.
func (c *Cosigned) Merge(other *Cosigned) {
	for _, theirs := range other.By {
		i := slices.IndexFunc(c.By, func(ours Cosignature) bool { return ours.Witness.Same(theirs.Witness) })
		switch {
		case i < 0:
			c.By = append(c.By, theirs)
		case theirs.At.After(c.By[i].At):
			c.By[i] = theirs
		}
	}
}

// Cosign adds the signature of an Ed25519 key, whose name is the witness's. It
// takes the place of an older one by the same key.
func (c *Cosigned) Cosign(key Key, sign func(message []byte) []byte, at time.Time) error {
	raw := binary.BigEndian.AppendUint32(nil, key.verifier.KeyHash())
	raw = binary.BigEndian.AppendUint64(raw, uint64(at.Unix()))
	raw = append(raw, sign(fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at.Unix(), c.text))...)
	if !key.verifier.Verify([]byte(c.text), raw[4:]) {
		return fmt.Errorf("cosign size %d of %s: the secret is not that of key %s", c.Size, c.Origin, key)
	}
	line := note.Signature{Name: key.Name(), Hash: key.verifier.KeyHash(), Base64: base64.StdEncoding.EncodeToString(raw)}
	c.Merge(&Cosigned{By: []Cosignature{{key, at.UTC().Truncate(time.Second), line}}})
	return nil
}
