package schedule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"licensekit/exporter"
	"licensekit/exporter/render"
)

// How long the runner waits: at most, so that it notices a clock that was set;
// while the exports of a run are made; and after an error.
const (
	lookUp = time.Minute
	soon   = time.Second
	retry  = 10 * time.Second
)

// Options say how runs are made.
type Options struct {
	Log     *slog.Logger
	Exports *exporter.Exporter
	Refuse  func(ctx context.Context, createdBy string) (why string, err error) // why a key may not freeze, "" if it may

	lookUp time.Duration // for tests
}

// Runner makes the runs of a store.
type Runner struct {
	*Store
	opts Options
}

// NewRunner gives the runner of a store.
func NewRunner(s *Store, opts Options) *Runner {
	if opts.lookUp == 0 {
		opts.lookUp = lookUp
	}
	return &Runner{s, opts}
}

// Run makes runs when they are due, until ctx ends.
func (r *Runner) Run(ctx context.Context) {
	for ctx.Err() == nil {
		changed := r.changed.Rung()
		pause := r.round(ctx)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// round makes at most one run of each schedule, and tells how long there is
// nothing to do.
func (r *Runner) round(ctx context.Context) (pause time.Duration) {
	ids, err := r.ids()
	if err != nil {
		r.opts.Log.Error("read schedules", "error", err)
		return r.opts.lookUp
	}
	pause = r.opts.lookUp
	for _, id := range ids {
		next, err := r.one(ctx, id)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
			r.opts.Log.Error("a schedule could not run", "schedule_id", id, "error", err)
		}
		pause = min(pause, max(next, 0))
	}
	return pause
}

// one makes a schedule's next run if it is due, and tells when it is worth
// another look.
func (r *Runner) one(ctx context.Context, id string) (pause time.Duration, err error) {
	s, err := r.get(id)
	if err != nil {
		return r.opts.lookUp, err
	}
	next := s.after(s.Done)
	for next.period <= s.Last { // the zone's rules have changed
		next = s.after(next.at)
	}
	if wait := next.at.Sub(r.now()); wait > 0 {
		return wait, nil
	}
	if busy, err := r.busy(ctx, s); busy || err != nil {
		return min(soon, r.opts.lookUp), err
	}
	run := Run{ScheduleID: s.ID, DueAt: next.at, RanAt: r.now(), From: next.from, To: next.to, Status: Created, Exports: []exporter.ID{}}
	why, err := r.opts.Refuse(ctx, s.CreatedBy)
	if err != nil {
		return retry, err
	}
	if why != "" {
		run.Status, run.Error = Refused, why
		r.opts.Log.Warn("a schedule's run is refused", "schedule_id", s.ID, "period", next.period, "reason", why)
	} else if run.Exports, err = r.freeze(ctx, s, next); err != nil {
		return retry, err
	}
	if err := r.enter(ctx, next, run); err != nil {
		return retry, err
	}
	return 0, nil
}

// busy tells whether the exports of the run before are still being made.
func (r *Runner) busy(ctx context.Context, s record) (bool, error) {
	for _, id := range s.Making {
		export, err := r.opts.Exports.Get(ctx, id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || !export.Status.Final() {
			return true, err
		}
	}
	return false, nil
}

// freeze creates a run's exports, or finds those that it created before it was
// interrupted. No client can name their idempotency keys: they hold a character
// that a header can't.
func (r *Runner) freeze(ctx context.Context, s record, d due) (made []exporter.ID, err error) {
	filters := s.Filters
	filters.From, filters.To = &d.from, &d.to
	if filters, err = filters.Normalise(s.Kind); err != nil {
		return nil, err
	}
	for _, name := range s.Formats {
		format, err := render.Parse(name)
		if err != nil {
			return nil, err
		}
		export, _, err := r.opts.Exports.Create(ctx, exporter.Request{
			Kind: s.Kind, Format: format, Filters: filters, CreatedBy: s.CreatedBy,
			IdempotencyKey: fmt.Sprintf("schedule\x01%s\x01%s\x01%s", s.ID, d.period, name),
		})
		if err != nil {
			return nil, err
		}
		made = append(made, export.ID)
	}
	return made, nil
}
