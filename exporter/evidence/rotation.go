package evidence

import (
	"encoding/json"
	"errors"
	"fmt"

	"licensekit/exporter/report"
)

// The types of leaves beside [PredicateType]. A tombstone says that an export's
// files were deleted on purpose; no program writes one yet.
const (
	RotationType  = "urn:licensekit:key-rotation:1"
	TombstoneType = "urn:licensekit:tombstone:1"
)

// Rotation says that a key was replaced by another. It is a leaf of the log,
// signed by both, so neither's holder can have done it alone.
type Rotation struct {
	Instance string
	Old, New PublicKey
	At       report.Instant
	Log      LogPosition
}

// rotationStatement is a rotation as in-toto shapes it; its subject is the new
// key, by its id.
type rotationStatement struct {
	Type          string            `json:"_type"`
	Subject       []subject         `json:"subject"`
	PredicateType string            `json:"predicateType"`
	Predicate     rotationPredicate `json:"predicate"`
}

type rotationPredicate struct {
	Instance  string         `json:"instance"`
	Purpose   Purpose        `json:"purpose"`
	OldKey    []byte         `json:"old_key"` // SubjectPublicKeyInfo in DER
	NewKey    []byte         `json:"new_key"`
	RotatedAt report.Instant `json:"rotated_at"`
	LogOrigin string         `json:"log_origin"`
	LogIndex  int64          `json:"log_index"`
}

// statement gives the rotation's only encoding.
func (r *Rotation) statement() ([]byte, error) {
	for _, err := range []error{
		checkText("instance", r.Instance), checkTime("rotated_at", r.At), r.Log.check(), r.New.usableFor(r.Old.purpose),
	} {
		if err != nil {
			return nil, err
		}
	}
	if r.Old.ID() == r.New.ID() {
		return nil, errors.New("a key can't replace itself")
	}
	return report.CanonicalJSON(rotationStatement{
		Type:          StatementType,
		Subject:       []subject{{string(r.New.purpose) + ".pub", digestSet{r.New.ID()}}},
		PredicateType: RotationType,
		Predicate: rotationPredicate{
			Instance: r.Instance, Purpose: r.Old.purpose, OldKey: r.Old.spki(), NewKey: r.New.spki(),
			RotatedAt: r.At, LogOrigin: r.Log.Origin, LogIndex: r.Log.Index,
		},
	})
}

// leaf is what stands in the log: a DSSE envelope with both signatures, the
// old key's first.
func (r *Rotation) leaf(signOld, signNew func([]byte) []byte) ([]byte, error) {
	text, err := r.statement()
	if err != nil {
		return nil, fmt.Errorf("rotate key %s: %w", r.Old.ID(), err)
	}
	message := pae(PayloadType, text)
	return report.CanonicalJSON(dsse{
		Payload: text, PayloadType: PayloadType,
		Signatures: []dsseSignature{{r.Old.ID(), signOld(message)}, {r.New.ID(), signNew(message)}},
	})
}

// ParseRotation reads a rotation from a leaf of the log, and makes sure that
// both keys signed it. Whether the old key is to be trusted is for the caller.
func ParseRotation(leaf []byte) (*Rotation, error) {
	r, err := parseRotation(leaf)
	if err != nil {
		return nil, fmt.Errorf("read key rotation: %w", err)
	}
	return r, nil
}

func parseRotation(leaf []byte) (*Rotation, error) {
	if len(leaf) > MaxManifest {
		return nil, fmt.Errorf("%d bytes; the limit is %d", len(leaf), MaxManifest)
	}
	var d dsse
	if err := json.Unmarshal(leaf, &d); err != nil {
		return nil, err
	}
	var s rotationStatement
	if err := json.Unmarshal(d.Payload, &s); err != nil {
		return nil, err
	}
	if len(d.Signatures) != 2 {
		return nil, fmt.Errorf("%d signatures; want those of both keys", len(d.Signatures))
	}
	r, err := s.Predicate.rotation()
	if err != nil {
		return nil, err
	}
	given := func(i int) func([]byte) []byte { return func([]byte) []byte { return d.Signatures[i].Sig } }
	again, err := r.leaf(given(0), given(1))
	if err == nil {
		err = sameBytes("the one encoding of this rotation", again, leaf)
	}
	if err != nil {
		return nil, err
	}
	for i, key := range []PublicKey{r.Old, r.New} {
		if !key.signed(d.Payload, d.Signatures[i].Sig) {
			return nil, fmt.Errorf("key %s did not sign it", key.ID())
		}
	}
	return r, nil
}

func (p *rotationPredicate) rotation() (*Rotation, error) {
	was, err := parseSPKI(p.Purpose, p.OldKey)
	if err != nil {
		return nil, err
	}
	is, err := parseSPKI(p.Purpose, p.NewKey)
	if err != nil {
		return nil, err
	}
	return &Rotation{
		Instance: p.Instance, Old: was, New: is, At: p.RotatedAt, Log: LogPosition{p.LogOrigin, p.LogIndex},
	}, nil
}

// LeafType is the predicate type of a leaf of the log: [PredicateType] for an
// export's manifest, [RotationType] for a key's. What else a leaf says is for
// the parsers.
func LeafType(leaf []byte) (string, error) {
	var l struct {
		PredicateType string `json:"predicateType"`
		Payload       []byte `json:"payload"` // of a leaf that holds its signatures
	}
	err := json.Unmarshal(leaf, &l)
	if err == nil && l.Payload != nil {
		err = json.Unmarshal(l.Payload, &l)
	}
	if err != nil {
		return "", fmt.Errorf("read leaf of the log: %w", err)
	}
	return l.PredicateType, nil
}
