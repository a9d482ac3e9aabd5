package metadb

import (
	"errors"
	"testing"

	"go.etcd.io/bbolt"
)

// After a failed write to the disk nobody is told anything any more, whatever
// the file would give.
func TestFailedCommitPutsTheDatabaseOutOfService(t *testing.T) {
	t.Parallel()
	db := newDB(t, Options{})
	if err := db.Update(put(1)); err != nil {
		t.Fatal(err)
	}
	if err := db.Err(); err != nil {
		t.Errorf("before any failure: got %v, want nil", err)
	}
	select {
	case <-db.Failed():
		t.Error("Failed is closed before any failure")
	default:
	}
	if err := db.now.file.Close(); err != nil {
		t.Fatal(err)
	}
	calls := map[string]func() error{
		"update":    func() error { return db.Update(put(2)) },
		"exclusive": func() error { return db.Exclusive(put(3)) },
		"view":      func() error { return db.View(func(*bbolt.Tx) error { return nil }) },
		"err":       db.Err,
	}
	for _, call := range []string{"update", "exclusive", "view", "err", "update"} {
		if err := calls[call](); !errors.Is(err, ErrFailed) {
			t.Errorf("%s: got %v, want ErrFailed", call, err)
		}
	}
	select {
	case <-db.Failed():
	default:
		t.Error("Failed is open after a failure")
	}
}

// A change that could not be made is no failure of the database.
func TestRefusedChangeIsNoFailure(t *testing.T) {
	t.Parallel()
	db := newDB(t, Options{})
	refused := errors.New("refused")
	for range 3 {
		if err := db.Exclusive(func(*bbolt.Tx) error { return refused }); err != refused {
			t.Errorf("refused change: got %v, want %v", err, refused)
		}
	}
	if err := errors.Join(db.Err(), db.Update(put(1))); err != nil {
		t.Errorf("the next change: got %v, want nil", err)
	}
}
