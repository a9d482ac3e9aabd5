package blobstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Ref names a blob: the SHA-256 of its content.
type Ref [sha256.Size]byte

// String gives the 64 lower-case hex digits.
func (r Ref) String() string { return hex.EncodeToString(r[:]) }

// ParseRef reads what [Ref.String] writes and nothing else: upper-case digits
// are refused, for they would be a second name of one file on some disks.
func ParseRef(text string) (Ref, error) {
	var r Ref
	if len(text) == hex.EncodedLen(len(r)) {
		if _, err := hex.Decode(r[:], []byte(text)); err == nil && r.String() == text {
			return r, nil
		}
	}
	return Ref{}, fmt.Errorf("blob name %q: want 64 lower-case hex digits", text)
}

// shard is the directory of the blobs whose name begins with a byte.
func shard(first byte) string { return fmt.Sprintf("%s/%02x", blobDir, first) }

// path is where the blob stands below the store's root.
func (r Ref) path() string { return shard(r[0]) + "/" + r.String() }
