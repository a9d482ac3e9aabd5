package metadb

import (
	"cmp"
	"time"

	"go.etcd.io/bbolt"
)

// pins are read transactions that keep bbolt from using pages again: one on
// each tree that was the newest within the window. See the package's doc.
type pins struct {
	window time.Duration
	held   []pin // oldest first
}

type pin struct {
	reader   *bbolt.Tx
	replaced time.Time // when a newer tree took its place; zero while none has
}

func newPins(window time.Duration) *pins { return &pins{window: cmp.Or(window, Window)} }

// hold keeps the newest tree. It is called within a write transaction, before
// its first change: now no other can come between.
func (p *pins) hold(bolt *bbolt.DB) error {
	if n := len(p.held); n > 0 && p.held[n-1].replaced.IsZero() {
		return nil // the last write transaction came to nothing
	}
	reader, err := bolt.Begin(false)
	if err == nil {
		p.held = append(p.held, pin{reader: reader})
	}
	return err
}

// supersede notes that the newest tree has been replaced.
func (p *pins) supersede(now time.Time) { p.held[len(p.held)-1].replaced = now }

// expired counts what was replaced before the window began. There is none
// before some has been for a while, so that it is told now and then and not with
// every commit.
func (p *pins) expired(now time.Time) (count int) {
	before := func(pin pin, limit time.Duration) bool {
		return !pin.replaced.IsZero() && now.Sub(pin.replaced) > limit
	}
	if len(p.held) == 0 || !before(p.held[0], p.window+p.window/64) {
		return 0
	}
	for count < len(p.held) && before(p.held[count], p.window) {
		count++
	}
	return count
}

// number is that of the transaction of a tree that is held.
func (p *pins) number(i int) int64 { return int64(p.held[i].reader.ID()) }

// release lets go of the oldest ones.
func (p *pins) release(count int) {
	for i := range count {
		p.held[i].reader.Rollback()
	}
	p.held = append(p.held[:0], p.held[count:]...)
}
