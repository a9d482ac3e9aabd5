package exporter

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"licensekit/exporter/report"
)

// running is an export that waits or is being made. A nil one stands for an
// export that is neither.
type running struct {
	id       ID
	since    time.Time // when it was created
	began    time.Time // when its snapshot was taken; belongs to who makes it
	making   atomic.Bool
	rows     atomic.Int64  // rendered so far
	finished chan struct{} // closed once the export is ready or failed

	asked  *Export       // what is to be made, where that need not be read; nil after a restart
	stored chan struct{} // closed once it is known whether the export is in the database
	kept   bool          // whether it is; set before stored is closed

	published *published // once it is in the log; its maker's own
}

// newRunning is of an export of which it is not settled yet whether it comes
// into the database.
func newRunning(id ID, since time.Time) *running {
	return &running{id: id, since: since, stored: make(chan struct{}), finished: make(chan struct{})}
}

func (r *running) settle(kept bool) {
	r.kept = kept
	close(r.stored)
}

// errNotKept says that an export did not come into the database.
var errNotKept = errors.New("the export was not stored")

// await waits until the export is in the database. Errors: errNotKept.
func (r *running) await(ctx context.Context) error {
	select {
	case <-r.stored:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !r.kept {
		return errNotKept
	}
	return nil
}

func (r *running) begin() { r.making.Store(true) }

// reset undoes what was made, for another try.
func (r *running) reset() {
	r.making.Store(false)
	r.rows.Store(0)
}

// count watches the rows that pass, and ends them once they are for nothing.
// Errors: errNotKept.
func (r *running) count(_ *report.Section, batch report.Batch) error {
	select {
	case <-r.stored:
		if !r.kept {
			return errNotKept
		}
	default:
	}
	r.rows.Add(int64(batch.Len()))
	return nil
}

// shown is an export's stored metadata with what only memory knows of it.
func (r *running) shown(stored Export) Export {
	if r != nil && r.making.Load() && !stored.Status.Final() {
		stored.Status, stored.Progress = Processing, &Progress{Rows: r.rows.Load()}
	}
	return stored
}

// queue holds the unfinished exports and hands them out in the order in which
// they came. Who makes one may begin while it is being stored, and has to wait
// for that before anybody else learns of it.
type queue struct {
	limit int            // how many may wait
	held  sync.WaitGroup // exports that are being stored

	mu      sync.Mutex // guards what follows
	changed *sync.Cond // something waits, or closed is set
	closed  bool
	waiting []*running // next first
	all     map[ID]*running
}

func newQueue(limit int) *queue {
	q := &queue{limit: limit, all: map[ID]*running{}}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// resume queues what was accepted before this start, be it beyond the limit.
func (q *queue) resume(unfinished []*running) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, run := range unfinished {
		q.all[run.id], q.waiting = run, append(q.waiting, run)
	}
}

// add queues an export that is being stored, which is to be told to settle.
// Errors: [ErrBusy], [ErrClosed].
func (q *queue) add(export *Export, now time.Time) (*running, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return nil, ErrClosed
	case len(q.waiting) >= q.limit:
		return nil, ErrBusy
	}
	q.held.Add(1)
	run := newRunning(export.ID, now)
	run.asked = export
	q.all[run.id], q.waiting = run, append(q.waiting, run)
	q.changed.Signal()
	return run, nil
}

// settle tells whether an export came into the database. It is taken out of the
// queue if not.
func (q *queue) settle(run *running, kept bool) {
	defer q.held.Done()
	defer run.settle(kept)
	if kept {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.all, run.id)
	q.waiting = slices.DeleteFunc(q.waiting, func(r *running) bool { return r == run })
}

// take waits for the next export; nil means that the queue is closed.
func (q *queue) take() *running {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.closed {
		q.changed.Wait()
	}
	if q.closed {
		return nil
	}
	run := q.waiting[0]
	q.waiting = q.waiting[1:]
	return run
}

// back queues an export for another try, behind the others.
func (q *queue) back(run *running) {
	run.reset()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, run)
	q.changed.Signal()
}

// finish lets go of an export whose end is recorded, and of who waits for it.
func (q *queue) finish(run *running) {
	q.mu.Lock()
	delete(q.all, run.id)
	q.mu.Unlock()
	close(run.finished)
}

// close ends the handing out and waits for what is being stored.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.changed.Broadcast()
	q.mu.Unlock()
	q.held.Wait()
}

// find gives an unfinished export, nil if there is none.
func (q *queue) find(id ID) *running {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.all[id]
}

// making gives the exports that are being made.
func (q *queue) making() map[ID]*running {
	q.mu.Lock()
	defer q.mu.Unlock()
	making := map[ID]*running{}
	for id, run := range q.all {
		if run.making.Load() {
			making[id] = run
		}
	}
	return making
}

func (q *queue) unfinished() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.all)
}

// waits gives how many places are taken, and how many there are.
func (q *queue) waits() (now, most int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting), q.limit
}

// oldest is when the oldest of the unfinished exports was created; the zero
// time if there is none.
func (q *queue) oldest() (oldest time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, run := range q.all {
		if oldest.IsZero() || run.since.Before(oldest) {
			oldest = run.since
		}
	}
	return oldest
}
