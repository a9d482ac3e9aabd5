package audit

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/time/rate"
)

// The bounds of a tally.
const (
	tallyWindow = time.Hour        // for which repeats of an event are counted
	tallySweep  = 10 * time.Second // how often is looked for windows that are over
	tallyMost   = 4096             // events whose repeats are counted at a time; others are recorded each time
)

// Tally records an event that may come a thousand times as two: the first when
// it happens, the others as one, with their number, when an hour is over or the
// tally is closed. A crash loses the number, never the first.
type Tally struct {
	trail  *Trail
	budget *rate.Limiter // of what is recorded when it happens; nil for no bound
	failed func(error)   // is told what could not be recorded in the background
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	known map[string]*repeated // by what makes events the same; guarded by mu
}

// repeated counts an event beyond the first.
type repeated struct {
	event       Event
	began, last time.Time
	count       int64
}

// NewTally gives a tally of a trail. It must be closed before the database is.
func NewTally(trail *Trail, failed func(error)) *Tally {
	return NewBoundedTally(trail, nil, failed)
}

// NewBoundedTally gives a tally that records no more than a budget allows, for
// events that strangers cause. Those beyond it are counted together by type,
// without actor, address and resource.
func NewBoundedTally(trail *Trail, budget *rate.Limiter, failed func(error)) *Tally {
	ctx, stop := context.WithCancel(context.Background())
	t := &Tally{trail: trail, budget: budget, failed: failed, stop: stop, known: map[string]*repeated{}}
	t.done.Go(func() { t.sweep(ctx) })
	return t
}

// Close records the numbers of what is being counted.
func (t *Tally) Close() error {
	t.stop()
	t.done.Wait()
	return t.record(t.over(func(*repeated) bool { return true }))
}

// Count records an event, unless one of the same type, actor, address and
// resource was recorded within the hour: then it is counted.
func (t *Tally) Count(ctx context.Context, e Event) error {
	e = by(ctx, e)
	if t.repeats(e) {
		return nil
	}
	return t.trail.Write(ctx, e)
}

func (t *Tally) repeats(e Event) bool {
	now := t.trail.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.known[e.alike()]
	if r == nil && t.budget != nil && (len(t.known) >= tallyMost || !t.budget.AllowN(now, 1)) {
		e.Origin, e.ResourceID, e.Metadata = Origin{ActorType: ByKey, ActorID: Unknown}, "", Metadata{}
		if r = t.known[e.alike()]; r == nil {
			r = &repeated{event: e, began: now}
			t.known[e.alike()] = r
		}
	}
	if r == nil {
		if len(t.known) < tallyMost {
			t.known[e.alike()] = &repeated{event: e, began: now}
		}
		return false
	}
	r.count++
	r.last = now
	return true
}

// alike is the same text for events of which all but the first are counted.
func (e Event) alike() string {
	return strings.Join([]string{string(e.Type), string(e.ActorType), e.ActorID, e.IPAddress, e.ResourceType, e.ResourceID}, "\x00")
}

func (t *Tally) sweep(ctx context.Context) {
	ticker := time.NewTicker(tallySweep)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := t.trail.now()
		if err := t.record(t.over(func(r *repeated) bool { return now.Sub(r.began) >= tallyWindow })); err != nil {
			t.failed(err)
		}
	}
}

// over takes out what is no longer counted.
func (t *Tally) over(ended func(*repeated) bool) (over []*repeated) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.known, func(_ string, r *repeated) bool {
		if !ended(r) {
			return false
		}
		if r.count > 0 {
			over = append(over, r)
		}
		return true
	})
	slices.SortFunc(over, func(a, b *repeated) int { return a.last.Compare(b.last) })
	return over
}

func (t *Tally) record(over []*repeated) error {
	if len(over) == 0 {
		return nil
	}
	return t.trail.db.Update(func(tx *bbolt.Tx) error {
		for _, r := range over {
			if err := t.trail.append(tx, r.summary()); err != nil {
				return err
			}
		}
		return nil
	})
}

// summary is the event of all repeats. It belongs to no one request.
func (r *repeated) summary() Event {
	e := r.event
	e.RequestID = ""
	e.Metadata = maps.Clone(e.Metadata)
	e.Metadata["repeats"], e.Metadata["since"], e.Metadata["until"] = r.count, r.began.UTC().Truncate(time.Millisecond), r.last.UTC().Truncate(time.Millisecond)
	return e
}
