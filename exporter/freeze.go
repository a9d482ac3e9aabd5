package exporter

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"syscall"
	"time"

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

// errRotated says that the key that an artifact names signs no more.
var errRotated = errors.New("the signing key was replaced meanwhile")

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
	commit := sync.OnceValue(func() error { // once, be it that the log tries again without others
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
