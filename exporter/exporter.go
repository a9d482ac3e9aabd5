// Package exporter runs the life of an export: a request is queued, a snapshot
// of the reporting data is taken, the report is rendered into an artifact,
// a manifest of it is signed, and both are published for ever.
//
// # Promises
//
//   - An export is made from one snapshot of the ledger, whatever is written
//     meanwhile. Once it is ready its artifact, its manifest and its metadata
//     never change again.
//   - An export that was created is in the database, durably, and so is one
//     that is ready or has failed. That it is being made is known in memory
//     only: after a crash it is pending again. It may be rendered while it is
//     stored, and is published after that.
//   - Order of publication: artifact blob, manifest blob (both while the log's
//     tiles are written, unless the artifact is large), the log's checkpoint, its
//     anchor, then the export's entry in the database, which is made up from the
//     log if it is missing. A crash between any two leaves the export queued and
//     perhaps blobs that nothing names.
//   - What is in the log is published, once. Where the database can't be told,
//     the export is unfinished until it can, or ready at the next start.
//     An outage fails no export: see [IsOutage].
//   - An export that a stop interrupted is made anew at the next start, from
//     the snapshot of that moment. So is, after a pause, one whose end could
//     not be recorded. One that fails says why, takes no other with it, and leaves
//     nothing, or at most, where it could not be stored, a blob that nothing names.
//   - The same idempotency key and request give the same export.
//   - A copy of the data directory that was taken while it was in use opens. What
//     had been acknowledged before is in it, whole, whatever moments its parts are
//     of; exports that came meanwhile may not be whole there, and are named. See
//     [Copied], and package tilelog for how the log is mended.
//   - An index of the log that this directory shows to have been given is never
//     given again. Where a copy lacks entries that its log has signed, no exports
//     are made in it until its log was restarted ([ErrBehind]).
//
// # Limits
//
// [Options.Workers] exports are rendered at a time, [Options.MaxQueued] wait;
// one more is refused with [ErrBusy].
package exporter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/blobstore"
	"licensekit/exporter/audit"
	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/tilelog"
	"licensekit/exporter/ledger"
	"licensekit/exporter/metadb"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
	"licensekit/exporter/sealed"
)

// MaxQueued is how many exports may wait unless the options say otherwise.
const MaxQueued = 1000

// The errors that callers branch on. A missing export is fs.ErrNotExist.
var (
	ErrBusy        = errors.New("too many exports are waiting")
	ErrClosed      = errors.New("the exporter is shutting down")
	ErrIdempotency = errors.New("the idempotency key was used for another request")
	ErrNotReady    = errors.New("the export is not ready")
	ErrNotSigned   = errors.New("no key of this instance signed for the stored artifact")
	ErrLost        = errors.New("what is stored of the export is missing")
	ErrBehind      = tilelog.ErrBehind // no more exports can be made; see [Exporter.Behind]
)

// Options sets what an Exporter needs to know of its surroundings.
type Options struct {
	Now       func() time.Time
	Log       *slog.Logger
	Trail     *audit.Trail // of the directory's database
	Workers   int          // exports rendered at a time; with 0 all of them wait
	MaxQueued int          // exports that may wait; [MaxQueued] if 0
	Version   string       // of the program, for manifests
	Paper     render.Paper // of pages; A4 if it is ""
	Keys      string       // the directory of the signing keys; "" for that of the data directory
	Anchor    string       // a file outside of the data directory that holds the log's newest checkpoint; "" for none

	Measured func(Course) // is told of every export that has come to its end; nil for nobody
}

// Course is how long an export took.
type Course struct {
	Class
	Waited time.Duration // in the queue; from its creation on, be it over a restart
	Made   time.Duration // from the snapshot to the end
}

// makersPerWorker is how many exports are under way for each that is rendered:
// the others wait for the disk, which makes many files durable as fast as one.
const makersPerWorker = 8

// Exporter makes exports and keeps them. It is safe for concurrent use.
type Exporter struct {
	db       sealed.Database
	database string                            // the path of db
	alone    func(func(*bbolt.Tx) error) error // a write transaction of db, during which nobody else writes
	recovery *metadb.Recovery                  // of db, nil if it was good
	copied   *Copied                           // nil if the directory is no copy, or one with nothing amiss
	retold   error                             // how the counts of exports were damaged when this process opened them
	mended   []MendedLog                       // logs that were damaged when this process opened them
	blobs    *blobstore.Store
	ledger   *ledger.Ledger
	log      *Log   // the one that grows, the last of logs
	logs     []*Log // all of them, oldest first
	later    string // the name of a log that follows them and is missing, "" mostly
	keys     string // the directory of the signing keys
	instance string

	witnesses string     // the file of the keys that may cosign
	cosigning sync.Mutex // held while a cosigned checkpoint is kept

	tmp  string // for what is unfinished
	opts Options

	keyMu sync.RWMutex         // held while something is signed and logged, and wholly while the key is replaced
	key   *evidence.SigningKey // guarded by keyMu

	scrubMu  sync.Mutex
	scrub    scrubState // guarded by scrubMu
	scrubbed Scrubbed   // since the start; guarded by scrubMu

	outage    outage
	queue     *queue
	rendering chan struct{} // holds a value for each export that is rendered
	verifying chan struct{} // holds a value while a bundle is verified
	ctx       context.Context
	cancel    context.CancelFunc // called by Close; every export is made under ctx
	makers    sync.WaitGroup
}

// Open starts making exports, first those that the last stop left unfinished.
// What the logs have and the database has not is entered before. Errors:
// [ErrRolledBack], [ErrNoAnchor].
func Open(ctx context.Context, dir *Directory, facts *ledger.Ledger, opts Options) (*Exporter, error) {
	e := &Exporter{
		db: dir.DB, database: filepath.Join(dir.Path, databaseFile), alone: dir.DB.Exclusive, recovery: dir.DB.Recovery(), blobs: dir.Blobs, ledger: facts,
		keys: cmp.Or(opts.Keys, dir.Keys()), instance: dir.Instance, witnesses: dir.Witnesses(), tmp: dir.Tmp(), opts: opts,
		outage: outage{begun: make(chan struct{})}, queue: newQueue(cmp.Or(opts.MaxQueued, MaxQueued)), rendering: make(chan struct{}, opts.Workers), verifying: make(chan struct{}, 1),
	}
	unfinished, err := e.open(ctx, dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open exports: %w", err), e.closeLogs())
	}
	e.queue.resume(unfinished)
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if e.Behind() != nil { // they wait
		return e, nil
	}
	for range makersPerWorker * opts.Workers {
		e.makers.Go(e.work)
	}
	return e, nil
}

func (e *Exporter) open(ctx context.Context, dir *Directory) (unfinished []*running, err error) {
	if err := e.openLog(ctx, dir); err != nil {
		return nil, err
	}
	if err := errors.Join(e.prepare(), e.loadScrub()); err != nil {
		return nil, err
	}
	adopted, err := e.reconcile(ctx)
	if len(adopted) > 0 {
		e.opts.Log.Info("entered exports that the log has and the database had not", "exports", len(adopted))
	}
	if err == nil {
		err = e.settle(ctx, dir, adopted)
	}
	if err != nil {
		return nil, err
	}
	return e.unfinished()
}

// Close waits until each Create under way is stored and stops making exports.
// What is unfinished is made at the next start.
func (e *Exporter) Close() error {
	e.cancel()
	e.queue.close()
	e.makers.Wait()
	return e.closeLogs()
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
// for; made tells which. Errors: [ErrBusy] and [ErrBehind], of new ones only;
// [ErrIdempotency]; [ErrClosed].
func (e *Exporter) Create(ctx context.Context, r Request) (export Export, made bool, err error) {
	if err := ctx.Err(); err != nil {
		return Export{}, false, err
	}
	if e.ctx.Err() != nil {
		return Export{}, false, ErrClosed
	}
	if known, err := e.recall(r); !errors.Is(err, fs.ErrNotExist) {
		return known, false, err
	}
	if err := e.Behind(); err != nil {
		return Export{}, false, err
	}
	fresh := newExport(r, e.opts.Now())
	run, err := e.queue.add(&fresh, e.opts.Now())
	if err != nil {
		return Export{}, false, err
	}
	defer func() { e.queue.settle(run, made) }()
	return e.insert(ctx, r, fresh)
}

// Get gives an export's metadata, with its progress while it is made.
func (e *Exporter) Get(ctx context.Context, id ID) (Export, error) {
	if err := ctx.Err(); err != nil {
		return Export{}, err
	}
	run := e.queue.find(id) // before the entry, which is final once the export has left the queue
	stored, err := e.entry(id)
	if err != nil {
		return Export{}, err
	}
	return run.shown(stored.Export), nil
}

// Wait gives an export's metadata once it is ready or has failed, or as it is
// when ctx ends or the exporter is closed.
func (e *Exporter) Wait(ctx context.Context, id ID) (Export, error) {
	if run := e.queue.find(id); run != nil {
		select {
		case <-run.finished:
		case <-ctx.Done():
		case <-e.ctx.Done():
		}
	}
	return e.Get(context.WithoutCancel(ctx), id)
}

// Artifact opens the stored artifact of an export that is ready. Errors:
// [ErrNotReady]; [ErrLost] and *[blobstore.CorruptError] where the disk failed.
func (e *Exporter) Artifact(ctx context.Context, id ID) (*blobstore.Blob, Export, error) {
	export, err := e.Get(ctx, id)
	if err != nil {
		return nil, Export{}, err
	}
	if export.Status != Ready {
		return nil, export, fmt.Errorf("%w: its status is %s", ErrNotReady, export.Status)
	}
	blob, err := e.blobs.Open(ctx, blobstore.Ref(*export.ArtifactDigest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, export, fmt.Errorf("artifact of %s: %w", id, ErrLost)
	}
	if err != nil {
		return nil, export, fmt.Errorf("artifact of %s: %w", id, err)
	}
	return blob, export, nil
}

// Unfinished is how many exports wait or are being made.
func (e *Exporter) Unfinished() int { return e.queue.unfinished() }

// Waiting is how many exports wait in the queue, and how many may.
func (e *Exporter) Waiting() (now, most int) { return e.queue.waits() }

// Oldest is when the oldest of the unfinished exports was created; the zero
// time if there is none.
func (e *Exporter) Oldest() time.Time { return e.queue.oldest() }
