package exporter

import (
	"context"
	"errors"
	"io"
	"math"
	"sync/atomic"
	"syscall"

	"licensekit/exporter/evidence"
	"licensekit/exporter/ledger"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// running is an export that waits or is being made.
type running struct {
	rows     atomic.Int64
	finished chan struct{} // closed once the export is ready or failed
}

func newRunning() *running { return &running{finished: make(chan struct{})} }

// work makes queued exports until the exporter is closed.
func (e *Exporter) work() {
	for {
		select {
		case <-e.ctx.Done():
			return
		case id := <-e.queue:
			if e.ctx.Err() == nil {
				e.run(id)
			}
		}
	}
}

// run makes one export and records how it ended. One that is cut short by
// Close keeps its place for the next start.
func (e *Exporter) run(id ID) {
	e.mu.Lock()
	run := e.running[id]
	e.mu.Unlock()
	log := e.opts.Log.With("export_id", id)
	err := e.freeze(e.ctx, id, run)
	if err != nil && e.ctx.Err() != nil {
		log.Info("export interrupted, it is made at the next start")
		return
	}
	if err != nil {
		log.Error("export failed", "error", err)
		err = e.change(id, func(x *entry) {
			x.Export.Status, x.Export.Error = Failed, failureOf(err)
		})
	}
	if err != nil { // it stays unfinished in the database and is tried at the next start
		log.Error("record the failed export", "error", err)
	}
	e.mu.Lock()
	delete(e.running, id)
	e.mu.Unlock()
	close(run.finished)
}

// failureOf says in public why an export failed; the rest is in the log.
func failureOf(err error) *Failure {
	switch {
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
	rows           int64
	data, artifact sum
}

// sum is what was tallied of a file.
type sum struct {
	evidence.File
	crc uint32
}

// freeze takes a snapshot, renders it, signs the manifest and publishes both.
func (e *Exporter) freeze(ctx context.Context, id ID, run *running) error {
	if err := e.change(id, func(x *entry) { x.Export.Status = Processing }); err != nil {
		return err
	}
	found, err := e.entry(id)
	if err != nil {
		return err
	}
	format, err := render.Parse(found.Export.Format)
	if err != nil {
		return err
	}
	f := frozen{}
	err = e.ledger.View(ctx, func(snapshot *ledger.Snapshot) error {
		f.asOf, f.at = snapshot.Sequence(), timestamp(e.opts.Now())
		document, err := report.Build(ctx, snapshot, found.Export.Kind, found.Export.Filters)
		if err != nil {
			return err
		}
		return e.render(ctx, document.Map(func(_ *report.Section, batch report.Batch) error {
			run.rows.Add(int64(batch.Len()))
			return nil
		}), format, found.Export, &f)
	})
	if err != nil {
		return err
	}
	return e.publish(ctx, found.Export, &f)
}

// render writes the artifact into the blob store and, in the same pass over
// the rows, tallies the canonical form. For json they are one.
func (e *Exporter) render(ctx context.Context, d *report.Document, format render.Format, export Export, f *frozen) error {
	blob, err := e.blobs.Create(ctx, math.MaxInt64)
	if err != nil {
		return err
	}
	defer blob.Abort()
	artifact, data := evidence.NewTally(), evidence.NewTally()
	canonical := func(w io.Writer) func(*report.Document) error {
		return func(d *report.Document) error {
			totals, err := report.WriteCanonical(w, d)
			f.rows = totals.Rows()
			return err
		}
	}
	if format.Canonical {
		artifact = data
		err = canonical(io.MultiWriter(blob, data))(d)
	} else {
		info := render.Info{ExportID: string(export.ID), FrozenAt: int64(f.at), Instance: e.instance, KeyID: e.key.Public.ID()}
		err = report.Fork(ctx, d, canonical(data), func(d *report.Document) error {
			return format.Encode(ctx, io.MultiWriter(blob, artifact), d, info)
		})
	}
	if err != nil {
		return err
	}
	if _, _, err = blob.Commit(); err != nil {
		return err
	}
	f.data, f.artifact = sum{data.File(), data.CRC32()}, sum{artifact.File(), artifact.CRC32()}
	return nil
}

// publish signs the manifest, stores it, and makes the export ready.
func (e *Exporter) publish(ctx context.Context, export Export, f *frozen) error {
	manifest := evidence.Manifest{
		Instance: e.instance, ExportID: string(export.ID), Kind: export.Kind, Format: export.Format,
		ContentType: export.ContentType, Filters: export.Filters, AsOf: f.asOf, FrozenAt: f.at,
		Artifact: f.artifact.File, Data: f.data.File, RowCount: f.rows, Version: e.opts.Version,
	}
	envelope, err := e.key.Seal(manifest)
	if err != nil {
		return err
	}
	ref, err := e.storeEnvelope(ctx, envelope)
	if err != nil {
		return err
	}
	return e.change(export.ID, func(x *entry) {
		x.Manifest, x.DataCRC, x.ArtifactCRC = &ref, f.data.crc, f.artifact.crc
		x.Export.Status, x.Export.KeyID = Ready, envelope.KeyID
		x.Export.Digest, x.Export.ArtifactDigest = &f.data.Digest, &f.artifact.Digest
		x.Export.AsOf, x.Export.FrozenAt = &f.asOf, &f.at
		x.Export.RowCount, x.Export.SizeBytes = &f.rows, &f.artifact.Size
	})
}

func (e *Exporter) storeEnvelope(ctx context.Context, envelope *evidence.Envelope) (report.Digest, error) {
	text, err := envelope.Marshal()
	if err != nil {
		return report.Digest{}, err
	}
	blob, err := e.blobs.Create(ctx, evidence.MaxEnvelope)
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
