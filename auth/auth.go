// Package auth says who may do what: API keys, the scopes they carry, the
// networks they work from. It knows nothing of HTTP; it is asked with a token
// and an address, and answers with a [Key] or with one of a few errors.
//
// # Promises
//
//   - A token is shown once, when it is issued. What is kept is the SHA-256 of
//     its secret, so neither the database nor a backup lets anybody in.
//   - An issued key and a revocation are durable before the call returns, with
//     their event in the audit trail, and a revoked key is refused by every
//     call that begins afterwards.
//   - A caller learns whether a token is mistyped, but not whether a well-typed
//     one was revoked or never existed: both are [ErrUnknown], by one path.
//   - [Store.Authenticate] never waits for a writer or for the disk's fsync.
//   - A stored value that was changed behind the store's back is an error that
//     names it, never a key with other rights.
//
// # Refusals
//
// A key is not edited: to change it, issue another and revoke this one. Revoked
// keys stay on record, because exports name them as their creator. The time of
// the last use is a convenience: a crash loses up to a minute of it.
//
// # Token format
//
// A token is 63 ASCII characters:
//
//	lkm_  secret, 52 characters  checksum, 7 characters
//
// The secret is 32 random bytes in RFC 4648 base32, lower case (a-z, 2-7) and
// without padding; the 4 unused bits of the last character are zero. The
// checksum is the CRC32C (Castagnoli) of the 56 characters before it, prefix
// included, as 4 big-endian bytes in the same base32, its 3 unused bits zero.
// So every secret has one spelling, and any single wrong character and any two
// neighbours swapped are noticed without asking the store.
//
// The checksum is no secret and proves nothing about a key's existence. The
// key_prefix of a key, lkm_ and the 8 characters after it, is for people to
// tell keys apart; it gives away 40 of the 256 random bits.
//
// # Storage
//
// Three buckets of the database belong to this package. Every value is the
// CRC32C of a JSON text, 4 bytes big-endian, and then that text.
//
//	auth_keys    key id                           the key, its hash, its sequence
//	auth_hashes  SHA-256 of a secret, in hex      the id of the active key
//	auth_uses    key id                           the time of its last use
package auth

import "errors"

// What [Store.Authenticate] tells apart. Only the first two can be known
// without the store; see [ParseToken].
var (
	ErrMissing   = errors.New("no api token given")
	ErrMalformed = errors.New("api token is mistyped: its form or checksum is wrong")
	ErrUnknown   = errors.New("api token is unknown or revoked")
	ErrNetwork   = errors.New("api key is not allowed from this address")
	ErrExpired   = errors.New("api key has expired")
)
