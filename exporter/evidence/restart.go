package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/report"
)

// RestartType is the type of the first leaf of a log that follows another.
const RestartType = "urn:licensekit:log-restart:1"

// Restart says that a log was closed and another begun, and what was known of
// the closed one. It is the new log's first leaf, signed by the export key; so
// nobody can begin a log anew and keep quiet about it.
type Restart struct {
	Instance string
	// Kept is the newest checkpoint of the closed log as it is kept, and Last
	// the newest that was signed, both in their signed forms. Where they differ
	// an anchor knew more, and what lies between was lost.
	Kept, Last []byte
	At         report.Instant
	KeyID      string      // of the export key that signs
	Log        LogPosition // index 0 of the new log

	text, signature []byte // of one that was read
}

// restartStatement is a restart as in-toto shapes it; its subject is the last
// checkpoint, by the digest of its signed form.
type restartStatement struct {
	Type          string           `json:"_type"`
	Subject       []subject        `json:"subject"`
	PredicateType string           `json:"predicateType"`
	Predicate     restartPredicate `json:"predicate"`
}

type restartPredicate struct {
	Instance       string         `json:"instance"`
	KeptCheckpoint string         `json:"kept_checkpoint"`
	LastCheckpoint string         `json:"last_checkpoint"`
	RestartedAt    report.Instant `json:"restarted_at"`
	KeyID          string         `json:"key_id"`
	LogOrigin      string         `json:"log_origin"`
	LogIndex       int64          `json:"log_index"`
}

// statement gives the restart's only encoding.
func (r *Restart) statement() ([]byte, error) {
	for _, err := range []error{
		checkText("instance", r.Instance), checkTime("restarted_at", r.At), checkShape("key_id", r.KeyID, keyIDShape),
		r.Log.check(), same("log_index", 0, r.Log.Index), r.supersedes(r.Kept), r.supersedes(r.Last),
	} {
		if err != nil {
			return nil, err
		}
	}
	return report.CanonicalJSON(restartStatement{
		Type:          StatementType,
		Subject:       []subject{{checkpointName, digestSet{tallyOf(r.Last).File().Digest.Hex()}}},
		PredicateType: RestartType,
		Predicate: restartPredicate{
			Instance: r.Instance, KeptCheckpoint: string(r.Kept), LastCheckpoint: string(r.Last),
			RestartedAt: r.At, KeyID: r.KeyID, LogOrigin: r.Log.Origin, LogIndex: r.Log.Index,
		},
	})
}

// supersedes wants a checkpoint, and one of another log.
func (r *Restart) supersedes(signed []byte) error {
	c, err := tilelog.ParseCheckpoint(signed)
	if err == nil && c.Origin == r.Log.Origin {
		err = fmt.Errorf("log %s can't follow itself", c.Origin)
	}
	return err
}

// leaf is what stands in the log: a DSSE envelope with one signature.
func (r *Restart) leaf(sign func([]byte) []byte) ([]byte, error) {
	text, err := r.statement()
	if err != nil {
		return nil, fmt.Errorf("restart log %s: %w", r.Log.Origin, err)
	}
	return report.CanonicalJSON(dsse{
		Payload: text, PayloadType: PayloadType,
		Signatures: []dsseSignature{{r.KeyID, sign(pae(PayloadType, text))}},
	})
}

// Check tells whether this key, pinned for exports, signed a restart that was
// read.
func (r *Restart) Check(key PublicKey) error {
	if err := key.usableFor(ForExport); err != nil {
		return err
	}
	if key.ID() != r.KeyID || !key.signed(r.text, r.signature) {
		return fmt.Errorf("key %s did not sign the restart of log %s", key.ID(), r.Log.Origin)
	}
	return nil
}

// ParseRestart reads a restart from the leaf of a log, and does not ask who
// signed it, nor the checkpoints in it.
func ParseRestart(leaf []byte) (*Restart, error) {
	r, err := parseRestart(leaf)
	if err != nil {
		return nil, fmt.Errorf("read restart of a log: %w", err)
	}
	return r, nil
}

func parseRestart(leaf []byte) (*Restart, error) {
	if len(leaf) > MaxManifest {
		return nil, fmt.Errorf("%d bytes; the limit is %d", len(leaf), MaxManifest)
	}
	var d dsse
	if err := json.Unmarshal(leaf, &d); err != nil {
		return nil, err
	}
	var s restartStatement
	if err := json.Unmarshal(d.Payload, &s); err != nil {
		return nil, err
	}
	if len(d.Signatures) != 1 {
		return nil, fmt.Errorf("%d signatures; want that of the export key", len(d.Signatures))
	}
	p := &s.Predicate
	r := &Restart{
		Instance: p.Instance, Kept: []byte(p.KeptCheckpoint), Last: []byte(p.LastCheckpoint), At: p.RestartedAt,
		KeyID: p.KeyID, Log: LogPosition{p.LogOrigin, p.LogIndex}, text: d.Payload, signature: d.Signatures[0].Sig,
	}
	again, err := r.leaf(func([]byte) []byte { return r.signature })
	if err == nil {
		err = sameBytes("the one encoding of this restart", again, leaf)
	}
	return r, err
}

// BeginLog makes a log in a directory that is not there yet, with a restart as
// its first leaf; key signs that and names it.
func BeginLog(ctx context.Context, dir string, logKey, key *SigningKey, r Restart) error {
	if err := key.Public.usableFor(ForExport); err != nil {
		return fmt.Errorf("begin log %s: %w", dir, err)
	}
	l, err := OpenLog(dir, logKey, r.Log.Origin)
	if err != nil {
		return err
	}
	if err := same("entries", 0, l.Size()); err != nil {
		return errors.Join(fmt.Errorf("begin log %s: %w", dir, err), l.Close())
	}
	r.KeyID = key.Public.ID()
	_, err = l.Append(ctx, func(int64) ([]byte, error) { return r.leaf(key.sign) })
	return errors.Join(err, l.Close())
}

// OpenAnchoredLog is [OpenLog] of a log with an anchor, see
// [tilelog.OpenAnchored]. An anchor of the log that this one follows is
// brought up to date, if the restart names what it holds.
func OpenAnchoredLog(dir string, key *SigningKey, origin, anchor string) (*tilelog.Log, error) {
	public, err := NewLogKey(origin, key.Public)
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	a, err := tilelog.OpenAnchor(anchor)
	if err != nil {
		return nil, err
	}
	l, err := openAnchored(dir, key, public, a)
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return l, nil
}

func openAnchored(dir string, key *SigningKey, public LogKey, a *tilelog.Anchor) (*tilelog.Log, error) {
	if len(a.Signed()) > 0 {
		held, err := OwnCheckpoint(a.Signed(), key)
		if err == nil && held.Origin != public.Origin() {
			err = succeed(dir, key, public.Origin(), a)
		}
		if err != nil {
			return nil, fmt.Errorf("anchor %s: %w", a.Path(), err)
		}
	}
	return tilelog.OpenAnchored(dir, logSigner{public.verifier, key.sign}, a)
}

// OwnCheckpoint reads a checkpoint that the key signed, under whatever name of
// a log. Errors: [tilelog.ErrNotSigned].
func OwnCheckpoint(signed []byte, key *SigningKey) (tilelog.Checkpoint, error) {
	c, err := tilelog.ParseCheckpoint(signed)
	if err != nil {
		return c, err
	}
	public, err := NewLogKey(c.Origin, key.Public)
	if err != nil {
		return c, err
	}
	return tilelog.VerifyCheckpoint(signed, public.verifier)
}

// succeed makes an anchor hold the first checkpoint of a log that says in its
// first leaf that it follows what the anchor holds.
func succeed(dir string, key *SigningKey, origin string, a *tilelog.Anchor) error {
	l, err := OpenLog(dir, key, origin)
	if err != nil {
		return err
	}
	defer l.Close()
	first, err := l.Entry(0)
	if err != nil {
		return fmt.Errorf("%w: the log is %s, and new", tilelog.ErrRolledBack, origin)
	}
	r, err := ParseRestart(first)
	if err != nil || !bytes.Equal(r.Last, a.Signed()) && !bytes.Equal(r.Kept, a.Signed()) {
		return fmt.Errorf("%w: the log is %s, and does not say that it follows what the anchor shows", tilelog.ErrRolledBack, origin)
	}
	return a.Hold(l.Head())
}
