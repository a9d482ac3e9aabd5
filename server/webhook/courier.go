package webhook

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/audit"
)

// Attempts is how often a delivery is tried.
const Attempts = 15

// The pauses between attempts: each is twice as long as the one before, give or
// take a fifth.
const (
	firstPause   = 10 * time.Second
	longestPause = 6 * time.Hour
)

// stopGrace is how long a request that is under way may go on after a stop.
const stopGrace = 5 * time.Second

// How long a worker rests that could not read what to do, or store what came of
// it.
const (
	readPause  = time.Minute
	storePause = 5 * time.Second
)

// Options say how deliveries are made.
type Options struct {
	Log     *slog.Logger
	Version string         // of the program
	Roots   *x509.CertPool // that certificates of receivers lead to; nil for the system's

	Measured func(Status) // is told what each attempt came to; nil for nobody

	pause func(attempts int) time.Duration // for tests
}

// Courier makes the deliveries of a store.
type Courier struct {
	*Store
	opts   Options
	sender *sender
}

// NewCourier gives the courier of a store.
func NewCourier(s *Store, opts Options) *Courier {
	if opts.pause == nil {
		opts.pause = pauseAfter
	}
	return &Courier{Store: s, opts: opts, sender: newSender(s.may, opts.Roots, opts.Version)}
}

// pauseAfter is how long to wait after so many attempts.
func pauseAfter(attempts int) time.Duration {
	pause := longestPause
	if attempts < 30 {
		pause = min(firstPause<<(attempts-1), longestPause)
	}
	spread := int64(pause) / 5
	n, err := rand.Int(rand.Reader, big.NewInt(2*spread))
	if err != nil { // never: the runtime ends the process instead
		return pause
	}
	return pause + time.Duration(n.Int64()-spread)
}

// Run makes deliveries until ctx ends, and returns once none is under way.
func (c *Courier) Run(ctx context.Context) {
	defer c.sender.close()
	var workers sync.WaitGroup
	defer workers.Wait()
	running, ended := map[string]bool{}, make(chan string)
	for {
		changed := c.changed.Rung()
		ids, err := c.ids()
		if err != nil {
			c.opts.Log.Error("read webhooks", "error", err)
		}
		for _, id := range ids {
			if running[id] {
				continue
			}
			if r, err := c.get(id); err != nil {
				c.opts.Log.Error("a webhook can't be read", "webhook_id", id, "error", err)
				continue
			} else if !r.Active {
				continue
			}
			running[id] = true
			workers.Go(func() {
				(&worker{Courier: c, id: id, log: c.opts.Log.With("webhook_id", id)}).work(ctx)
				select {
				case ended <- id:
				case <-ctx.Done():
				}
			})
		}
		select {
		case <-changed:
		case id := <-ended:
			delete(running, id)
		case <-ctx.Done():
			return
		}
	}
}

// worker makes the deliveries of one endpoint.
type worker struct {
	*Courier
	id     string
	log    *slog.Logger
	passed int64 // the newest event that was passed over, which may not be stored yet
}

// work goes on until the endpoint is no longer active or ctx ends.
func (w *worker) work(ctx context.Context) {
	for ctx.Err() == nil {
		more, changed := w.trail.More(), w.changed.Rung()
		next, err := w.next(ctx)
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && !next.record.Active:
			return
		case err != nil && ctx.Err() == nil:
			w.log.Error("read what is to be delivered", "error", err)
			wait(ctx, readPause, nil, changed)
		case err != nil:
		case !next.found:
			wait(ctx, -1, more, changed)
		case w.now().Before(next.delivery.NextAttemptAt):
			wait(ctx, next.delivery.NextAttemptAt.Sub(w.now()), nil, changed)
		default:
			w.attempt(ctx, next)
		}
	}
}

// wait ends after a time, with ctx, or once one of two channels is closed. A
// negative time is for ever.
func wait(ctx context.Context, pause time.Duration, first, second <-chan struct{}) {
	var over <-chan time.Time
	if pause >= 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-first:
	case <-second:
	case <-ctx.Done():
	}
}

// job is the next delivery of an endpoint.
type job struct {
	record   record
	event    audit.Event
	delivery kept // without a sequence until its first attempt
	found    bool // whether there is one
}

// next finds the delivery that is tried again, or that of the first event behind
// the endpoint's position that it wants.
func (w *worker) next(ctx context.Context) (next job, err error) {
	var at position
	err = w.db.View(func(tx *bbolt.Tx) (err error) {
		if next.record, err = load(tx, w.id); err != nil {
			return err
		}
		if at, err = loadPosition(tx, w.id); err != nil || at.Pending == 0 {
			return err
		}
		next.delivery, err = loadDelivery(tx, w.id, at.Pending)
		if errors.Is(err, fs.ErrNotExist) { // it begins anew
			at.Pending, err = 0, nil
		}
		return err
	})
	if err != nil || !next.record.Active {
		return next, err
	}
	if at.Pending != 0 {
		return w.again(ctx, next)
	}
	if next.event, next.found, err = w.find(ctx, next.record, at.Settled); err != nil || !next.found {
		return next, err
	}
	next.delivery = kept{Revision: next.record.Revision, Delivery: Delivery{WebhookID: w.id, EventSequence: next.event.Sequence, EventType: next.event.Type}}
	next.delivery.ID, err = deliveryID(w.id, next.event)
	return next, err
}

// again reads the event of a delivery that is tried again. After a change of the
// endpoint it has all its attempts anew: whatever was wrong may have been mended.
func (w *worker) again(ctx context.Context, next job) (job, error) {
	d := &next.delivery
	if d.Revision != next.record.Revision {
		d.Revision, d.Attempts, d.NextAttemptAt = next.record.Revision, 0, time.Time{}
	}
	event, err := w.eventOf(ctx, d.EventSequence)
	next.event, next.found = event, err == nil
	return next, err
}

// eventOf reads one event of the trail.
func (s *Store) eventOf(ctx context.Context, sequence int64) (audit.Event, error) {
	events, err := s.trail.After(ctx, sequence-1, 1)
	if err == nil && len(events) == 0 {
		err = fmt.Errorf("the trail has no event %d", sequence)
	}
	if err != nil {
		return audit.Event{}, err
	}
	return events[0], nil
}

const (
	batch    = 100  // events that are read at a time
	remember = 1000 // events that are passed over before that is stored
)

// find passes over events that the endpoint does not want.
func (w *worker) find(ctx context.Context, r record, settled int64) (event audit.Event, found bool, err error) {
	w.passed = max(w.passed, settled)
	for {
		events, err := w.trail.After(ctx, w.passed, batch)
		if err != nil {
			return event, false, err
		}
		for _, event := range events {
			if r.wants(event) {
				return event, true, nil
			}
			w.passed = event.Sequence
		}
		if w.passed-settled >= remember {
			settled = w.passed
			if err := w.move(w.id, func(_ *bbolt.Tx, at *position) error { at.Settled = settled; return nil }); err != nil {
				return event, false, err
			}
		}
		if len(events) < batch {
			return event, false, nil
		}
	}
}

// attempt sends a delivery and stores what came of it.
func (w *worker) attempt(ctx context.Context, j job) {
	d, began := j.delivery, w.now()
	sending, cancel := outlast(ctx, stopGrace)
	defer cancel()
	got := w.sender.send(sending, j.record, j.event, d.ID, began)
	if got.err != nil && sending.Err() != nil {
		return // the stop cut it short; the next start tries again
	}
	w.judge(&d, got, began)
	w.tell(d)
	if w.opts.Measured != nil {
		w.opts.Measured(d.Status)
	}
	for err := w.settle(d); err != nil && ctx.Err() == nil; err = w.settle(d) {
		w.log.Error("store what came of a webhook's delivery", "error", err)
		wait(ctx, storePause, nil, nil)
	}
}

// outlast gives a context that ends some time after ctx does.
func outlast(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(grace, cancel)
		context.AfterFunc(longer, func() { timer.Stop() })
	})
	return longer, func() { stop(); cancel() }
}

// judge enters what an attempt came to into its delivery.
func (c *Courier) judge(d *kept, got outcome, began time.Time) {
	ended := c.now()
	if d.CreatedAt.IsZero() {
		d.CreatedAt = began
	}
	d.Attempts++
	d.LastAttemptAt, d.DurationMS, d.NextAttemptAt = began, max(0, ended.Sub(began).Milliseconds()), time.Time{}
	d.ResponseStatus, d.Error, d.Status = got.status, "", Delivered
	if got.err == nil {
		return
	}
	d.Status, d.Error = Failed, got.err.Error()
	if d.Attempts < Attempts {
		d.Status, d.NextAttemptAt = Pending, millis(ended.Add(max(c.opts.pause(d.Attempts), got.retryAfter)))
	}
}

// giveUp leaves a delivery that failed at that.
func (d *kept) giveUp() {
	if d.Status == Pending {
		d.Status, d.NextAttemptAt = Failed, time.Time{}
	}
}

func (w *worker) tell(d kept) {
	log := w.log.With("delivery_id", d.ID, "event_sequence", d.EventSequence, "attempts", d.Attempts)
	switch d.Status {
	case Delivered:
		log.Debug("webhook delivered", "status", d.ResponseStatus)
	case Pending:
		log.Warn("a webhook's delivery failed, it is tried again", "error", d.Error, "at", d.NextAttemptAt)
	case Failed:
		log.Error("a webhook's delivery is given up", "error", d.Error)
	}
}

// settle stores a delivery of the trail. An endpoint that was deleted meanwhile
// has none.
func (w *worker) settle(d kept) error {
	err := w.move(w.id, func(tx *bbolt.Tx, at *position) error {
		entered := d // this may run again
		err := at.enter(tx, &entered)
		if d.Status == Pending {
			at.Pending = entered.Sequence
		} else {
			at.Settled, at.Pending = d.EventSequence, 0
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// TestType is the type of the event that [Courier.Test] sends. It is in no trail.
const TestType audit.Type = "webhook.test"

// Test sends an event that is none, once and at once, to an endpoint that may be
// paused. Errors: fs.ErrNotExist.
func (c *Courier) Test(ctx context.Context, id string) (Delivery, error) {
	r, err := c.get(id)
	if err != nil {
		return Delivery{}, err
	}
	began := c.now()
	event := audit.Event{
		Type: TestType, Origin: audit.OriginOf(ctx), ResourceType: "webhook_endpoint", ResourceID: id,
		Metadata: audit.Metadata{"name": r.Name}, CreatedAt: began,
	}
	d := kept{Revision: r.Revision, Delivery: Delivery{ID: "whd_" + strings.ToLower(rand.Text()), WebhookID: id, EventType: TestType}}
	got := c.sender.send(ctx, r, event, d.ID, began)
	c.judge(&d, got, began)
	d.giveUp()
	err = c.move(id, func(tx *bbolt.Tx, at *position) error {
		entered := d
		if err := at.enter(tx, &entered); err != nil {
			return err
		}
		d.Sequence = at.Newest
		return nil
	})
	return d.Delivery, err
}
