package auth

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"licensekit/exporter/sealed"
)

// stored gives the last use that the database holds, zero if none.
func stored(t *testing.T, db sealed.Database, id string) (at time.Time) {
	t.Helper()
	err := db.View(func(tx *bbolt.Tx) (err error) {
		at, err = lastUse(tx, id, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func wantTime(t *testing.T, what string, got, want time.Time) {
	t.Helper()
	if !got.Equal(want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// A minute of requests costs one commit, and readers see the newest throughout.
func TestLastUseIsFlushedOncePerMinute(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	synctest.Test(t, func(t *testing.T) {
		store := openStore(t, openDB(t, path), time.Now)
		key, token := issue(t, store, Spec{})
		time.Sleep(time.Second)
		before := lastCommit(t, store)
		for range 59 {
			used := mustAuthenticate(t, store, token)
			wantTime(t, "Authenticate's LastUsedAt", used.LastUsedAt, time.Now())
			wantTime(t, "Get's LastUsedAt", mustGet(t, store, key.ID).LastUsedAt, time.Now())
			wantTime(t, "stored last use", stored(t, store.db, key.ID), time.Time{})
			time.Sleep(time.Second)
		}
		synctest.Wait()
		newest := time.Now().Add(-time.Second)
		wantTime(t, "stored last use after a minute", stored(t, store.db, key.ID), newest)
		wantTime(t, "Get's LastUsedAt after a minute", mustGet(t, store, key.ID).LastUsedAt, newest)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got, want := lastCommit(t, store), before+1; got != want {
			t.Errorf("last commit is %d, want %d: one for 59 uses, none for idle minutes", got, want)
		}
	})
}

func TestCloseFlushes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	db, c := openDB(t, path), newClock()
	store := openStore(t, db, c.now)
	key, token := issue(t, store, Spec{})
	if got := mustGet(t, store, key.ID).LastUsedAt; !got.IsZero() {
		t.Errorf("LastUsedAt of an unused key = %v, want zero", got)
	}
	c.advance(time.Second)
	mustAuthenticate(t, store, token)
	for range 2 { // closing twice does no harm
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantTime(t, "stored last use", stored(t, db, key.ID), millis(c.now()))
	wantTime(t, "LastUsedAt after reopening", mustGet(t, openStore(t, db, c.now), key.ID).LastUsedAt, millis(c.now()))
}

func TestRefusedUseIsNoUse(t *testing.T) {
	store, _ := newStore(t)
	key, token := issue(t, store, Spec{AllowedCIDRs: []string{"192.0.2.1"}})
	if _, err := store.Authenticate(t.Context(), token.Reveal(), anywhere); !errors.Is(err, ErrNetwork) {
		t.Fatalf("error %v, want %v", err, ErrNetwork)
	}
	wantTime(t, "LastUsedAt", mustGet(t, store, key.ID).LastUsedAt, time.Time{})
}

// A request that came first may note its use last, before a flush or after it.
func TestTouchKeepsTheNewest(t *testing.T) {
	store, c := newStore(t)
	early, late := c.now(), c.now().Add(time.Second)
	for _, at := range []time.Time{late, early} {
		wantTime(t, "touch", store.uses.touch("key_a", at), late)
	}
	store.uses.flush()
	wantTime(t, "touch after a flush", store.uses.touch("key_a", early), late)
	store.uses.flush()
	wantTime(t, "stored last use", stored(t, store.db, "key_a"), late)
}

// A use that comes in while the last one is being committed is not forgotten.
func TestUseDuringFlush(t *testing.T) {
	store, c := newStore(t)
	key, token := issue(t, store, Spec{})
	mustAuthenticate(t, store, token)
	committing := store.uses.changed()
	c.advance(time.Second)
	mustAuthenticate(t, store, token)
	if err := store.uses.write(committing); err != nil {
		t.Fatal(err)
	}
	wantTime(t, "Get's LastUsedAt", mustGet(t, store, key.ID).LastUsedAt, millis(c.now()))
	store.uses.flush()
	wantTime(t, "stored last use", stored(t, store.db, key.ID), millis(c.now()))
}

func TestFailedFlushIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t, path)
		store := openStore(t, db, time.Now)
		_, token := issue(t, store, Spec{})
		mustAuthenticate(t, store, token)
		if err := store.Err(); err != nil {
			t.Errorf("Err() = %v before any failure, want nil", err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(flushInterval)
		synctest.Wait()
		want := berrors.ErrDatabaseNotOpen
		if err := store.Err(); !errors.Is(err, want) {
			t.Errorf("Err() = %v, want %v", err, want)
		}
		if err := store.Close(); !errors.Is(err, want) {
			t.Errorf("Close() = %v, want %v", err, want)
		}
	})
}

func TestOpenReportsAClosedDatabase(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "meta.db"))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(db, nil, time.Now); !errors.Is(err, berrors.ErrDatabaseNotOpen) {
		t.Errorf("Open: error %v, want %v", err, berrors.ErrDatabaseNotOpen)
	}
}
