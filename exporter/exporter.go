// Package exporter runs the life of an export: a request is queued, a snapshot
// of the reporting data is taken, the report is rendered into an artifact,
// a manifest of it is signed, and both are published for ever.
//
// # Promises
//
//   - An export is made from one snapshot of the ledger, whatever is written
//     meanwhile. Once it is ready its artifact, its manifest and its metadata
//     never change again.
//   - Order of publication: artifact blob, manifest blob, then the export's
//     entry in the database. A crash between any two leaves the export queued
//     and perhaps a blob that nothing names.
//   - An export that a stop interrupted is made anew at the next start, from
//     the snapshot of that moment. One that fails says why and leaves nothing.
//   - The same idempotency key and request give the same export.
//
// # Limits
//
// [Options.Workers] exports run at a time, [MaxQueued] wait; one more is
// refused with [ErrBusy].
package exporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/blobstore"
	"licensekit/exporter/evidence"
	"licensekit/exporter/ledger"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// MaxQueued bounds how many exports wait for a worker.
const MaxQueued = 1000

// The errors that callers branch on. A missing export is fs.ErrNotExist.
var (
	ErrBusy        = errors.New("too many exports are waiting")
	ErrClosed      = errors.New("the exporter is shutting down")
	ErrIdempotency = errors.New("the idempotency key was used for another request")
	ErrNotReady    = errors.New("the export is not ready")
)

// Options sets what an Exporter needs to know of its surroundings.
type Options struct {
	Now     func() time.Time
	Log     *slog.Logger
	Workers int    // exports made at a time
	Version string // of the program, for manifests
}

// Exporter makes exports and keeps them. It is safe for concurrent use.
type Exporter struct {
	db       *bbolt.DB
	blobs    *blobstore.Store
	ledger   *ledger.Ledger
	key      *evidence.SigningKey
	instance string
	opts     Options

	queue  chan ID
	ctx    context.Context // ended by Close; every freeze runs under it
	cancel context.CancelFunc
	done   sync.WaitGroup // the workers

	mu      sync.Mutex
	closed  bool            // guarded by mu
	running map[ID]*running // exports that wait or run; guarded by mu
}

// Open starts the workers and queues what the last stop left unfinished.
func Open(dir *Directory, facts *ledger.Ledger, key *evidence.SigningKey, opts Options) (*Exporter, error) {
	e := &Exporter{
		db: dir.DB, blobs: dir.Blobs, ledger: facts, key: key, instance: dir.Instance, opts: opts,
		queue: make(chan ID, 2*MaxQueued), running: map[ID]*running{},
	}
	unfinished, err := e.prepare()
	if err != nil {
		return nil, fmt.Errorf("open exports: %w", err)
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	for range opts.Workers {
		e.done.Go(e.work)
	}
	for _, id := range unfinished {
		e.running[id] = newRunning()
		e.queue <- id
	}
	return e, nil
}

// Close stops the workers. What they were making is made at the next start.
func (e *Exporter) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	e.done.Wait()
	return nil
}

// Request asks for an export.
type Request struct {
	Kind           report.Kind
	Format         render.Format
	Filters        report.Filters // normalised
	CreatedBy      string         // the id of the API key
	IdempotencyKey string         // or ""
}

// Create queues an export, or gives the one that the idempotency key stands
// for; made tells which. Errors: [ErrBusy], [ErrIdempotency], [ErrClosed].
func (e *Exporter) Create(ctx context.Context, r Request) (export Export, made bool, err error) {
	if err := ctx.Err(); err != nil {
		return Export{}, false, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return Export{}, false, ErrClosed
	}
	export = newExport(r, e.opts.Now())
	made, err = e.insert(r, &export, len(e.running) >= MaxQueued)
	if err != nil || !made {
		return export, false, err
	}
	e.running[export.ID] = newRunning()
	e.queue <- export.ID
	return export, true, nil
}

// Get gives an export's metadata, with its progress while it is made.
func (e *Exporter) Get(ctx context.Context, id ID) (Export, error) {
	if err := ctx.Err(); err != nil {
		return Export{}, err
	}
	stored, err := e.entry(id)
	if err != nil {
		return Export{}, err
	}
	export := stored.Export
	e.mu.Lock()
	defer e.mu.Unlock()
	if run := e.running[id]; run != nil && !export.Status.Final() {
		export.Progress = &Progress{Rows: run.rows.Load()}
	}
	return export, nil
}

// Wait gives an export's metadata once it is ready or has failed, or as it is
// when ctx ends.
func (e *Exporter) Wait(ctx context.Context, id ID) (Export, error) {
	e.mu.Lock()
	run := e.running[id]
	e.mu.Unlock()
	if run != nil {
		select {
		case <-run.finished:
		case <-ctx.Done():
		case <-e.ctx.Done():
		}
	}
	return e.Get(context.WithoutCancel(ctx), id)
}

// Artifact opens the stored artifact of an export that is ready. Errors:
// [ErrNotReady]; *[blobstore.CorruptError] where the disk lost it.
func (e *Exporter) Artifact(ctx context.Context, id ID) (*blobstore.Blob, Export, error) {
	export, err := e.Get(ctx, id)
	if err != nil {
		return nil, Export{}, err
	}
	if export.Status != Ready {
		return nil, export, fmt.Errorf("%w: its status is %s", ErrNotReady, export.Status)
	}
	blob, err := e.blobs.Open(ctx, blobstore.Ref(*export.ArtifactDigest))
	if err != nil {
		return nil, export, fmt.Errorf("artifact of %s: %w", id, err)
	}
	return blob, export, nil
}

// Unfinished is how many exports wait or are being made.
func (e *Exporter) Unfinished() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.running)
}
