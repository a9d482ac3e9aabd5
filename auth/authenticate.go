package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"go.etcd.io/bbolt"

	"licensekit/exporter/sealed"
)

// Authenticate gives the key that a token belongs to, and notes its use. from
// is the caller's address, the zero Addr where there is none. Errors, the first
// that applies: [ErrMissing], [ErrMalformed], [ErrUnknown], [ErrNetwork],
// [ErrExpired], the last two in a *[RefusedError]. Any other error says that the
// store could not be read.
func (s *Store) Authenticate(ctx context.Context, token string, from netip.Addr) (Key, error) {
	if err := ctx.Err(); err != nil {
		return Key{}, fmt.Errorf("authenticate: %w", err)
	}
	parsed, err := ParseToken(token)
	if err != nil {
		return Key{}, err
	}
	key, err := s.find(parsed.hash())
	if err != nil {
		return Key{}, err
	}
	return s.admit(key, from)
}

// Resume gives a key that was authenticated before, by its id, if its token
// would still be accepted, and notes its use. Errors: those of
// [Store.Authenticate].
func (s *Store) Resume(ctx context.Context, id string, from netip.Addr) (Key, error) {
	key, err := s.Get(ctx, id)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !key.Active {
		return Key{}, ErrUnknown
	}
	if err != nil {
		return Key{}, err
	}
	return s.admit(key, from)
}

// admit refuses an active key from elsewhere or past its end, and notes its use.
func (s *Store) admit(key Key, from netip.Addr) (Key, error) {
	now := s.now()
	switch {
	case !key.admits(from):
		return Key{}, &RefusedError{key.ID, from, ErrNetwork}
	case key.expired(now):
		return Key{}, &RefusedError{key.ID, from, ErrExpired}
	}
	key.LastUsedAt = s.uses.touch(key.ID, now)
	return key, nil
}

// RefusedError says that the token of an active key was refused, and why:
// [ErrNetwork] or [ErrExpired].
type RefusedError struct {
	KeyID string
	From  netip.Addr
	Why   error
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("key %s from %s: %v", e.KeyID, e.From, e.Why)
}

// Unwrap gives the reason.
func (e *RefusedError) Unwrap() error { return e.Why }

// find gives the active key with this hash. Looking a hash up takes a time that
// depends on it, but whoever learns a hash has not learned the secret.
func (s *Store) find(hash string) (Key, error) {
	var found record
	err := s.db.View(func(tx *bbolt.Tx) error {
		id, err := sealed.Get[string](tx, hashesBucket, hash)
		if errors.Is(err, fs.ErrNotExist) {
			return ErrUnknown
		}
		if err != nil {
			return err
		}
		if found, err = read(tx, id); err != nil {
			// Not %w: a hash without its key is damage, not a key nobody made.
			return fmt.Errorf("find api key: %v", err)
		}
		return found.matches(hash)
	})
	return found.Key, err
}

// matches guards against a way from hash to key that leads to the wrong one.
func (r record) matches(hash string) error {
	if !r.Active || subtle.ConstantTimeCompare([]byte(r.Hash), []byte(hash)) != 1 {
		return fmt.Errorf("find api key: stored hash %s leads to key %s, which is not its own", hash, r.ID)
	}
	return nil
}
