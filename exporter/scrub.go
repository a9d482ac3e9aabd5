package exporter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/time/rate"

	"licensekit/blobstore"
	"licensekit/exporter/audit"
	"licensekit/exporter/sealed"
)

// A scrub goes over all that is kept while the server serves, round after round:
// blobs, then logs, exports' metadata and the database's values. It reads no
// faster than it may. Where it is, and what it found, is in the database, so
// that a restart neither begins a round anew nor forgets damage.
const (
	scrubBucket = "scrub" // of sealed values, with one key
	scrubKey    = "state"

	scrubSaved   = time.Minute // how often the place is written down
	scrubAgain   = time.Minute // how often what was found is looked at again, at the most
	scrubBurst   = 1 << 20     // bytes that may be read at once
	scrubAtLeast = 4 << 10     // bytes that a file counts for
	scrubNamed   = 100         // pieces of damage that are remembered by name
)

// ScrubOptions say how hard a scrub works.
type ScrubOptions struct {
	Rate  int64         // bytes a second
	Every time.Duration // from the begin of a round to that of the next, at the least
}

// scrubState is what the database has of it.
type scrubState struct {
	Began  time.Time      // the round under way; zero between rounds
	After  *blobstore.Ref `json:",omitempty"` // the last blob of the round that was looked at
	Blobs  int64          // of the round, so far
	Bytes  int64
	Ended  time.Time // the last whole round
	Damage []Damage
}

// Damage is something that was found to be damaged.
type Damage struct {
	Problem
	Found time.Time `json:"found"`
}

// Scrubbed tells how far a scrub has come.
type Scrubbed struct {
	Blobs, Bytes int64     // looked at since the start of the process
	Ended        time.Time // the last whole round; zero if there was none
	Damaged      int       // what was found, and is not good again
}

// Scrubbed tells how far it has come.
func (e *Exporter) Scrubbed() Scrubbed {
	e.scrubMu.Lock()
	defer e.scrubMu.Unlock()
	return Scrubbed{e.scrubbed.Blobs, e.scrubbed.Bytes, e.scrub.Ended, len(e.scrub.Damage)}
}

// Damage is what scrubs and checks have found and is not good again.
func (e *Exporter) Damage() []Damage {
	e.scrubMu.Lock()
	defer e.scrubMu.Unlock()
	return append([]Damage{}, e.scrub.Damage...)
}

// loadScrub reads where the last process was. Damage there is no reason not to
// open: the round begins anew.
func (e *Exporter) loadScrub() error {
	return e.db.View(func(tx *bbolt.Tx) error {
		state, err := sealed.Get[scrubState](tx, scrubBucket, scrubKey)
		if err == nil {
			e.scrub = state
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, sealed.ErrDamaged) {
			return nil
		}
		return err
	})
}

// saveScrub writes down where it is.
func (e *Exporter) saveScrub() {
	e.scrubMu.Lock()
	state := e.scrub
	e.scrubMu.Unlock()
	err := e.db.Update(func(tx *bbolt.Tx) error { return sealed.Put(tx, scrubBucket, scrubKey, state) })
	if err != nil { // on a full disk: the next start does some of it again
		e.opts.Log.Warn("write down where the scrub is", "error", err)
	}
}

// scrubber is a scrub under way.
type scrubber struct {
	*Exporter
	opts  ScrubOptions
	limit *rate.Limiter
	saved time.Time // when the place was last written down
	again time.Time // when what was found is to be looked at again
}

// Scrub works until ctx ends.
func (e *Exporter) Scrub(ctx context.Context, opts ScrubOptions) {
	s := &scrubber{Exporter: e, opts: opts, limit: newScrubLimit(opts.Rate), saved: time.Now()}
	for ctx.Err() == nil {
		s.recheck(ctx)
		if !s.due() {
			s.rest(ctx, s.pause())
			continue
		}
		if err := s.round(ctx); err != nil && ctx.Err() == nil {
			e.opts.Log.Error("the scrub could not go on", "error", err)
			s.rest(ctx, scrubAgain)
		}
	}
	s.saveScrub()
}

func newScrubLimit(bytes int64) *rate.Limiter { return rate.NewLimiter(rate.Limit(bytes), scrubBurst) }

// due tells whether a round is to be begun or gone on with.
func (s *scrubber) due() bool {
	s.scrubMu.Lock()
	defer s.scrubMu.Unlock()
	now := s.Exporter.opts.Now()
	sinceLast := now.Sub(s.scrub.Ended)
	return !s.scrub.Began.IsZero() || sinceLast >= s.opts.Every || sinceLast < 0 // the clock went back
}

// pause is how long it looks at nothing between rounds.
func (s *scrubber) pause() time.Duration { return min(scrubAgain, s.opts.Every) }

func (s *scrubber) rest(ctx context.Context, pause time.Duration) {
	select {
	case <-time.After(pause):
	case <-ctx.Done():
	}
}

// read waits until it is time for so many bytes.
func (s *scrubber) read(ctx context.Context, bytes int) error {
	s.scrubMu.Lock()
	s.scrubbed.Bytes += int64(bytes)
	s.scrub.Bytes += int64(bytes)
	s.scrubMu.Unlock()
	if time.Since(s.saved) > scrubSaved {
		s.saved = time.Now()
		s.saveScrub()
	}
	return s.limit.WaitN(ctx, min(max(bytes, scrubAtLeast), scrubBurst))
}

// round goes over everything from where the last process was.
func (s *scrubber) round(ctx context.Context) error {
	after := s.begin()
	err := s.blobs.WalkAfter(ctx, after, func(ref blobstore.Ref, size int64) error { return s.blob(ctx, ref, size) })
	if err != nil {
		return err
	}
	for _, part := range scrubParts {
		if err := s.part(ctx, part); err != nil {
			return err
		}
	}
	s.end(ctx)
	return nil
}

func (s *scrubber) begin() (after blobstore.Ref) {
	s.scrubMu.Lock()
	defer s.scrubMu.Unlock()
	if s.scrub.Began.IsZero() {
		s.scrub.Began, s.scrub.After, s.scrub.Blobs, s.scrub.Bytes = s.Exporter.opts.Now(), nil, 0, 0
	}
	if s.scrub.After != nil {
		after = *s.scrub.After
	}
	return after
}

func (s *scrubber) blob(ctx context.Context, ref blobstore.Ref, size int64) error {
	err := s.blobs.Scrub(ctx, ref, s.read)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.scrubMu.Lock()
	s.scrub.After = &ref
	s.scrub.Blobs++
	s.scrubbed.Blobs++
	s.scrubMu.Unlock()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // that it was collected is no damage
		s.report(ctx, func(Damage) bool { return false }, []Problem{problem("blob", ref.String(), err)})
	}
	if time.Now().After(s.again) {
		s.recheck(ctx)
	}
	return ctx.Err()
}

// scrubParts are what is looked at whole, after the blobs, by the name that
// problems there have.
var scrubParts = []string{"log", "export", "database"}

// part looks at one of them.
func (s *scrubber) part(ctx context.Context, part string) error {
	r := &CheckResult{}
	look := map[string]func(context.Context, *CheckResult) error{"log": s.scrubLogs, "export": s.scrubExports, "database": s.checkValues}[part]
	began := time.Now()
	if err := look(ctx, r); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.report(ctx, func(d Damage) bool { return partOf(d.What) == part }, r.damage())
	s.rest(ctx, time.Since(began)) // half of a processor, where it needs that
	return ctx.Err()
}

// partOf is the part of the scrub that finds problems of a kind.
func partOf(what string) string {
	switch what {
	case "blob", "export":
		return what
	case "log", "key":
		return "log"
	}
	return "database"
}

// scrubLogs is checkLogs at a pace.
func (s *scrubber) scrubLogs(ctx context.Context, r *CheckResult) error {
	return s.checkLogs(ctx, r, func(leaf []byte) error { return s.read(ctx, len(leaf)) })
}

// scrubExports is checkExports at a pace: for each its manifest is read.
func (s *scrubber) scrubExports(ctx context.Context, r *CheckResult) error {
	return s.checkExports(ctx, r, func() error { return s.read(ctx, scrubAtLeast) })
}

func (s *scrubber) end(ctx context.Context) {
	s.scrubMu.Lock()
	s.scrub.Ended, s.scrub.Began, s.scrub.After = s.Exporter.opts.Now(), time.Time{}, nil
	said := audit.Metadata{"blobs": s.scrub.Blobs, "bytes": s.scrub.Bytes, "damaged": len(s.scrub.Damage)}
	s.scrubMu.Unlock()
	s.saveScrub()
	s.tell(ctx, audit.Event{Type: audit.DirectoryScrubbed, ResourceType: "directory", ResourceID: s.instance, Metadata: said})
}

func (e *Exporter) tell(ctx context.Context, event audit.Event) {
	if err := e.opts.Trail.Write(ctx, event); err != nil {
		e.opts.Log.Warn("record a scrub", "event_type", event.Type, "error", err)
	}
}

// recheck looks again at what was found: a good copy may have come from a
// backup.
func (s *scrubber) recheck(ctx context.Context) {
	began := time.Now()
	s.again = began.Add(time.Hour) // not while it does
	parts := map[string]bool{}
	for _, d := range s.Damage() {
		if d.What != "blob" {
			parts[partOf(d.What)] = true
			continue
		}
		ref, err := blobstore.ParseRef(d.ID)
		if err == nil {
			err = s.blobs.Verify(ctx, ref)
		}
		if err == nil {
			s.report(ctx, func(known Damage) bool { return known.What == "blob" && known.ID == d.ID }, nil)
			parts["export"] = true // which may have missed it
		}
	}
	for part := range parts {
		if err := s.part(ctx, part); err != nil {
			break
		}
	}
	s.again = time.Now().Add(max(s.pause(), 20*time.Since(began)))
}

// report enters what was found and tells of what is new, or good again.
func (s *scrubber) report(ctx context.Context, there func(Damage) bool, found []Problem) {
	fresh, gone := s.replace(there, found)
	for _, d := range fresh {
		s.Exporter.opts.Log.Error("damage found", "what", d.What, "id", d.ID, "problem", d.Problem.Problem)
		s.tell(ctx, audit.Event{Type: audit.DirectoryDamaged, ResourceType: "directory", ResourceID: s.instance, Metadata: audit.Metadata{
			"what": d.What, "id": d.ID, "problem": d.Problem.Problem,
		}})
	}
	for _, d := range gone {
		s.Exporter.opts.Log.Info("good again", "what", d.What, "id", d.ID)
	}
}

// replace takes what was found in the place of what was known there, and gives
// what is new and what is gone.
func (e *Exporter) replace(there func(Damage) bool, found []Problem) (fresh, gone []Damage) {
	e.scrubMu.Lock()
	known, now := map[string]Damage{}, map[string]bool{}
	kept := []Damage{}
	for _, d := range e.scrub.Damage {
		known[d.name()] = d
	}
	for _, p := range found {
		if now[p.name()] {
			continue
		}
		now[p.name()] = true
		d, before := known[p.name()]
		if !before {
			d = Damage{p, e.opts.Now()}
		}
		if len(kept) == scrubNamed {
			continue
		}
		if kept = append(kept, d); !before {
			fresh = append(fresh, d)
		}
	}
	for _, d := range e.scrub.Damage {
		switch {
		case now[d.name()]:
		case there(d):
			gone = append(gone, d)
		default:
			kept = append(kept, d)
		}
	}
	e.scrub.Damage = kept
	e.scrubMu.Unlock()
	if len(fresh)+len(gone) > 0 {
		e.saveScrub()
	}
	return fresh, gone
}

func (p Problem) name() string { return p.What + " " + p.ID }

// checkValues reads the values of the database.
func (e *Exporter) checkValues(ctx context.Context, r *CheckResult) error {
	if err := e.ledger.CheckStored(ctx); ctx.Err() == nil {
		r.note("ledger", "", err)
	}
	if err := e.opts.Trail.Check(ctx); ctx.Err() == nil {
		r.note("audit", "", err)
	}
	err := e.db.View(func(tx *bbolt.Tx) error {
		r.note("database", "values", checkSealed(tx))
		r.note("database", "indexes", checkIndexes(tx))
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the database's values: %w", err)
	}
	return nil
}
