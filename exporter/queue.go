package exporter

import (
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

	published *published // once it is in the log; its maker's own
}

func newRunning(id ID, since time.Time) *running {
	return &running{id: id, since: since, finished: make(chan struct{})}
}

func (r *running) begin() { r.making.Store(true) }

// reset undoes what was made, for another try.
func (r *running) reset() {
	r.making.Store(false)
	r.rows.Store(0)
}

// count watches the rows that pass.
func (r *running) count(_ *report.Section, batch report.Batch) error {
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
// they came.
type queue struct {
	limit int            // how many may wait
	held  sync.WaitGroup // places reserved and not settled

	mu       sync.Mutex // guards what follows
	changed  *sync.Cond // something waits, or closed is set
	closed   bool
	reserved int        // places of exports that are being stored
	waiting  []*running // next first
	all      map[ID]*running
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

// reserve holds a place for an export until it is settled. Whoever learns of
// the export meanwhile finds it. Errors: [ErrBusy], [ErrClosed].
func (q *queue) reserve(id ID, now time.Time) (*running, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return nil, ErrClosed
	case q.reserved+len(q.waiting) >= q.limit:
		return nil, ErrBusy
	}
	q.held.Add(1)
	q.reserved++
	run := newRunning(id, now)
	q.all[id] = run
	return run, nil
}

// settle queues the export of a reserved place, or gives the place back.
func (q *queue) settle(run *running, stored bool) {
	defer q.held.Done()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reserved--
	if !stored {
		delete(q.all, run.id)
		return
	}
	q.waiting = append(q.waiting, run)
	q.changed.Signal()
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

// close ends the handing out and waits for the places that are reserved.
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
	return q.reserved + len(q.waiting), q.limit
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
