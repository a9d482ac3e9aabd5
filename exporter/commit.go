package exporter

import (
	"errors"
	"sync"

	"go.etcd.io/bbolt"
)

// committer writes to the database for many at once: changes that come while
// a transaction is made durable share the next one, and its syncs. One that
// comes alone does not wait for company.
type committer struct {
	update func(func(*bbolt.Tx) error) error // bbolt's
	turn   chan struct{}                     // holds a value while a transaction is made

	mu      sync.Mutex
	waiting []*pendingChange // guarded by mu
}

// pendingChange is what one caller wants to write.
type pendingChange struct {
	apply func(*bbolt.Tx) error
	done  chan struct{} // closed once err is known
	err   error
}

var errAbandoned = errors.New("the transaction was abandoned")

// do writes a change durably, on this goroutine or on that of another caller.
// apply may be called twice: a change that fails doesn't take those along that
// shared its transaction.
func (c *committer) do(apply func(*bbolt.Tx) error) error {
	change := &pendingChange{apply: apply, done: make(chan struct{}), err: errAbandoned}
	c.mu.Lock()
	c.waiting = append(c.waiting, change)
	c.mu.Unlock()
	select {
	case <-change.done:
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
		c.commit(c.take())
	}
	// It was among those taken, by us or by who had the turn before.
	<-change.done
	return change.err
}

func (c *committer) take() []*pendingChange {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.waiting
	c.waiting = nil
	return taken
}

// commit makes changes durable in one transaction, or each in its own where
// one of them fails.
func (c *committer) commit(changes []*pendingChange) {
	defer func() {
		for _, change := range changes {
			close(change.done)
		}
	}()
	err := c.together(changes)
	for _, change := range changes {
		change.err = err
		if err != nil && len(changes) > 1 {
			change.err = c.update(change.apply)
		}
	}
}

func (c *committer) together(changes []*pendingChange) error {
	if len(changes) == 0 {
		return nil
	}
	return c.update(func(tx *bbolt.Tx) error {
		for _, change := range changes {
			if err := change.apply(tx); err != nil {
				return err
			}
		}
		return nil
	})
}
