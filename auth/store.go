package auth

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/audit"
	"licensekit/exporter/sealed"
)

const (
	keysBucket   = "auth_keys"
	hashesBucket = "auth_hashes"
	usesBucket   = "auth_uses"
)

// record is a key as it is stored: without its last use, which has a bucket of
// its own, so that a key's rights are written twice in its life at most.
type record struct {
	Key
	Sequence uint64 `json:"sequence"`                // order of creation; clocks go backwards
	Hash     string `json:"secret_sha256,omitempty"` // hex; gone once revoked
}

// Store keeps API keys. Its methods may be called at the same time.
type Store struct {
	db    sealed.Database // belongs to whoever opened it
	trail *audit.Trail
	now   func() time.Time
	uses  *uses
}

// Open makes the store's buckets in an open database if they are missing, and
// begins to write last uses in the background. What is issued and revoked is
// recorded in the trail, which is of the same database. The store must be closed
// before the database is.
func Open(db sealed.Database, trail *audit.Trail, now func() time.Time) (*Store, error) {
	err := sealed.MakeBuckets(db, keysBucket, hashesBucket, usesBucket)
	if err != nil {
		return nil, fmt.Errorf("open key store: %w", err)
	}
	return &Store{db: db, trail: trail, now: func() time.Time { return millis(now()) }, uses: startUses(db)}, nil
}

// Close writes the last uses that are still in memory and leaves the database
// open. It returns the first error of writing last uses, of earlier ones in the
// background too. Closing twice does no harm.
func (s *Store) Close() error { return s.uses.close() }

// Err says why last uses are no longer written, or nil while all is well. After
// such an error the database itself is in doubt.
func (s *Store) Err() error { return s.uses.failure() }

// Issue makes a key and stores it durably. The token is given this once.
// Errors: [*FieldError] for a spec that can't be accepted.
func (s *Store) Issue(ctx context.Context, spec Spec) (Key, Token, error) {
	if err := ctx.Err(); err != nil {
		return Key{}, Token{}, fmt.Errorf("issue api key: %w", err)
	}
	key, err := spec.key(s.now())
	if err != nil {
		return Key{}, Token{}, fmt.Errorf("issue api key: %w", err)
	}
	token := newToken()
	key.Prefix = token.prefix()
	err = s.db.Update(func(tx *bbolt.Tx) error {
		if err := insert(tx, record{Key: key, Hash: token.hash()}); err != nil {
			return err
		}
		return s.trail.Record(ctx, tx, key.event(audit.KeyCreated))
	})
	if err != nil {
		return Key{}, Token{}, fmt.Errorf("issue api key: %w", err)
	}
	return key, token, nil
}

// insert stores a new record and the way to it from its hash.
func insert(tx *bbolt.Tx, r record) (err error) {
	if r.Sequence, err = tx.Bucket([]byte(keysBucket)).NextSequence(); err != nil {
		return err
	}
	if err := sealed.Put(tx, keysBucket, r.ID, r); err != nil {
		return err
	}
	return sealed.Put(tx, hashesBucket, r.Hash, r.ID)
}

// Get gives one key, revoked or not. Errors: fs.ErrNotExist.
func (s *Store) Get(ctx context.Context, id string) (Key, error) {
	if err := ctx.Err(); err != nil {
		return Key{}, fmt.Errorf("get api key %q: %w", id, err)
	}
	var found record
	newest := s.uses.snapshot()
	err := s.db.View(func(tx *bbolt.Tx) (err error) {
		found, err = load(tx, id, newest)
		return err
	})
	if err != nil {
		return Key{}, fmt.Errorf("get api key: %w", err)
	}
	return found.Key, nil
}

// List gives all keys, revoked ones included, in the order of their creation.
func (s *Store) List(ctx context.Context) ([]Key, error) {
	newest := s.uses.snapshot()
	records, err := sealed.List(s.db, keysBucket, func(tx *bbolt.Tx, id string) (record, error) {
		if err := ctx.Err(); err != nil {
			return record{}, err
		}
		return load(tx, id, newest)
	}, func(r record) uint64 { return r.Sequence })
	if err != nil {
		return nil, fmt.Errorf("list api keys: %w", err)
	}
	keys := make([]Key, len(records))
	for i, r := range records {
		keys[i] = r.Key
	}
	return keys, nil
}

// load reads a key with the newest of its last uses.
func load(tx *bbolt.Tx, id string, newest map[string]time.Time) (record, error) {
	found, err := read(tx, id)
	if err != nil {
		return record{}, err
	}
	found.LastUsedAt, err = lastUse(tx, id, newest)
	return found, err
}

// read reads the record of a key. The checksum covers the value alone, so a
// value that stands under another's id is caught here.
func read(tx *bbolt.Tx, id string) (record, error) {
	found, err := sealed.Get[record](tx, keysBucket, id)
	if err == nil && found.ID != id {
		err = fmt.Errorf("read %s %s: stored value is damaged: it is that of %s", keysBucket, id, found.ID)
	}
	return found, err
}

// Revoke ends a key for good and keeps it on record. Revoking it again changes
// nothing. Errors: fs.ErrNotExist.
func (s *Store) Revoke(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("revoke api key %q: %w", id, err)
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		found, err := read(tx, id)
		if err != nil || !found.Active {
			return err
		}
		if err := tx.Bucket([]byte(hashesBucket)).Delete([]byte(found.Hash)); err != nil {
			return fmt.Errorf("delete %s %s: %w", hashesBucket, found.Hash, err)
		}
		found.Active, found.Hash = false, ""
		if err := sealed.Put(tx, keysBucket, id, found); err != nil {
			return err
		}
		return s.trail.Record(ctx, tx, found.event(audit.KeyRevoked))
	})
	if err != nil {
		return fmt.Errorf("revoke api key: %w", err)
	}
	return nil
}
