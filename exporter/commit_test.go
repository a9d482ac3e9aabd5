package exporter

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"go.etcd.io/bbolt"
)

// newCommitter opens a database with one bucket and counts its transactions.
func newCommitter(t *testing.T) (c *committer, transactions *atomic.Int32, db *bbolt.DB) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("b")); return err })
	if err != nil {
		t.Fatal(err)
	}
	transactions = new(atomic.Int32)
	return &committer{turn: make(chan struct{}, 1), update: func(fn func(*bbolt.Tx) error) error {
		transactions.Add(1)
		return db.Update(fn)
	}}, transactions, db
}

// together has changes wait for the same turn, and gives their errors.
func doTogether(t *testing.T, c *committer, count int, change func(i int) func(*bbolt.Tx) error) []error {
	t.Helper()
	errs := make([]error, count)
	var all sync.WaitGroup
	c.turn <- struct{}{}
	for i := range count {
		all.Go(func() {
			defer func() {
				if crash := recover(); crash != nil {
					errs[i] = fmt.Errorf("panic: %v", crash)
				}
			}()
			errs[i] = c.do(change(i))
		})
	}
	eventually(t, "all changes to wait", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.waiting) == count
	})
	<-c.turn
	all.Wait()
	return errs
}

func put(i int) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error { return tx.Bucket([]byte("b")).Put(fmt.Append(nil, i), []byte("x")) }
}

func wantKeys(t *testing.T, db *bbolt.DB, want int) {
	t.Helper()
	err := db.View(func(tx *bbolt.Tx) error {
		if got := tx.Bucket([]byte("b")).Stats().KeyN; got != want {
			t.Errorf("keys in the database: got %d, want %d", got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestChangesThatWaitShareATransaction(t *testing.T) {
	t.Parallel()
	c, transactions, db := newCommitter(t)
	for i, err := range doTogether(t, c, 20, put) {
		if err != nil {
			t.Errorf("change %d: got %v, want nil", i, err)
		}
	}
	if got := transactions.Load(); got != 1 {
		t.Errorf("transactions: got %d, want 1", got)
	}
	wantKeys(t, db, 20)
	if err := c.do(put(20)); err != nil || transactions.Load() != 2 {
		t.Errorf("a change alone: got %v and %d transactions in all, want 2", err, transactions.Load())
	}
	wantKeys(t, db, 21)
}

func TestChangeThatFailsFailsAlone(t *testing.T) {
	t.Parallel()
	c, _, db := newCommitter(t)
	refused := errors.New("refused")
	errs := doTogether(t, c, 10, func(i int) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			if err := put(i)(tx); err != nil || i != 4 {
				return err
			}
			return refused
		}
	})
	for i, err := range errs {
		if want := map[bool]error{true: refused}[i == 4]; err != want {
			t.Errorf("change %d: got %v, want %v", i, err, want)
		}
	}
	wantKeys(t, db, 9)
}

// A change that panics takes those along that shared its transaction, but
// nobody waits for ever, and the next one goes through.
func TestChangeThatPanics(t *testing.T) {
	t.Parallel()
	c, _, db := newCommitter(t)
	errs := doTogether(t, c, 5, func(i int) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			if i == 2 {
				panic("broken page")
			}
			return put(i)(tx)
		}
	})
	panics := 0
	for i, err := range errs {
		if err == nil {
			t.Errorf("change %d: got nil, want an error", i)
		} else if !errors.Is(err, errAbandoned) {
			panics++
		}
	}
	if panics != 1 {
		t.Errorf("callers that saw the panic: got %d of %v, want 1", panics, errs)
	}
	wantKeys(t, db, 0)
	if err := c.do(put(1)); err != nil {
		t.Errorf("the next change: got %v, want nil", err)
	}
}
