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
// the closed one. It is the new log's first leaf, signed by the export key and
// by the key of the closed log; so nobody can begin a log anew and keep quiet
// about it, nor can who has but one of the two.
type Restart struct {
	Instance string
	// Kept is the newest checkpoint of the closed log as it is kept, and Last
	// the newest that is known to have been signed, both in their signed forms.
	// Where they differ an anchor or a witness knew more, and what lies between
	// was lost.
	Kept, Last  []byte
	Closed, New LogKey // of the closed log and of this one
	At          report.Instant
	KeyID       string // of the export key that signs

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
	ClosedLogKey   string         `json:"closed_log_key"` // verifier keys
	LogKey         string         `json:"log_key"`
	RestartedAt    report.Instant `json:"restarted_at"`
	KeyID          string         `json:"key_id"`
	LogOrigin      string         `json:"log_origin"`
	LogIndex       int64          `json:"log_index"`
}

// statement gives the restart's only encoding.
func (r *Restart) statement() ([]byte, error) {
	for _, err := range []error{
		checkText("instance", r.Instance), checkTime("restarted_at", r.At), checkShape("key_id", r.KeyID, keyIDShape), r.follows(),
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
			ClosedLogKey: r.Closed.String(), LogKey: r.New.String(),
			RestartedAt: r.At, KeyID: r.KeyID, LogOrigin: r.New.Origin(),
		},
	})
}

// follows wants the checkpoints to be of another log, with another key: a log
// is its name and its key, and policies know none by its key alone.
func (r *Restart) follows() error {
	if r.Closed.verifier == nil || r.New.verifier == nil {
		return errors.New("it names no key of a log")
	}
	if r.Closed.ID() == r.New.ID() {
		return fmt.Errorf("log %s has the key of the log that it follows", r.New.Origin())
	}
	if _, err := tilelog.VerifyCheckpoint(r.Kept, r.Closed.verifier); err != nil {
		return fmt.Errorf("kept_checkpoint: %w", err)
	}
	last, err := tilelog.ParseCheckpoint(r.Last)
	if err == nil && last.Origin == r.Closed.Origin() {
		_, err = tilelog.VerifyCheckpoint(r.Last, r.Closed.verifier)
	}
	if err != nil {
		return fmt.Errorf("last_checkpoint: %w", err)
	}
	if last.Origin == r.New.Origin() || r.Closed.Origin() == r.New.Origin() {
		return fmt.Errorf("log %s can't follow itself", r.New.Origin())
	}
	return nil
}

// leaf is what stands in the log: a DSSE envelope with the signatures of the
// export key and of the closed log's key, in this order.
func (r *Restart) leaf(sign, signClosed func([]byte) []byte) ([]byte, error) {
	text, err := r.statement()
	if err != nil {
		return nil, fmt.Errorf("restart log: %w", err)
	}
	message := pae(PayloadType, text)
	return report.CanonicalJSON(dsse{
		Payload: text, PayloadType: PayloadType,
		Signatures: []dsseSignature{{r.KeyID, sign(message)}, {r.Closed.ID(), signClosed(message)}},
	})
}

// Check tells whether this key, pinned for exports, signed a restart that was
// read.
func (r *Restart) Check(key PublicKey) error {
	if err := key.usableFor(ForExport); err != nil {
		return err
	}
	if key.ID() != r.KeyID || !key.signed(r.text, r.signature) {
		return fmt.Errorf("key %s did not sign the restart of log %s", key.ID(), r.New.Origin())
	}
	return nil
}

// ParseRestart reads a restart from the leaf of a log, and makes sure that the
// key of the closed log signed it and its last checkpoint. It does not ask
// whether that key is to be trusted, nor about the export key.
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
	if len(d.Signatures) != 2 {
		return nil, fmt.Errorf("%d signatures; want those of the export key and of the closed log's key", len(d.Signatures))
	}
	r, err := s.Predicate.restart()
	if err != nil {
		return nil, err
	}
	r.text, r.signature = d.Payload, d.Signatures[0].Sig
	given := func(i int) func([]byte) []byte { return func([]byte) []byte { return d.Signatures[i].Sig } }
	again, err := r.leaf(given(0), given(1))
	if err == nil {
		err = sameBytes("the one encoding of this restart", again, leaf)
	}
	if err == nil && !r.Closed.signed(d.Payload, d.Signatures[1].Sig) {
		err = fmt.Errorf("key %s of the closed log did not sign it", r.Closed.ID())
	}
	return r, err
}

func (p *restartPredicate) restart() (*Restart, error) {
	closed, err := ParseLogKey([]byte(p.ClosedLogKey))
	if err != nil {
		return nil, err
	}
	begun, err := ParseLogKey([]byte(p.LogKey))
	if err != nil {
		return nil, err
	}
	return &Restart{
		Instance: p.Instance, Kept: []byte(p.KeptCheckpoint), Last: []byte(p.LastCheckpoint),
		Closed: closed, New: begun, At: p.RestartedAt, KeyID: p.KeyID,
	}, nil
}

// BeginLog makes a log in a directory that is not there yet, with a restart as
// its first leaf. logKey is its key, closedKey that of the log that it follows,
// key that of exports; they name the keys of r.
func BeginLog(ctx context.Context, dir, origin string, logKey, closedKey, key *SigningKey, r Restart) error {
	if err := key.Public.usableFor(ForExport); err != nil {
		return fmt.Errorf("begin log %s: %w", dir, err)
	}
	kept, err := tilelog.ParseCheckpoint(r.Kept)
	if err != nil {
		return fmt.Errorf("begin log %s: %w", dir, err)
	}
	if r.Closed, err = NewLogKey(kept.Origin, closedKey.Public); err != nil {
		return fmt.Errorf("begin log %s: %w", dir, err)
	}
	if r.New, err = NewLogKey(origin, logKey.Public); err != nil {
		return fmt.Errorf("begin log %s: %w", dir, err)
	}
	r.KeyID = key.Public.ID()
	l, err := OpenLog(dir, logKey, origin)
	if err != nil {
		return err
	}
	if err := same("entries", 0, l.Size()); err != nil {
		return errors.Join(fmt.Errorf("begin log %s: %w", dir, err), l.Close())
	}
	_, err = l.Append(ctx, func(int64) ([]byte, error) { return r.leaf(key.sign, closedKey.sign) })
	return errors.Join(err, l.Close())
}

// OpenRecalledLog is [OpenLog] of a log of which more is known than its files say,
// see [tilelog.OpenRecalled]; recall is nil where it is not. An anchor of the log
// that this one follows is brought up to date, if the restart names what it holds;
// anchor is "" for none.
func OpenRecalledLog(dir string, key *SigningKey, origin, anchor string, recall *tilelog.Recall) (*tilelog.Log, error) {
	public, err := NewLogKey(origin, key.Public)
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	if anchor == "" {
		return tilelog.OpenRecalled(dir, logSigner{public.verifier, key.sign}, nil, recall)
	}
	a, err := tilelog.OpenAnchor(anchor)
	if err != nil {
		return nil, err
	}
	l, err := openAnchored(dir, key, public, a, recall)
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return l, nil
}

func openAnchored(dir string, key *SigningKey, public LogKey, a *tilelog.Anchor, recall *tilelog.Recall) (*tilelog.Log, error) {
	if len(a.Signed()) > 0 {
		held, err := tilelog.ParseCheckpoint(a.Signed())
		if err == nil && held.Origin != public.Origin() {
			err = succeed(dir, key, public.Origin(), a, recall)
		}
		if err != nil {
			return nil, fmt.Errorf("anchor %s: %w", a.Path(), err)
		}
	}
	return tilelog.OpenRecalled(dir, logSigner{public.verifier, key.sign}, a, recall)
}

// succeed makes an anchor hold the first checkpoint of a log that says in its
// first leaf that it follows what the anchor holds.
func succeed(dir string, key *SigningKey, origin string, a *tilelog.Anchor, recall *tilelog.Recall) error {
	l, err := OpenRecalledLog(dir, key, origin, "", recall)
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
