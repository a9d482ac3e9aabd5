package exporter

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"licensekit/exporter/evidence"
	"licensekit/exporter/ledger"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// retryPause is how long a maker rests when the end of an export could not be
// recorded: most likely the disk is full, and the next export would fare no
// better.
const retryPause = time.Second

// work makes queued exports until the exporter is closed.
func (e *Exporter) work() {
	for run := e.queue.take(); run != nil; run = e.queue.take() {
		log := e.opts.Log.With("export_id", run.id)
		switch err := e.run(run, log); {
		case err == nil:
			e.measure(run)
			e.queue.finish(run)
		case errors.Is(err, errNotKept): // nobody knows of it
		case e.ctx.Err() != nil:
			log.Info("export interrupted, it is made at the next start")
		default:
			log.Error("the export has not come to its end, it is tried again", "error", err)
			e.queue.back(run)
			e.rest(retryPause)
		}
	}
}

// measure tells how long an export took.
func (e *Exporter) measure(run *running) {
	stored, err := e.entry(run.id)
	if e.opts.Measured == nil || err != nil || run.began.IsZero() {
		return
	}
	e.opts.Measured(Course{stored.Export.class(), max(0, run.began.Sub(run.since)), max(0, e.opts.Now().Sub(run.began))})
}

// rest waits, unless the exporter is closed.
func (e *Exporter) rest(pause time.Duration) {
	select {
	case <-time.After(pause):
	case <-e.ctx.Done():
	}
}

// run makes one export and records how it ended. After an error it is
// unfinished: Close cut it short, the disk takes no more until it is opened
// again, or the export's end could not be recorded.
func (e *Exporter) run(run *running, log *slog.Logger) error {
	err := e.outage.notice(e.freeze(e.ctx, run))
	if err == nil {
		return nil
	}
	if e.ctx.Err() != nil || IsOutage(err) { // at the next start it may well succeed
		return err
	}
	if gone := run.await(e.ctx); gone != nil {
		return gone
	}
	log.Error("export failed", "error", err)
	if run.published == nil { // else only the database has to be told
		err = e.change(run.id, func(x *entry) {
			x.Export.Status, x.Export.Error = Failed, failureOf(err)
		})
	}
	if err != nil && e.beyondChange(run.id) {
		log.Error("give up the export", "error", err)
		return nil
	}
	return err
}

// beyondChange tells whether another try is useless: the export is final, or
// what is stored of it can't be read, which whoever asks for it is told.
func (e *Exporter) beyondChange(id ID) bool {
	stored, err := e.entry(id)
	return err != nil || stored.Export.Status.Final()
}

// failureOf says in public why an export failed; the rest is in the log.
func failureOf(err error) *Failure {
	var capacity *render.CapacityError
	switch {
	case errors.As(err, &capacity):
		return &Failure{capacity.Code(), capacity.Error()}
	case errors.Is(err, report.ErrOverflow):
		return &Failure{"TOTAL_OVERFLOW", report.ErrOverflow.Error()}
	case errors.Is(err, report.ErrTooManyGroups):
		return &Failure{"TOO_MANY_GROUPS", report.ErrTooManyGroups.Error()}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &Failure{"STORAGE_FULL", "the disk is full; make room and create the export again"}
	}
	return &Failure{"INTERNAL", "the export could not be made; the server's log says why"}
}

// frozen is what a finished freeze knows.
type frozen struct {
	asOf           int64
	at             Timestamp
	key            string // id of the key that the artifact names, "" if none
	rows           int64
	data, artifact sum
}

// errRotated says that the key that an artifact names signs no more.
var errRotated = errors.New("the signing key was replaced meanwhile")

// sum is what was tallied of a file.
type sum struct {
	evidence.File
	crc uint32
}

// freeze makes an export ready. One that is in the log and could not be entered
// into the database is not made again: it would be in the log twice. One whose
// signing key was replaced before it was signed is, for artifacts show the key.
func (e *Exporter) freeze(ctx context.Context, run *running) (err error) {
	for run.published == nil {
		run.published, err = e.makePublic(ctx, run)
		if err != nil && !errors.Is(err, errRotated) {
			return err
		}
	}
	return e.finish(run.published)
}

// makePublic takes a snapshot, renders it, signs the manifest and publishes both.
// Errors: errRotated.
func (e *Exporter) makePublic(ctx context.Context, run *running) (*published, error) {
	run.reset()
	export, err := e.asked(run)
	if err != nil {
		return nil, err
	}
	blob, err := e.blobs.Create(ctx, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	defer blob.Abort()
	f, err := e.snapshot(ctx, export, run, blob)
	if err == nil {
		err = run.await(ctx)
	}
	if err != nil {
		return nil, err
	}
	f.artifact.Digest = report.Digest(blob.Ref())
	if f.data.Size == 0 { // the artifact is the canonical form
		f.data = f.artifact
	}
	commit := sync.OnceValue(func() error {
		_, _, err := blob.Commit()
		return err
	})
	if f.artifact.Size <= smallArtifact {
		return e.publish(ctx, export, f, commit)
	}
	if err := commit(); err != nil {
		return nil, err
	}
	return e.publish(ctx, export, f)
}

// smallArtifact is the size up to which an artifact is made durable while the
// log's tiles are, in about the time that these take. Nobody else who waits for
// the log should wait for a larger one.
const smallArtifact = 256 << 10

// asked gives what is to be made.
func (e *Exporter) asked(run *running) (Export, error) {
	if run.asked != nil {
		return *run.asked, nil
	}
	found, err := e.entry(run.id)
	return found.Export, err
}

// snapshot renders an export from one state of the ledger. Only so many do
// that at a time; what comes after it waits for the disk, not for a processor.
func (e *Exporter) snapshot(ctx context.Context, export Export, run *running, w io.Writer) (f *frozen, err error) {
	select {
	case e.rendering <- struct{}{}:
		defer func() { <-e.rendering }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	run.begin()
	err = e.ledger.View(ctx, func(snapshot *ledger.Snapshot) error {
		run.began = e.opts.Now()
		f = &frozen{asOf: snapshot.Sequence(), at: timestamp(run.began)}
		document, err := report.Build(ctx, snapshot, export.Kind, export.Filters)
		if err != nil {
			return err
		}
		return e.render(ctx, document.Map(run.count), export, w, f)
	})
	return f, err
}

// render writes the artifact and, in the same pass over the rows, tallies the
// canonical form. For json they are one. The artifact's digest is left to the
// blob store, which hashes what it writes.
func (e *Exporter) render(ctx context.Context, d *report.Document, export Export, w io.Writer, f *frozen) error {
	format, err := render.Parse(export.Format)
	if err != nil {
		return err
	}
	canonical := func(w io.Writer) func(*report.Document) error {
		return func(d *report.Document) error {
			totals, err := report.WriteCanonical(w, d)
			f.rows = totals.Rows()
			return err
		}
	}
	if format.MaxRows > 0 {
		d = bounded(d, format)
	}
	artifact := &checksum{w: w}
	if format.FromCanonical {
		err = e.renderTwice(ctx, d, format, export, artifact, f)
		f.artifact = artifact.sum()
		return err
	}
	if format.Canonical {
		err = writeBehind(artifact, func(w io.Writer) error { return canonical(w)(d) })
		f.artifact = artifact.sum()
		return err
	}
	data := evidence.NewTally()
	info := e.info(export, f)
	// What is only hashed is hashed at once, while the processor still has it
	// near; the artifact, which the disk takes its time with, is not.
	err = report.Fork(ctx, d,
		canonical(data),
		func(d *report.Document) error {
			return writeBehind(artifact, func(w io.Writer) error { return encode(ctx, format, w, d, info) })
		})
	f.data, f.artifact = sum{data.File(), data.CRC32()}, artifact.sum()
	return err
}

// info is what a format shows beside the data.
func (e *Exporter) info(export Export, f *frozen) render.Info {
	f.key = e.Key().ID()
	return render.Info{ExportID: string(export.ID), FrozenAt: int64(f.at), Instance: e.instance, KeyID: f.key, Paper: e.opts.Paper}
}

// bounded gives a document that fails once it has more rows than the format
// holds.
func bounded(d *report.Document, format render.Format) *report.Document {
	rows := int64(0)
	return d.Map(func(_ *report.Section, batch report.Batch) error {
		if rows += int64(batch.Len()); rows > format.MaxRows {
			return &render.CapacityError{Format: format.Name, Problem: fmt.Sprintf("it has more than %d rows", format.MaxRows), Instead: "csv"}
		}
		return nil
	})
}

// renderTwice makes the canonical form first, in a file without a name, for a
// format whose first page needs the digest and the totals.
func (e *Exporter) renderTwice(ctx context.Context, d *report.Document, format render.Format, export Export, w io.Writer, f *frozen) error {
	spool, err := spool(e.tmp, "canonical-*")
	if err != nil {
		return err
	}
	defer spool.Close()
	data := evidence.NewTally()
	totals, err := report.WriteCanonical(io.MultiWriter(spool, data), d)
	if err != nil {
		return err
	}
	f.rows, f.data = totals.Rows(), sum{data.File(), data.CRC32()}
	info := e.info(export, f)
	info.Digest, info.Canonical = f.data.Digest, io.NewSectionReader(spool, 0, f.data.Size)
	return encode(ctx, format, w, d, info)
}

// encode keeps an encoder that panics from ending the process: the export would
// be tried again at every start.
func encode(ctx context.Context, format render.Format, w io.Writer, d *report.Document, info render.Info) (err error) {
	defer func() {
		if crash := recover(); crash != nil {
			err = fmt.Errorf("encoder of %s crashed: %v\n%s", format.Name, crash, debug.Stack())
		}
	}()
	return format.Encode(ctx, w, d, info)
}

// checksum passes on what it is given and keeps its size and CRC-32.
type checksum struct {
	w    io.Writer
	crc  uint32
	size int64
}

// Write passes p on.
func (c *checksum) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.crc = crc32.Update(c.crc, crc32.IEEETable, p[:n])
	c.size += int64(n)
	return n, err
}

// sum is what is known; the digest is missing.
func (c *checksum) sum() sum { return sum{evidence.File{Size: c.size}, c.crc} }

// publish signs the manifest, stores it and logs it, once what is to be done
// beside has been. Errors: errRotated.
func (e *Exporter) publish(ctx context.Context, export Export, f *frozen, beside ...func() error) (*published, error) {
	e.keyMu.RLock() // no rotation between the signature and the log
	defer e.keyMu.RUnlock()
	if f.key != "" && f.key != e.key.Public.ID() {
		return nil, errRotated
	}
	manifest := evidence.Manifest{
		Instance: e.instance, ExportID: string(export.ID), Kind: export.Kind, Format: export.Format,
		ContentType: export.ContentType, Filters: export.Filters, AsOf: f.asOf, FrozenAt: f.at,
		Artifact: f.artifact.File, Data: f.data.File, RowCount: f.rows, Version: e.opts.Version,
	}
	var (
		envelope *evidence.Envelope
		ref      report.Digest
	)
	seal := func(index int64) (leaf []byte, err error) {
		manifest.Log = &evidence.LogPosition{Origin: e.log.Origin(), Index: index}
		if envelope, err = e.key.Seal(manifest); err != nil {
			return nil, err
		}
		manifest.KeyID = envelope.KeyID
		return envelope.Manifest, nil
	}
	store := func() (err error) {
		ref, err = e.storeEnvelope(ctx, envelope)
		return err
	}
	logged, err := e.log.Append(ctx, seal, append(beside, store)...)
	if err != nil {
		return nil, err
	}
	return &published{
		manifest: manifest, envelope: &ref, checkpoint: logged.Signed, dataCRC: f.data.crc, artifactCRC: f.artifact.crc,
	}, nil
}

func (e *Exporter) storeEnvelope(ctx context.Context, envelope *evidence.Envelope) (report.Digest, error) {
	text, err := envelope.Marshal()
	if err != nil {
		return report.Digest{}, err
	}
	return e.storeText(ctx, text, evidence.MaxEnvelope)
}

// storeText makes a blob of a text.
func (e *Exporter) storeText(ctx context.Context, text []byte, limit int64) (report.Digest, error) {
	blob, err := e.blobs.Create(ctx, limit)
	if err != nil {
		return report.Digest{}, err
	}
	defer blob.Abort()
	if _, err := blob.Write(text); err != nil {
		return report.Digest{}, err
	}
	ref, _, err := blob.Commit()
	return report.Digest(ref), err
}
