package auth

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"licensekit/exporter/sealed"
)

// raw gives the bytes under a key of a bucket.
func raw(t *testing.T, s *Store, bucket, key string) (value []byte) {
	t.Helper()
	err := s.db.View(func(tx *bbolt.Tx) error {
		value = bytes.Clone(tx.Bucket([]byte(bucket)).Get([]byte(key)))
		return nil
	})
	if err != nil || value == nil {
		t.Fatalf("%s %s: value %v, error %v", bucket, key, value, err)
	}
	return value
}

// within runs what reads the store over a changed value, and rolls it back:
// thousands of flips without as many commits.
func within(t *testing.T, s *Store, bucket, key string, value []byte, check func(tx *bbolt.Tx)) {
	t.Helper()
	undone := errors.New("undone")
	err := s.db.Update(func(tx *bbolt.Tx) error {
		if err := tx.Bucket([]byte(bucket)).Put([]byte(key), value); err != nil {
			return err
		}
		check(tx)
		return undone
	})
	if err != undone {
		t.Fatal(err)
	}
}

// overwrite changes a value for good.
func overwrite(t *testing.T, s *Store, bucket, key string, value []byte) {
	t.Helper()
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put([]byte(key), value) })
	if err != nil {
		t.Fatal(err)
	}
}

// wantDamage wants an error that names the key, and that nobody takes for an
// unknown token or id.
func wantDamage(t *testing.T, what string, err error, key string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("%s: error %v, want one that names %s", what, err, key)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrUnknown) {
		t.Errorf("%s: error %v reads as a missing key", what, err)
	}
}

func TestEveryFlippedBitIsReported(t *testing.T) {
	store, _ := newStore(t)
	key, token := issue(t, store, Spec{})
	mustAuthenticate(t, store, token)
	store.uses.flush()
	for _, at := range []struct{ bucket, key string }{
		{keysBucket, key.ID}, {hashesBucket, token.hash()}, {usesBucket, key.ID},
	} {
		value := raw(t, store, at.bucket, at.key)
		for bit := range 8 * len(value) {
			flipped := slices.Clone(value)
			flipped[bit/8] ^= 1 << (bit % 8)
			within(t, store, at.bucket, at.key, flipped, func(tx *bbolt.Tx) {
				_, err := sealed.Get[any](tx, at.bucket, at.key)
				wantDamage(t, at.bucket, err, at.key)
			})
		}
		for size := range value {
			within(t, store, at.bucket, at.key, value[:size], func(tx *bbolt.Tx) {
				_, err := sealed.Get[any](tx, at.bucket, at.key)
				wantDamage(t, at.bucket, err, at.key)
			})
		}
	}
}

func TestDamagedKeyIsReported(t *testing.T) {
	store, _ := newStore(t)
	key, token := issue(t, store, Spec{Scopes: []Scope{ReportRead}})
	value := raw(t, store, keysBucket, key.ID)
	overwrite(t, store, keysBucket, key.ID, bytes.Replace(value, []byte("report:read"), []byte("admin\",\"a:b"), 1))

	_, err := store.Authenticate(t.Context(), token.Reveal(), anywhere)
	wantDamage(t, "Authenticate", err, key.ID)
	_, err = store.Get(t.Context(), key.ID)
	wantDamage(t, "Get", err, key.ID)
	_, err = store.List(t.Context())
	wantDamage(t, "List", err, key.ID)
	wantDamage(t, "Revoke", store.Revoke(t.Context(), key.ID), key.ID)
}

func TestDamagedLastUseIsReported(t *testing.T) {
	store, _ := newStore(t)
	key, token := issue(t, store, Spec{})
	mustAuthenticate(t, store, token)
	store.uses.flush()
	overwrite(t, store, usesBucket, key.ID, []byte("\x00\x00\x00\x00\"2026-03-04T05:06:07Z\""))
	store = openStore(t, store.db, store.now) // the first one still knows the use itself
	_, err := store.Get(t.Context(), key.ID)
	wantDamage(t, "Get", err, key.ID)
	mustAuthenticate(t, store, token) // whoever holds the token is not kept out by it
}

// Values that are whole but stand in the wrong place give nobody other rights.
func TestMisplacedValuesAreReported(t *testing.T) {
	store, _ := newStore(t)
	admin, _ := issue(t, store, Spec{})
	reader, token := issue(t, store, Spec{Scopes: []Scope{ReportRead}})
	lookup, record := raw(t, store, hashesBucket, token.hash()), raw(t, store, keysBucket, reader.ID)
	authenticate := func() error {
		_, err := store.Authenticate(t.Context(), token.Reveal(), anywhere)
		return err
	}

	overwrite(t, store, keysBucket, reader.ID, raw(t, store, keysBucket, admin.ID))
	wantDamage(t, "another key's record", authenticate(), reader.ID)
	overwrite(t, store, keysBucket, reader.ID, record)

	err := store.db.Update(func(tx *bbolt.Tx) error { return sealed.Put(tx, hashesBucket, token.hash(), admin.ID) })
	if err != nil {
		t.Fatal(err)
	}
	wantDamage(t, "hash that leads to another key", authenticate(), admin.ID)
	overwrite(t, store, hashesBucket, token.hash(), lookup)

	err = store.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(keysBucket)).Delete([]byte(reader.ID)) })
	if err != nil {
		t.Fatal(err)
	}
	wantDamage(t, "hash without its key", authenticate(), reader.ID)
}

// A hash that still leads to a revoked key does not let it in.
func TestRevokedKeyWithAHashStaysOut(t *testing.T) {
	store, _ := newStore(t)
	key, token := issue(t, store, Spec{})
	lookup := raw(t, store, hashesBucket, token.hash())
	if err := store.Revoke(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	overwrite(t, store, hashesBucket, token.hash(), lookup)
	_, err := store.Authenticate(t.Context(), token.Reveal(), anywhere)
	wantDamage(t, "Authenticate", err, key.ID)
}
