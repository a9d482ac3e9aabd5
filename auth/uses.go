package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/sealed"
)

// flushInterval is how long a last use may stay in memory only.
const flushInterval = time.Minute

// uses collects the last use of each key in memory, and writes what is new once
// per interval in one transaction. So a request costs no write, and a busy key
// no more writes than an idle one.
type uses struct {
	db      sealed.Database
	stop    chan struct{} // closed by close, once
	once    sync.Once     // guards stop
	flusher sync.WaitGroup

	// By key id, what the database holds of newest. Belongs to the flusher, and
	// once that has ended to close.
	committed map[string]time.Time

	mu     sync.Mutex
	newest map[string]time.Time // by key id, of this process; guarded by mu
	err    error                // the first failed flush; guarded by mu
}

// startUses begins to flush in the background until close.
func startUses(db sealed.Database) *uses {
	u := &uses{
		db:        db,
		stop:      make(chan struct{}),
		committed: map[string]time.Time{},
		newest:    map[string]time.Time{},
	}
	u.flusher.Go(u.run)
	return u
}

func (u *uses) run() {
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-u.stop:
			return
		case <-ticker.C:
			u.flush()
		}
	}
}

// close ends the background work and flushes what is left.
func (u *uses) close() error {
	u.once.Do(func() {
		close(u.stop)
		u.flusher.Wait()
		u.flush()
	})
	return u.failure()
}

// touch notes a use and gives the newest one: of two requests that overlap, the
// earlier may come here last, and even after the later one was committed.
func (u *uses) touch(id string, at time.Time) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	if at.After(u.newest[id]) {
		u.newest[id] = at
	}
	return u.newest[id]
}

// snapshot copies the newest uses. Where it has none, no use of this process
// was made before it, and the database has the last word.
func (u *uses) snapshot() map[string]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.newest)
}

func (u *uses) failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

// flush commits what is new. After a failure it does nothing more: a database
// whose commit failed may show what is not on the disk.
func (u *uses) flush() {
	changed := u.changed()
	if len(changed) == 0 || u.failure() != nil {
		return
	}
	if err := u.write(changed); err != nil {
		u.fail(fmt.Errorf("write last uses of %d api keys: %w", len(changed), err))
	}
}

// changed gives the newest uses that are not committed.
func (u *uses) changed() map[string]time.Time {
	changed := u.snapshot()
	maps.DeleteFunc(changed, func(id string, at time.Time) bool { return at.Equal(u.committed[id]) })
	return changed
}

// write commits the given uses in one transaction.
func (u *uses) write(changed map[string]time.Time) error {
	err := u.db.Update(func(tx *bbolt.Tx) error {
		for id, at := range changed {
			if err := sealed.Put(tx, usesBucket, id, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		maps.Copy(u.committed, changed)
	}
	return err
}

func (u *uses) fail(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.err = err
}

// lastUse gives the newest use of a key, the zero time if there was none.
func lastUse(tx *bbolt.Tx, id string, newest map[string]time.Time) (time.Time, error) {
	if at, ok := newest[id]; ok {
		return at, nil
	}
	at, err := sealed.Get[time.Time](tx, usesBucket, id)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	return at, err
}
