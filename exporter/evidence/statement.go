package evidence

import (
	"encoding/json"
	"errors"
	"fmt"

	"licensekit/exporter/report"
)

// The types that a manifest names. PredicateType is the version of the whole
// format: of the manifest, and of everything in a bundle that follows from it.
const (
	StatementType = "https://in-toto.io/Statement/v1"
	PredicateType = "urn:licensekit:report-export:1"
)

// MaxManifest bounds a manifest, in bytes: a leaf of the log must be smaller
// than what its 16-bit length can say.
const MaxManifest = 65534

// statement is a manifest as in-toto shapes it. The members of the JSON text
// are sorted by [report.CanonicalJSON], not by this order.
type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     predicate `json:"predicate"`
}

type subject struct {
	Name   string    `json:"name"`
	Digest digestSet `json:"digest"`
}

type digestSet struct {
	SHA256 string `json:"sha256"` // hex digits alone
}

type predicate struct {
	Instance     string          `json:"instance"`
	ExportID     string          `json:"export_id"`
	Kind         report.Kind     `json:"report_kind"`
	Format       string          `json:"format"`
	ContentType  string          `json:"content_type"`
	Filters      json.RawMessage `json:"filters"`
	AsOf         int64           `json:"as_of"`
	FrozenAt     report.Instant  `json:"frozen_at"`
	ArtifactSize int64           `json:"artifact_size"`
	DataSize     int64           `json:"data_size"`
	RowCount     int64           `json:"row_count"`
	KeyID        string          `json:"key_id"`
	Version      string          `json:"version"`
	LogOrigin    string          `json:"log_origin,omitempty"`
	LogIndex     *int64          `json:"log_index,omitempty"`
}

// Marshal gives the manifest's only encoding: an in-toto statement in RFC 8785
// form. It refuses what [ParseManifest] would.
func (m *Manifest) Marshal() ([]byte, error) {
	text, err := m.encode()
	if err != nil {
		return nil, fmt.Errorf("encode manifest of %.140q: %w", m.ExportID, err)
	}
	return text, nil
}

func (m *Manifest) encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	filters, err := m.Filters.Normalise(m.Kind)
	if err != nil {
		return nil, err
	}
	raw, err := report.CanonicalJSON(filters)
	if err != nil {
		return nil, err
	}
	text, err := report.CanonicalJSON(m.statement(raw))
	if err == nil && len(text) > MaxManifest {
		err = fmt.Errorf("%d bytes; the limit is %d", len(text), MaxManifest)
	}
	return text, err
}

func (m *Manifest) statement(filters json.RawMessage) statement {
	s := statement{
		Type: StatementType,
		Subject: []subject{
			{Name: m.ArtifactName(), Digest: digestSet{m.Artifact.Digest.Hex()}},
			{Name: DataName, Digest: digestSet{m.Data.Digest.Hex()}},
		},
		PredicateType: PredicateType,
		Predicate: predicate{
			Instance: m.Instance, ExportID: m.ExportID, Kind: m.Kind, Format: m.Format,
			ContentType: m.ContentType, Filters: filters, AsOf: m.AsOf, FrozenAt: m.FrozenAt,
			ArtifactSize: m.Artifact.Size, DataSize: m.Data.Size, RowCount: m.RowCount,
			KeyID: m.KeyID, Version: m.Version,
		},
	}
	if m.Log != nil {
		s.Predicate.LogOrigin, s.Predicate.LogIndex = m.Log.Origin, &m.Log.Index
	}
	return s
}

// ParseManifest reads what [Manifest.Marshal] writes and nothing else: what
// was read is encoded again and must be the same bytes. So an unknown or
// repeated member, a space, or a number in another spelling is an error.
func ParseManifest(text []byte) (*Manifest, error) {
	m, err := decodeManifest(text)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return m, nil
}

func decodeManifest(text []byte) (*Manifest, error) {
	if len(text) > MaxManifest {
		return nil, fmt.Errorf("%d bytes; the limit is %d", len(text), MaxManifest)
	}
	var s statement
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	if err := sameText("_type", StatementType, s.Type); err != nil {
		return nil, err
	}
	if err := sameText("predicateType", PredicateType, s.PredicateType); err != nil {
		return nil, err
	}
	m, err := s.manifest()
	if err != nil {
		return nil, err
	}
	again, err := m.encode()
	if err != nil {
		return nil, err
	}
	return m, sameBytes("the one encoding of this manifest", again, text)
}

func (s *statement) manifest() (*Manifest, error) {
	if len(s.Subject) != 2 {
		return nil, fmt.Errorf("%d subjects; want the artifact and %s", len(s.Subject), DataName)
	}
	p := &s.Predicate
	artifact, err := s.Subject[0].file(p.ArtifactSize)
	if err != nil {
		return nil, err
	}
	data, err := s.Subject[1].file(p.DataSize)
	if err != nil {
		return nil, err
	}
	if len(p.Filters) == 0 {
		return nil, errors.New("filters are missing")
	}
	filters, err := report.UnmarshalFilters(p.Kind, p.Filters)
	if err != nil {
		return nil, err
	}
	m := &Manifest{
		Instance: p.Instance, ExportID: p.ExportID, Kind: p.Kind, Format: p.Format,
		ContentType: p.ContentType, Filters: filters, AsOf: p.AsOf, FrozenAt: p.FrozenAt,
		Artifact: artifact, Data: data, RowCount: p.RowCount, KeyID: p.KeyID, Version: p.Version,
	}
	if p.LogIndex != nil { // an origin alone shows when the manifest is encoded again
		m.Log = &LogPosition{Origin: p.LogOrigin, Index: *p.LogIndex}
	}
	return m, nil
}

func (s *subject) file(size int64) (File, error) {
	digest, err := report.ParseDigest("sha256:" + s.Digest.SHA256)
	if err != nil {
		return File{}, fmt.Errorf("subject %.40q: %w", s.Name, err)
	}
	return File{Digest: digest, Size: size}, nil
}
