package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
)

// Rehearse gives fn an Appender with the outcomes that the ledger would give,
// sequences included, and stores nothing. It looks into one state of the
// ledger and keeps what fn appends in a scratch file in Options.Tmp, removed
// at the end; writers are not held up.
func (l *Ledger) Rehearse(ctx context.Context, fn func(Appender) error) error {
	return l.View(ctx, func(s *Snapshot) (err error) {
		dir, err := os.MkdirTemp(l.tmp, "rehearsal-")
		if err != nil {
			return fmt.Errorf("rehearse: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		scratch, err := openScratch(dir+"/scratch.db", s.shelf.state)
		if err != nil {
			return fmt.Errorf("rehearse: %w", err)
		}
		defer func() { err = errors.Join(err, scratch.Close()) }()
		return fn(&rehearsal{scratch: scratch, real: s.shelf, links: newLinkCache(), hash: l.hash, now: l.now})
	})
}

// openScratch makes a ledger that goes on from the state of another one. It
// is never synced: nobody reads it after this process.
func openScratch(path string, real state) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: time.Second, NoSync: true, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
		InitialMmapSize: 64 << 20,
	})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		if err := create(tx, real.Seed); err != nil {
			return err
		}
		start := state{Version: stateVersion, Seed: real.Seed, Last: real.Last}
		return start.save(tx)
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// rehearsal appends to the scratch file, one transaction per call, so that
// memory stays flat.
type rehearsal struct {
	scratch *bbolt.DB
	real    *shelf
	links   *linkCache
	hash    func(string) uint64
	now     func() time.Time
}

var _ Appender = (*rehearsal)(nil)

// Append implements [Appender].
func (r *rehearsal) Append(ctx context.Context, rows []report.Activity) (outcomes []Outcome, err error) {
	err = r.update(func(s *session) error {
		outcomes, err = s.Append(ctx, rows)
		return err
	})
	return outcomes, err
}

// Put implements [Appender].
func (r *rehearsal) Put(ctx context.Context, records []report.Record) (outcomes []Outcome, err error) {
	err = r.update(func(s *session) error {
		outcomes, err = s.Put(ctx, records)
		return err
	})
	return outcomes, err
}

func (r *rehearsal) update(fn func(*session) error) error {
	err := r.scratch.Update(func(tx *bbolt.Tx) error {
		own, err := openShelf(tx)
		if err != nil {
			return err
		}
		return fn(&session{own: own, below: []*shelf{r.real}, links: r.links, hash: r.hash, now: r.now})
	})
	if err != nil {
		r.links.clear()
		return fmt.Errorf("rehearse: %w", err)
	}
	return nil
}
