package auth

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Keys are listed as they were made, whatever the clock said and the ids sort.
func TestListIsInOrderOfCreation(t *testing.T) {
	store, c := newStore(t)
	if keys, err := store.List(t.Context()); err != nil || keys == nil || len(keys) != 0 {
		t.Fatalf("List() of a new store = %#v, %v, want an empty list", keys, err)
	}
	var want []string
	for range 20 {
		key, _ := issue(t, store, Spec{})
		want = append(want, key.ID)
		c.advance(-time.Minute)
	}
	keys, err := store.List(t.Context())
	if err != nil || len(keys) != len(want) {
		t.Fatalf("List() = %d keys, %v, want %d", len(keys), err, len(want))
	}
	for i, key := range keys {
		if key.ID != want[i] {
			t.Errorf("List()[%d] = %s, want %s", i, key.ID, want[i])
		}
	}
}

func TestRevoke(t *testing.T) {
	store, _ := newStore(t)
	key, token := issue(t, store, Spec{})
	_, other := issue(t, store, Spec{})
	used := mustAuthenticate(t, store, token)
	for range 2 { // the second time changes nothing
		if err := store.Revoke(t.Context(), key.ID); err != nil {
			t.Fatalf("Revoke: %v", err)
		}
		if _, err := store.Authenticate(t.Context(), token.Reveal(), anywhere); err != ErrUnknown {
			t.Errorf("Authenticate with a revoked key: error %v, want %v", err, ErrUnknown)
		}
		want := used
		want.Active = false
		if got := mustGet(t, store, key.ID); !sameKey(got, want) {
			t.Errorf("Get of a revoked key = %+v, want %+v", got, want)
		}
	}
	mustAuthenticate(t, store, other)
	if keys, err := store.List(t.Context()); err != nil || len(keys) != 2 {
		t.Errorf("List() = %d keys, %v, want the revoked one too: 2", len(keys), err)
	}
}

func TestUnknownID(t *testing.T) {
	store, _ := newStore(t)
	for _, id := range []string{"", "key_none", "key_\xff"} {
		if _, err := store.Get(t.Context(), id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Get(%q): error %v, want fs.ErrNotExist", id, err)
		}
		if err := store.Revoke(t.Context(), id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Revoke(%q): error %v, want fs.ErrNotExist", id, err)
		}
	}
}

func TestCancelledContext(t *testing.T) {
	store, _ := newStore(t)
	key, token := issue(t, store, Spec{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, issued := store.Issue(ctx, Spec{Name: "late"})
	_, authenticated := store.Authenticate(ctx, token.Reveal(), anywhere)
	_, got := store.Get(ctx, key.ID)
	_, listed := store.List(ctx)
	revoked := store.Revoke(ctx, key.ID)
	for name, err := range map[string]error{"Issue": issued, "Authenticate": authenticated, "Get": got, "List": listed, "Revoke": revoked} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want %v", name, err, context.Canceled)
		}
	}
	mustAuthenticate(t, store, token)
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	c := newClock()
	db := openDB(t, path)
	store := openStore(t, db, c.now)
	key, token := issue(t, store, Spec{Scopes: []Scope{ReportRead}})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	store = openStore(t, openDB(t, path), c.now)
	if got := mustGet(t, store, key.ID); !sameKey(got, key) {
		t.Errorf("Get after reopening = %+v, want %+v", got, key)
	}
	mustAuthenticate(t, store, token)
	second, _ := issue(t, store, Spec{})
	keys, err := store.List(t.Context())
	if err != nil || len(keys) != 2 || keys[1].ID != second.ID {
		t.Errorf("List() = %v, %v, want %s last of 2", keys, err, second.ID)
	}
}

// Whoever reads the database file finds neither a token nor its secret.
func TestDatabaseHoldsNoSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	db := openDB(t, path)
	store := openStore(t, db, newClock().now)
	_, token := issue(t, store, Spec{})
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(content, []byte(token.hash())) {
		t.Error("the file lacks the token's hash, so this test would see nothing")
	}
	secret := token.secret()
	for name, leak := range map[string][]byte{"text": []byte(token.Reveal()[publicLength:]), "secret": secret[:]} {
		if bytes.Contains(content, leak) {
			t.Errorf("the file contains the token's %s", name)
		}
	}
}

// All methods at once; the race detector is the judge, and the counts.
func TestConcurrentUse(t *testing.T) {
	store, c := newStore(t)
	_, lasting := issue(t, store, Spec{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 10 {
				key, token, err := store.Issue(t.Context(), Spec{Name: "short"})
				if err != nil {
					t.Errorf("Issue: %v", err)
					return
				}
				if _, err := store.Authenticate(t.Context(), token.Reveal(), anywhere); err != nil {
					t.Errorf("Authenticate a new key: %v", err)
				}
				if err := store.Revoke(t.Context(), key.ID); err != nil {
					t.Errorf("Revoke: %v", err)
				}
				if _, err := store.Authenticate(t.Context(), token.Reveal(), anywhere); err != ErrUnknown {
					t.Errorf("Authenticate a revoked key: error %v, want %v", err, ErrUnknown)
				}
			}
		})
		group.Go(func() {
			for range 100 {
				c.advance(time.Millisecond)
				if _, err := store.Authenticate(t.Context(), lasting.Reveal(), anywhere); err != nil {
					t.Errorf("Authenticate: %v", err)
				}
			}
		})
		group.Go(func() {
			for range 20 {
				if _, err := store.List(t.Context()); err != nil {
					t.Errorf("List: %v", err)
				}
			}
		})
	}
	group.Go(func() { // alone: flushing is one goroutine's work
		for range 100 {
			store.uses.flush()
		}
	})
	group.Wait()
	keys, err := store.List(t.Context())
	if err != nil || len(keys) != 41 {
		t.Fatalf("List() = %d keys, %v, want 41", len(keys), err)
	}
	if got, want := keys[0].LastUsedAt, millis(c.now()); !got.Equal(want) {
		t.Errorf("LastUsedAt = %v, want the newest %v", got, want)
	}
}
