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

// expire lets go of what was replaced before the window began.
func (p *pins) expire(now time.Time) {
	count := 0
	for count < len(p.held) && !p.held[count].replaced.IsZero() && now.Sub(p.held[count].replaced) > p.window {
		count++
	}
	p.release(count)
}

// release lets go of the oldest ones.
func (p *pins) release(count int) {
	for i := range count {
		p.held[i].reader.Rollback()
	}
	p.held = append(p.held[:0], p.held[count:]...)
}
