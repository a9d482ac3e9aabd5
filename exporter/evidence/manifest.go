package evidence

import (
	"errors"
	"fmt"
	"regexp"

	"licensekit/exporter/report"
)

// File is a file that a manifest vouches for.
type File struct {
	Digest report.Digest
	Size   int64 // bytes
}

// Manifest says what was frozen: which report, of which state of the data, and
// the digests of its two forms. Its encoding is signed once and never changes.
type Manifest struct {
	Instance    string // the installation's name for itself
	ExportID    string // "rptx_…"
	Kind        report.Kind
	Format      string         // also the extension of the artifact's name
	ContentType string         // the artifact's media type
	Filters     report.Filters // normalised
	AsOf        int64          // the ledger's sequence that the report shows
	FrozenAt    report.Instant
	Artifact    File   // the file in its format
	Data        File   // the canonical form; for json the artifact itself
	RowCount    int64  // of all sections
	KeyID       string // of the key that signs
	Log         *LogPosition
	Version     string // of the program that froze the report
}

// LogPosition is where a text stands in a log.
type LogPosition struct {
	Origin string // the log's name for itself
	Index  int64  // 0 is the log's first
}

// DataName is the name of the canonical form, in manifests and in bundles.
const DataName = "data.json"

// ArtifactName is the artifact's name, in manifests and in bundles.
func (m *Manifest) ArtifactName() string { return artifactPrefix + m.Format }

const artifactPrefix = "artifact."

// The shapes of names. They stand in file names and in commands that people
// copy from README.txt into a shell, so nothing in them may mean anything there.
var (
	exportIDShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$`)
	formatShape   = regexp.MustCompile(`^[a-z0-9]{1,16}$`)
	keyIDShape    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	originShape   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$`)
)

// check refuses what a manifest can't say. Filters are not looked at here:
// they are normalised when read, and a change by that shows in the encoding.
func (m *Manifest) check() error {
	if _, err := report.ParseKind(string(m.Kind)); err != nil {
		return err
	}
	for _, err := range []error{
		checkShape("export_id", m.ExportID, exportIDShape),
		checkShape("format", m.Format, formatShape),
		checkShape("key_id", m.KeyID, keyIDShape),
		checkText("instance", m.Instance),
		checkText("content_type", m.ContentType),
		checkText("version", m.Version),
		checkNumber("as_of", m.AsOf),
		checkNumber("artifact_size", m.Artifact.Size),
		checkNumber("data_size", m.Data.Size),
		checkNumber("row_count", m.RowCount),
		checkTime("frozen_at", m.FrozenAt),
	} {
		if err != nil {
			return err
		}
	}
	if m.Log != nil {
		if err := m.Log.check(); err != nil {
			return err
		}
	}
	if m.Format == "json" && m.Artifact != m.Data {
		return errors.New("the artifact of format json is not the canonical form itself")
	}
	return nil
}

func (p *LogPosition) check() error {
	if err := checkShape("log_origin", p.Origin, originShape); err != nil {
		return err
	}
	return checkNumber("log_index", p.Index)
}

func checkShape(name, value string, shape *regexp.Regexp) error {
	if !shape.MatchString(value) {
		return fmt.Errorf("%s %.140q: want the form %s", name, value, shape)
	}
	return nil
}

func checkText(name, value string) error {
	if value == "" {
		return fmt.Errorf("%s is empty", name)
	}
	if problem := report.CheckText(value, report.MaxText); problem != "" {
		return fmt.Errorf("%s %s", name, problem)
	}
	return nil
}

// checkNumber keeps to integers that every JSON reader holds exactly: beyond
// them two different manifests could have one encoding.
func checkNumber(name string, n int64) error {
	if n < 0 || n > report.MaxAmount {
		return fmt.Errorf("%s %d is not between 0 and %d", name, n, int64(report.MaxAmount))
	}
	return nil
}

func checkTime(name string, t report.Instant) error {
	if _, err := report.ParseTime(report.FormatTime(int64(t))); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
