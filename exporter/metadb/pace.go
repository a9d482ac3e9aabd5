package metadb

import (
	"slices"
	"time"
)

// pace keeps what is held for copies within bounds. A commit waits for nothing
// while less than burst is held. Beyond that commits are made farther apart the
// more is held, so that whatever comes, the file grows by about budget, or by
// as much as it holds if that is more; changes that come meanwhile share a
// commit.
type pace struct {
	last time.Time     // when the last transaction was made
	gap  time.Duration // that the next one keeps from it
}

const (
	burst   = 384 << 20
	budget  = 512 << 20
	longest = 200 * time.Millisecond // the gap when all of the budget is held
)

// made notes a transaction.
func (p *pace) made(now time.Time, u Usage) { p.last, p.gap = now, gap(u) }

// gap grows evenly with what is held beyond burst, past the budget too.
func gap(u Usage) time.Duration {
	over := u.Held - burst
	room := max(budget, u.Live) - burst
	if over <= 0 {
		return 0
	}
	return time.Duration(float64(longest) * float64(over) / float64(room))
}

// pause waits until it is time for the next transaction.
func (db *DB) pause() {
	if db.pace.gap > 0 {
		time.Sleep(time.Until(db.pace.last.Add(db.pace.gap)))
	}
}

// growth is by how much the file is made longer, in bytes, when less than half
// of that is left.
const growth = 64 << 20

// extend makes the file longer before it is needed. bbolt does it only when it
// must, and a tool that has just looked at the file's size would miss the end.
// Whoever has made it longer, the tail is there before a tool can be late.
func (db *DB) extend(used int64) error {
	info, err := db.now.file.Stat()
	if err != nil {
		return nil // bbolt looks again when it must
	}
	size := info.Size()
	longer := size-used < growth/2 && db.now.file.Truncate(size+growth) == nil
	if longer {
		size += growth
	}
	if !slices.Contains(db.tails.at, tailOf(db.now.bolt, size)) {
		_ = db.tellReleased(db.tails.released) // without it, slow copies are told by what does not hang together
	}
	if !longer || db.options.NoSync {
		return nil
	}
	if err := db.now.file.Sync(); err != nil {
		return db.fail(err)
	}
	return nil
}
