package exporter

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
	"licensekit/exporter/sealed"
)

func TestQueueHoldsMoreThanThereAreWorkers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(20)
	var ids []ID
	h.rendering <- struct{}{}
	for range 40 {
		ids = append(ids, h.create(ask(t, report.UsageSummary, "csv")).ID)
	}
	if got := h.Unfinished(); got != 40 {
		t.Errorf("unfinished: got %d, want 40", got)
	}
	<-h.rendering
	for _, id := range ids {
		h.await(id, Ready)
	}
	if got := h.Unfinished(); got != 0 {
		t.Errorf("unfinished at last: got %d, want 0", got)
	}
}

func TestFullQueueRefusesNewExports(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{MaxQueued: 3})
	r := ask(t, report.UsageSummary, "json")
	r.IdempotencyKey = "known"
	known := h.create(r)
	r.IdempotencyKey = ""
	h.create(r)
	last := h.create(r)
	for range 2 {
		if x, made, err := h.Create(t.Context(), r); !errors.Is(err, ErrBusy) || made {
			t.Errorf("one too many: got %+v, made %v, %v; want ErrBusy", x, made, err)
		}
	}
	r.IdempotencyKey = "known"
	if x, made, err := h.Create(t.Context(), r); err != nil || made || x.ID != known.ID {
		t.Errorf("one that is known, in a full queue: got %s, made %v, %v; want %s", x.ID, made, err, known.ID)
	}
	h.reopen(1)
	h.await(last.ID, Ready)
	if got := h.freeze(report.UsageSummary, "json"); got.Sequence != 4 {
		t.Errorf("sequence of the next export: got %d, want 4, for a refused one takes none", got.Sequence)
	}
}

// A place is given back when the request turns out to be wrong.
func TestRefusedRequestsTakeNoPlace(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{MaxQueued: 2})
	r := ask(t, report.UsageSummary, "json")
	r.IdempotencyKey = "k"
	h.create(r)
	for range 5 {
		if _, made, err := h.Create(t.Context(), r); err != nil || made {
			t.Errorf("replay: got made %v, %v; want the known one", made, err)
		}
		other := r
		other.Filters.CustomerID = "c"
		if _, _, err := h.Create(t.Context(), other); !errors.Is(err, ErrIdempotency) {
			t.Errorf("conflict: got %v, want ErrIdempotency", err)
		}
	}
	r.IdempotencyKey = "other"
	h.create(r)
}

// What was accepted is made, though the limit be lower now.
func TestMoreUnfinishedThanMayWait(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{})
	h.fill(5)
	var ids []ID
	for range 30 {
		ids = append(ids, h.create(ask(t, report.UsageSummary, "json")).ID)
	}
	h.opts.MaxQueued = 2
	h.reopen(2)
	for _, id := range ids {
		h.await(id, Ready)
	}
}

// Exports that Close cuts off have kept their ids and are made at the next
// start, from the data of then.
func TestCloseInterrupts(t *testing.T) {
	t.Parallel()
	clock := newGate()
	h := newHouse(t, Options{Workers: 1, Now: clock.now})
	h.fill(100)
	x := h.createHeld(clock, ask(t, report.UsageLedger, "csv"))
	if got, err := h.Get(t.Context(), x.ID); err != nil || got.Status != Processing || got.Progress == nil {
		t.Errorf("while it is made: got %+v, %v; want processing, with its progress", got, err)
	}
	waited := make(chan Export)
	go func() {
		got, err := h.Wait(context.Background(), x.ID)
		if err != nil {
			t.Errorf("wait for an export that is interrupted: %v", err)
		}
		waited <- got
	}()
	closed := make(chan error)
	go func() { closed <- h.Exporter.Close() }()
	if got := <-waited; got.Status.Final() || got.ID != x.ID {
		t.Errorf("what a waiter sees when the exporter closes: got %+v, want it unfinished", got)
	}
	clock.open()
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
	if got := blobsOf(t, h); len(got) > 0 {
		t.Errorf("blobs of an interrupted export: got %v, want none", got)
	}
	h.reopen(0)
	if got, err := h.Get(t.Context(), x.ID); err != nil || got.Status != Pending {
		t.Errorf("after a restart: got %+v, %v; want pending", got, err)
	}
	h.fill(1)
	h.reopen(1)
	if got := h.await(x.ID, Ready); *got.AsOf != 101 || got.CreatedAt != x.CreatedAt {
		t.Errorf("made at last: got %+v, want it as of 101, created at %v", got, x.CreatedAt)
	}
}

// Wherever Close meets an export, it is ready, or unfinished and made later.
func TestCloseAtAnyTime(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(10_000)
	for i := range 6 {
		x := h.create(ask(t, report.UsageLedger, []string{"json", "csv"}[i%2]))
		time.Sleep(time.Duration(i) * 5 * time.Millisecond)
		h.reopen(1)
		h.await(x.ID, Ready)
	}
}

func TestCreateAfterClose(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	r := ask(t, report.UsageSummary, "json")
	r.IdempotencyKey = "k"
	h.await(h.create(r).ID, Ready)
	if err := h.Exporter.Close(); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "k"} {
		r.IdempotencyKey = key
		if _, made, err := h.Create(t.Context(), r); !errors.Is(err, ErrClosed) || made {
			t.Errorf("create with key %q: got made %v, %v; want ErrClosed", key, made, err)
		}
	}
	if err := h.Exporter.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
}

// heldDatabase holds up a write until it may go on.
type heldDatabase struct {
	sealed.Database
	arrived, proceed chan struct{}
}

func (d *heldDatabase) Update(fn func(*bbolt.Tx) error) error {
	close(d.arrived)
	<-d.proceed
	return d.Database.Update(fn)
}

// Close waits for what is being stored: an export that was created is there
// after a restart.
func TestCloseBesideCreate(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	disk := &heldDatabase{h.db, make(chan struct{}), make(chan struct{})}
	h.db = disk
	created := make(chan Export)
	go func() {
		x, made, err := h.Create(context.Background(), ask(t, report.UsageSummary, "json"))
		if err != nil || !made {
			t.Errorf("create beside close: got made %v, %v", made, err)
		}
		created <- x
	}()
	<-disk.arrived
	closed := make(chan error)
	go func() { closed <- h.Exporter.Close() }()
	<-h.ctx.Done()
	select {
	case <-closed:
		t.Error("close returned before the export was stored")
	case <-time.After(20 * time.Millisecond):
	}
	close(disk.proceed)
	x := <-created
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
	h.reopen(1)
	h.await(x.ID, Ready)
}

// refusingDatabase holds up the first write, and then refuses it.
type refusingDatabase struct {
	sealed.Database
	first            sync.Once
	arrived, proceed chan struct{}
}

var errRefused = errors.New("refused")

func (d *refusingDatabase) Update(fn func(*bbolt.Tx) error) (err error) {
	d.first.Do(func() {
		close(d.arrived)
		<-d.proceed
		err = errRefused
	})
	if err != nil {
		return err
	}
	return d.Database.Update(fn)
}

// An export may be rendered while it is stored. Where that fails, it was never
// there: it is not in the log, and its place is free.
func TestMadeWhileItIsStored(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1, MaxQueued: 1})
	h.fill(50)
	disk := &refusingDatabase{Database: h.db, arrived: make(chan struct{}), proceed: make(chan struct{})}
	proceed := sync.OnceFunc(func() { close(disk.proceed) })
	defer proceed()
	h.db = disk
	refused := make(chan error)
	go func() {
		_, _, err := h.Create(context.Background(), ask(t, report.UsageLedger, "csv"))
		refused <- err
	}()
	<-disk.arrived
	h.eventually("rows are rendered", func() bool {
		for _, run := range h.queue.making() {
			return run.rows.Load() > 0
		}
		return false
	})
	proceed()
	if err := <-refused; !errors.Is(err, errRefused) {
		t.Errorf("create: got %v, want %v", err, errRefused)
	}
	if got := h.Unfinished(); got != 0 {
		t.Errorf("unfinished: got %d, want none", got)
	}
	if x := h.freeze(report.UsageLedger, "csv"); *x.LogIndex != 0 || x.Sequence != 1 {
		t.Errorf("the next one: got index %d and sequence %d, want 0 and 1", *x.LogIndex, x.Sequence)
	}
}

// Of an export that was not stored no more is rendered.
func TestNotStoredIsNotRendered(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(50)
	for _, format := range []string{"csv", "json", "pdf"} {
		x := newExport(ask(t, report.UsageLedger, format), time.Now())
		run := newRunning(x.ID, time.Now())
		run.asked = &x
		run.settle(false)
		if _, err := h.makePublic(t.Context(), run); !errors.Is(err, errNotKept) || run.rows.Load() > 0 {
			t.Errorf("%s: got %v after %d rows, want %v after none", format, err, run.rows.Load(), errNotKept)
		}
	}
	if got := h.Log().Size(); got != 0 {
		t.Errorf("the log has %d entries, want none", got)
	}
}

// What an artifact says of its key is so, even where the key is replaced while
// the artifact is made.
func TestRotationWhileExportsAreMade(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 2})
	h.fill(50)
	first := h.Key().ID()
	if _, err := h.RotateKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	x := h.create(ask(t, report.UsageSummary, "csv"))
	if _, err := h.publish(t.Context(), x, &frozen{key: first}); !errors.Is(err, errRotated) {
		t.Errorf("publish what names the old key: got %v, want errRotated", err)
	}
	h.await(x.ID, Ready)
	var rotating sync.WaitGroup
	rotating.Go(func() {
		for range 8 {
			if _, err := h.RotateKey(context.Background()); err != nil {
				t.Errorf("rotate: got %v", err)
			}
		}
	})
	var made []ID
	for range 12 {
		made = append(made, h.create(ask(t, report.UsageLedger, "xlsx")).ID)
	}
	for _, id := range made {
		if x := h.await(id, Ready); !inWorkbook(t, h.artifact(id), x.KeyID) {
			t.Errorf("export %s: its artifact does not name %s, want the key that signed it", id, x.KeyID)
		}
	}
	rotating.Wait()
}

// inWorkbook looks for a text in the parts of an XLSX file.
func inWorkbook(t *testing.T, content []byte, text string) bool {
	t.Helper()
	parts, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts.File {
		r, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(text)) {
			return true
		}
	}
	return false
}
