package exporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"licensekit/blobstore"
	"licensekit/exporter/evidence"
	"licensekit/exporter/metadb"
	"licensekit/exporter/report"
)

// CheckResult is what a check of a data directory found.
type CheckResult struct {
	OK       bool      `json:"ok"`
	Checked  Checked   `json:"checked"`
	Problems []Problem `json:"problems"` // never nil
	past     []Problem // those of them that a start has dealt with
	Warnings []Problem `json:"warnings"`         // what came too late for a copy and is not in it; never nil
	Copied   *Copied   `json:"copied,omitempty"` // of a copy that was taken while the original was in use, or in which something was amiss

	each  func(CheckProgress)
	stage string
}

// CheckProgress is how far a check has come.
type CheckProgress struct {
	Stage   string  `json:"stage"` // what is looked at: "blobs", "exports", "log", "keys" or "data"
	Checked Checked `json:"checked"`
}

func (r *CheckResult) tell() { r.each(CheckProgress{r.stage, r.Checked}) }

// Checked counts what was looked at.
type Checked struct {
	Blobs   int64 `json:"blobs"`
	Bytes   int64 `json:"blob_bytes"`
	Exports int64 `json:"exports"`
	Entries int64 `json:"log_entries"`
}

// Problem is something that is not as it should be.
type Problem struct {
	What    string `json:"what"` // "blob", "export", "log", "key", "ledger", "audit" or "database"
	ID      string `json:"id,omitempty"`
	Problem string `json:"problem"`
	Code    string `json:"code,omitempty"` // [CodeBehind] where that is what is wrong
}

// CodeBehind marks what follows from a log that is behind, see
// [Exporter.Behind]. It is no damage: the files are sound, and older than others.
const CodeBehind = "LOG_BEHIND"

func problem(what, id string, err error) Problem {
	p := Problem{What: what, ID: id, Problem: err.Error()}
	if errors.Is(err, ErrBehind) {
		p.Code = CodeBehind
	}
	return p
}

func (r *CheckResult) note(what, id string, err error) {
	if err != nil {
		r.Problems = append(r.Problems, problem(what, id, err))
	}
}

// noteIn notes what would be a problem, were the directory not a copy of one in
// use: there it is but a warning.
func (e *Exporter) noteIn(r *CheckResult, what, id string, err error) {
	if err != nil && e.copied != nil && e.copied.InUse {
		r.Warnings = append(r.Warnings, problem(what, id, err))
		return
	}
	r.note(what, id, err)
}

// Check walks all that is kept: every blob hashes to its name, every export's
// metadata agrees with its signed manifest and with the log, every manifest in
// the log has its export, keys are whole, the ledger's derived data follow from
// its facts, the audit trail is whole, and the database's pages hang together.
// That the database was no good when it was opened, and an earlier state took
// its place, is a problem too. An error means that it could not be checked; what
// is wrong is in the result.
func (e *Exporter) Check(ctx context.Context) (*CheckResult, error) {
	return e.CheckTelling(ctx, func(CheckProgress) {})
}

// CheckTelling is [Exporter.Check] that tells how far it has come: when it turns
// to something else, and after each thing that it looked at.
func (e *Exporter) CheckTelling(ctx context.Context, each func(CheckProgress)) (*CheckResult, error) {
	r := &CheckResult{Problems: []Problem{}, Warnings: []Problem{}, Copied: e.copied, each: each}
	for _, check := range []struct {
		stage string
		run   func(context.Context, *CheckResult) error
	}{{"blobs", e.checkBlobs}, {"exports", e.checkAllExports}, {"log", e.checkAllLogs}, {"keys", e.checkKeys}, {"data", e.checkData}} {
		r.stage = check.stage
		r.tell()
		if err := check.run(ctx, r); err != nil {
			return nil, fmt.Errorf("check: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("check: %w", err)
		}
	}
	r.OK = len(r.Problems) == 0
	e.remember(r)
	return r, nil
}

// notePast notes what was wrong when the directory was opened, and is not any
// more.
func (r *CheckResult) notePast(what, id string, err error) {
	if err != nil {
		r.note(what, id, err)
		r.past = append(r.past, r.Problems[len(r.Problems)-1])
	}
}

// remember takes what a check found as what is known to be damaged, but for
// what a start has already dealt with.
func (e *Exporter) remember(r *CheckResult) {
	e.replace(func(Damage) bool { return true }, r.damage())
}

// damage are the problems that are there, and are damage.
func (r *CheckResult) damage() []Problem {
	return slices.DeleteFunc(slices.Clone(r.Problems), func(p Problem) bool { return p.Code == CodeBehind || slices.Contains(r.past, p) })
}

func (e *Exporter) checkAllLogs(ctx context.Context, r *CheckResult) error {
	for _, m := range e.mended {
		r.notePast("log", m.Origin, fmt.Errorf("it was damaged when it was opened, and is mended: its checkpoint showed size %d, it has %d, of which %d were put back", m.Found, m.Size, len(m.PutBack)))
	}
	return e.checkLogs(ctx, r, func([]byte) error { r.tell(); return nil })
}

func (e *Exporter) checkBlobs(ctx context.Context, r *CheckResult) error {
	return e.blobs.Walk(ctx, func(ref blobstore.Ref, size int64) error {
		r.Checked.Blobs++
		r.Checked.Bytes += size
		r.note("blob", ref.String(), e.blobs.Verify(ctx, ref))
		r.tell()
		return ctx.Err()
	})
}

func (e *Exporter) checkAllExports(ctx context.Context, r *CheckResult) error {
	return e.checkExports(ctx, r, func() error { r.tell(); return nil })
}

// checkExports looks at each export; pace is called before, and may hold it back.
func (e *Exporter) checkExports(ctx context.Context, r *CheckResult, pace func() error) error {
	lacking := e.copied.lacks()
	for before := int64(0); ; {
		page, next, err := e.List(ctx, Query{Before: before, Limit: 200})
		if err != nil {
			r.note("database", exportsBucket, err)
			return nil
		}
		for _, export := range page {
			if err := pace(); err != nil {
				return err
			}
			r.Checked.Exports++
			if export.Status != Ready {
				continue
			}
			err := e.checkExport(ctx, export)
			if known, ok := lacking[export.ID]; ok && err != nil {
				r.Warnings = append(r.Warnings, Problem{What: "export", ID: string(export.ID), Problem: "it came while the directory was copied, and lacks here: " + strings.Join(known.Parts, ", ")})
				continue
			}
			r.note("export", string(export.ID), err)
		}
		if next == 0 {
			return nil
		}
		before = next
	}
}

// checkExport compares an export's metadata with its signed manifest.
func (e *Exporter) checkExport(ctx context.Context, x Export) error {
	stored, err := e.entry(x.ID)
	if err != nil {
		return err
	}
	if there, err := e.blobs.Has(blobstore.Ref(*x.ArtifactDigest)); err != nil || !there { // damage is the blob's own problem
		return errors.Join(fmt.Errorf("its artifact %s is missing", *x.ArtifactDigest), err)
	}
	if stored.Manifest == nil || x.LogIndex == nil || x.LogOrigin == nil {
		return errors.New("it is ready and names no manifest or no place in the log")
	}
	envelope, err := e.envelope(ctx, *stored.Manifest)
	if err != nil {
		return err
	}
	m, err := envelope.Parse()
	if err != nil {
		return err
	}
	got, err := report.CanonicalJSON(shownBy(x))
	if err != nil {
		return err
	}
	want, err := report.CanonicalJSON(signedBy(m))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("its metadata differ from its manifest: %s, signed %s", got, want)
	}
	l, err := e.logOf(m.Log.Origin)
	if (err != nil || *x.LogIndex >= l.Size()) && e.Behind() != nil {
		return fmt.Errorf("%w: among them that of the export, %d of %s", ErrBehind, *x.LogIndex, m.Log.Origin)
	}
	if err != nil {
		return err
	}
	leaf, err := l.Entry(*x.LogIndex)
	if err == nil && !bytes.Equal(leaf, envelope.Manifest) {
		err = fmt.Errorf("entry %d of the log is another manifest", *x.LogIndex)
	}
	return err
}

// facts are what metadata and manifest both say.
type facts struct {
	ID, Kind, Format, Key  string
	Origin                 string
	Filters                report.Filters
	Digest, ArtifactDigest *report.Digest
	AsOf, Rows, Size, Log  int64
	FrozenAt               report.Instant
}

func shownBy(x Export) facts {
	return facts{
		string(x.ID), string(x.Kind), x.Format, x.KeyID, *x.LogOrigin, x.Filters, x.Digest, x.ArtifactDigest,
		*x.AsOf, *x.RowCount, *x.SizeBytes, *x.LogIndex, *x.FrozenAt,
	}
}

func signedBy(m *evidence.Manifest) facts {
	return facts{
		m.ExportID, string(m.Kind), m.Format, m.KeyID, m.Log.Origin, m.Filters, &m.Data.Digest, &m.Artifact.Digest,
		m.AsOf, m.RowCount, m.Artifact.Size, m.Log.Index, m.FrozenAt,
	}
}

// checkKeys reads the keys that no longer sign; those that do were read when the
// directory was opened, and are compared with what the log says of them.
func (e *Exporter) checkKeys(_ context.Context, r *CheckResult) error {
	_, err := e.PublicKeys()
	r.note("key", "", err)
	return nil
}

func (e *Exporter) checkData(ctx context.Context, r *CheckResult) error {
	if err := e.ledger.Check(ctx); ctx.Err() == nil {
		r.note("ledger", "", err)
	}
	if err := e.opts.Trail.Check(ctx); ctx.Err() == nil {
		r.note("audit", "", err)
	}
	r.notePast("database", tallyBucket, e.retold)
	if e.recovery != nil {
		r.notePast("database", metadb.File, e.recovery)
	}
	problems, err := e.checkPages()
	if err != nil {
		return err
	}
	for _, problem := range problems {
		r.note("database", "", problem)
	}
	return e.db.View(func(tx *bbolt.Tx) error {
		r.note("database", "values", checkSealed(tx))
		r.note("database", "indexes", checkIndexes(tx))
		return nil
	})
}

// checkPages looks at how the pages of the database hang together, while nobody
// writes: bbolt reads its list of free pages meanwhile, and takes for damage what
// a write has just replaced. It is not let at what would crash it, or worse.
func (e *Exporter) checkPages() (problems []error, err error) {
	err = e.alone(func(tx *bbolt.Tx) error {
		if err := metadb.CheckPages(tx, e.database); err != nil {
			problems = append(problems, err)
			return errNothingWritten
		}
		for problem := range tx.Check() {
			problems = append(problems, problem)
		}
		return errNothingWritten
	})
	if errors.Is(err, errNothingWritten) {
		err = nil
	}
	return problems, err
}

// errNothingWritten ends a transaction that was begun to keep others from
// writing.
var errNothingWritten = errors.New("nothing is to be written")
