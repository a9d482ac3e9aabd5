package metadb

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// newDB opens a database with one bucket, "b".
func newDB(t testing.TB, options Options) *DB {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), "meta.db"), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("b")); return err })
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// updateTogether has changes wait for the same turn, and gives their errors.
func updateTogether(t *testing.T, db *DB, count int, change func(i int) func(*bbolt.Tx) error) []error {
	t.Helper()
	errs := make([]error, count)
	var all sync.WaitGroup
	db.turn <- struct{}{}
	for i := range count {
		all.Go(func() {
			defer func() {
				if value := recover(); value != nil {
					errs[i] = fmt.Errorf("%v", value)
				}
			}()
			errs[i] = db.Update(change(i))
		})
	}
	for waiting := 0; waiting < count; time.Sleep(time.Millisecond) {
		db.waiting.mu.Lock()
		waiting = len(db.waiting.changes)
		db.waiting.mu.Unlock()
	}
	<-db.turn
	all.Wait()
	return errs
}

func put(i int) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error { return tx.Bucket([]byte("b")).Put(fmt.Append(nil, i), []byte("x")) }
}

// last is the number of the newest transaction.
func last(t *testing.T, db *DB) (number int) {
	t.Helper()
	if err := db.View(func(tx *bbolt.Tx) error { number = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return number
}

func wantKeys(t *testing.T, db *DB, want int) {
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
	db := newDB(t, Options{})
	before := last(t, db)
	for i, err := range updateTogether(t, db, 20, put) {
		if err != nil {
			t.Errorf("change %d: got %v, want nil", i, err)
		}
	}
	if got := last(t, db) - before; got != 1 {
		t.Errorf("transactions: got %d, want 1", got)
	}
	wantKeys(t, db, 20)
	if err := db.Update(put(20)); err != nil || last(t, db) != before+2 {
		t.Errorf("a change alone: got %v and %d transactions in all, want 2", err, last(t, db)-before)
	}
	wantKeys(t, db, 21)
}

func TestChangeThatFailsFailsAlone(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for _, bad := range []map[int]bool{{0: true}, {4: true}, {9: true}, {1: true, 2: true, 7: true}} {
		db := newDB(t, Options{})
		errs := updateTogether(t, db, 10, func(i int) func(*bbolt.Tx) error {
			return func(tx *bbolt.Tx) error {
				if err := put(i)(tx); err != nil || !bad[i] {
					return err
				}
				return refused
			}
		})
		for i, err := range errs {
			if want := map[bool]error{true: refused}[bad[i]]; err != want {
				t.Errorf("change %d of %v: got %v, want %v", i, bad, err, want)
			}
		}
		wantKeys(t, db, 10-len(bad))
	}
}

// Whoever asked for a change that panics gets the panic, and nobody else.
func TestChangeThatPanics(t *testing.T) {
	t.Parallel()
	db := newDB(t, Options{})
	errs := updateTogether(t, db, 5, func(i int) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			if i == 2 {
				panic("broken page")
			}
			return put(i)(tx)
		}
	})
	for i, err := range errs {
		if panicked := err != nil && strings.Contains(err.Error(), "broken page"); panicked != (i == 2) || err != nil && !panicked {
			t.Errorf("change %d: got %v, want a panic of change 2 alone", i, err)
		}
	}
	wantKeys(t, db, 4)
}

func TestExclusiveRunsOnce(t *testing.T) {
	t.Parallel()
	db := newDB(t, Options{})
	refused, runs := errors.New("refused"), 0
	err := db.Exclusive(func(tx *bbolt.Tx) error { runs++; return errors.Join(put(1)(tx), refused) })
	if runs != 1 || !errors.Is(err, refused) {
		t.Errorf("exclusive change: got %d runs, %v; want 1, %v", runs, err, refused)
	}
	wantKeys(t, db, 0)
	if err := db.Exclusive(put(1)); err != nil {
		t.Errorf("the next one: got %v, want nil", err)
	}
	wantKeys(t, db, 1)
}

// What a change did in a transaction that another one spoilt is done again.
func TestNothingIsLostAmongManyWriters(t *testing.T) {
	t.Parallel()
	db := newDB(t, Options{NoSync: true})
	refused := errors.New("refused")
	var all sync.WaitGroup
	for writer := range 16 {
		all.Go(func() {
			for i := range 50 {
				n := writer*50 + i
				if n%7 == 3 {
					if err := db.Update(func(*bbolt.Tx) error { return refused }); !errors.Is(err, refused) {
						t.Errorf("refused change: got %v, want %v", err, refused)
					}
				} else if err := db.Update(put(n)); err != nil {
					t.Errorf("change %d: got %v, want nil", n, err)
				}
			}
		})
	}
	all.Wait()
	want := 0
	for n := range 800 {
		if n%7 != 3 {
			want++
		}
	}
	wantKeys(t, db, want)
}
