package metadb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/sealed"
)

// The tail is the last page of the file, beyond those that bbolt uses. It has
// the number of the newest transaction whose tree is no longer kept for copies,
// and is written before a page of that tree is. A tool reads it last: the tree
// that it has read first was whole for as long as that took, if its number is
// higher. What hangs together all the same may be of two trees.
//
// It is sealed: the magic, and the number in 8 bytes, big-endian.
const tailMagic = "licensekit: trees are kept after\n"

// ErrLate says that a file was copied by a tool that took longer than its tree
// was kept.
var ErrLate = errors.New("it was read for too long while it was written to")

func makeTail(released int64) []byte {
	return sealed.Seal(binary.BigEndian.AppendUint64([]byte(tailMagic), uint64(released)))
}

var tailSize = len(makeTail(0))

// parseTail tells whether it is a tail, and not what bbolt or nobody has
// written there.
func parseTail(b []byte) (released int64, ok bool) {
	text, err := sealed.Open(b)
	number, ok := bytes.CutPrefix(text, []byte(tailMagic))
	if err != nil || !ok || len(number) != 8 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(number)), true
}

// tails are where a tail is kept, as offsets: at the file's end, and at earlier
// ends of it, until bbolt uses them, for tools that have looked at its size before
// it grew.
type tails struct {
	at       []int64
	released int64
}

// tellReleased writes the tails, where anything is kept. It has the turn, and no
// transaction is open.
func (db *DB) tellReleased(released int64) error {
	if db.pins == nil {
		return nil
	}
	t := &db.tails
	t.released = max(t.released, released)
	info, err := db.now.file.Stat()
	if err != nil {
		return err
	}
	if end := tailOf(db.now.bolt, info.Size()); !slices.Contains(t.at, end) {
		t.at = append(t.at, end)
	}
	used := db.now.used()
	t.at = slices.DeleteFunc(t.at, func(offset int64) bool { return offset < used })
	text := makeTail(t.released)
	for _, offset := range t.at {
		if _, err := db.now.file.WriteAt(text, offset); err != nil {
			return fmt.Errorf("write the tail of %s: %w", db.path, err)
		}
	}
	return nil
}

// tailOf is where the tail of a file of a size is, as an offset.
func tailOf(db *bbolt.DB, size int64) int64 {
	page := int64(db.Info().PageSize)
	return (size/page - 1) * page
}

// expire lets go of trees that were replaced before the window began, if it can
// say so.
func (db *DB) expire(now time.Time) {
	if count := db.pins.expired(now); count > 0 && db.tellReleased(db.pins.number(count-1)) == nil {
		db.pins.release(count)
	}
}

// ReadInTime tells whether the file, a copy, was read while its newest tree was
// kept. Errors: [ErrLate]; none where it can't be told.
func ReadInTime(tx *bbolt.Tx) error {
	f, size, err := openSized(tx.DB().Path())
	if err != nil {
		return err
	}
	defer f.Close()
	text := make([]byte, tailSize)
	if _, err := f.ReadAt(text, tailOf(tx.DB(), size)); err != nil {
		return err
	}
	if released, ok := parseTail(text); ok && int64(tx.ID()) <= released {
		return fmt.Errorf("%w: it is of transaction %d, and at its end nothing up to %d was kept any more", ErrLate, tx.ID(), released)
	}
	return nil
}
