// Package sealed stores small values in bbolt buckets as JSON with a CRC-32C
// in front. bbolt has no checksums of its own, and a bit that flips on the
// disk must neither widen a right nor change a figure unnoticed.
package sealed

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"

	"go.etcd.io/bbolt"
)

// ErrDamaged reports a stored value that does not match its checksum.
var ErrDamaged = errors.New("stored value is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Database is where buckets are. What it runs in Update is durable once that
// returns without an error, and may be run more than once, in another
// transaction each time.
type Database interface {
	View(func(*bbolt.Tx) error) error
	Update(func(*bbolt.Tx) error) error
}

// MakeBuckets makes those that are missing. Where none is, nothing is written.
func MakeBuckets(db Database, names ...string) error {
	missing := false
	err := db.View(func(tx *bbolt.Tx) error {
		for _, name := range names {
			missing = missing || tx.Bucket([]byte(name)) == nil
		}
		return nil
	})
	if err != nil || !missing {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		for _, name := range names {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return fmt.Errorf("create bucket %s: %w", name, err)
			}
		}
		return nil
	})
}

// Check reads all values of a bucket, whose keys are text, and gives the first
// one that is damaged. A bucket that is not there has none.
func Check(tx *bbolt.Tx, bucket string) error {
	b := tx.Bucket([]byte(bucket))
	if b == nil {
		return nil
	}
	return b.ForEach(func(key, value []byte) error {
		if _, err := Open(value); err != nil {
			return fmt.Errorf("read %s %q: %w", bucket, key, err)
		}
		return nil
	})
}

// Put stores a value under a key of a bucket.
func Put(tx *bbolt.Tx, bucket, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s %q: %w", bucket, key, err)
	}
	if err := tx.Bucket([]byte(bucket)).Put([]byte(key), Seal(text)); err != nil {
		return fmt.Errorf("write %s %q: %w", bucket, key, err)
	}
	return nil
}

// Get reads what Put stored. Its errors name bucket and key: fs.ErrNotExist,
// [ErrDamaged].
func Get[T any](tx *bbolt.Tx, bucket, key string) (value T, err error) {
	data := tx.Bucket([]byte(bucket)).Get([]byte(key))
	if data == nil {
		return value, fmt.Errorf("read %s %q: %w", bucket, key, fs.ErrNotExist)
	}
	text, err := Open(data)
	if err == nil {
		err = json.Unmarshal(text, &value)
	}
	if err != nil {
		return value, fmt.Errorf("read %s %q: %w", bucket, key, err)
	}
	return value, nil
}

// Keys are the keys of a bucket, those of damaged values too.
func Keys(tx *bbolt.Tx, bucket string) (keys []string) {
	c := tx.Bucket([]byte(bucket)).Cursor()
	for key, _ := c.First(); key != nil; key, _ = c.Next() {
		keys = append(keys, string(key))
	}
	return keys
}

// List reads all that is under the keys of a bucket, and sorts it by a number
// that each has.
func List[T any, N cmp.Ordered](db Database, bucket string, read func(tx *bbolt.Tx, key string) (T, error), number func(T) N) (all []T, err error) {
	err = db.View(func(tx *bbolt.Tx) error {
		for _, key := range Keys(tx, bucket) {
			value, err := read(tx, key)
			if err != nil {
				return err
			}
			all = append(all, value)
		}
		return nil
	})
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(number(a), number(b)) })
	return all, err
}

// Seal puts the checksum in front of a text.
func Seal(text []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, crc32.Checksum(text, castagnoli)), text...)
}

// Open gives the text behind a checksum that matches. Errors: [ErrDamaged].
func Open(data []byte) ([]byte, error) {
	if len(data) < crc32.Size {
		return nil, fmt.Errorf("%w: %d bytes are shorter than its checksum", ErrDamaged, len(data))
	}
	want, text := binary.BigEndian.Uint32(data), data[crc32.Size:]
	if got := crc32.Checksum(text, castagnoli); got != want {
		return nil, fmt.Errorf("%w: its checksum is %08x, want %08x", ErrDamaged, got, want)
	}
	return text, nil
}
