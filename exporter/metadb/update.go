package metadb

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// waiting are the changes for the next transaction.
type waiting struct {
	mu      sync.Mutex
	changes []*change // guarded by mu
}

// change is what one caller wants to write.
type change struct {
	apply func(*bbolt.Tx) error
	done  chan struct{} // closed once err is known
	err   error
}

// crash is the panic of a change, on its way to the goroutine that it belongs
// to.
type crash struct {
	value any
	stack []byte
}

// Error says what the panic said.
func (c *crash) Error() string { return fmt.Sprintf("panic: %v\n%s", c.value, c.stack) }

// Update writes a change durably. apply runs on this goroutine or on that of
// another caller, and may run again, in another transaction: a change that
// fails doesn't take those along that shared its transaction. After an error of
// apply nothing of it was written.
func (db *DB) Update(apply func(*bbolt.Tx) error) error {
	own := &change{apply: apply, done: make(chan struct{})}
	db.waiting.mu.Lock()
	db.waiting.changes = append(db.waiting.changes, own)
	db.waiting.mu.Unlock()
	select {
	case <-own.done:
	case db.turn <- struct{}{}:
		db.pause()
		db.commit(db.take())
		<-db.turn
		<-own.done // it was among those taken, by us or by who had the turn before
	}
	var c *crash
	if errors.As(own.err, &c) {
		panic(c)
	}
	return own.err
}

// Exclusive writes a change durably, in a transaction of its own and running
// apply once, on this goroutine. Other writes wait meanwhile.
func (db *DB) Exclusive(apply func(*bbolt.Tx) error) error {
	db.turn <- struct{}{}
	defer func() { <-db.turn }()
	db.pause()
	return db.transact(apply)
}

func (db *DB) take() []*change {
	db.waiting.mu.Lock()
	defer db.waiting.mu.Unlock()
	taken := db.waiting.changes
	db.waiting.changes = nil
	return taken
}

// commit makes changes durable in one transaction; a change that fails is taken
// out and tried again alone, at the end. It has the turn.
func (db *DB) commit(changes []*change) {
	var alone []*change
	for len(changes) > 0 {
		failed, err := db.together(changes)
		switch {
		case len(changes)+len(alone) == 1, failed < 0 && !full(err):
			finish(changes, err)
			changes = nil
		case failed < 0: // there may be room for one of them
			alone, changes = append(alone, changes...), nil
		default:
			alone = append(alone, changes[failed])
			changes = slices.Delete(changes, failed, failed+1)
		}
	}
	for _, c := range alone {
		_, err := db.together([]*change{c})
		finish([]*change{c}, err)
	}
}

func finish(changes []*change, err error) {
	for _, c := range changes {
		c.err = err
		close(c.done)
	}
}

// together makes one transaction of changes. failed is the index of the one
// whose apply gave the error, -1 if there is none or the error is another.
func (db *DB) together(changes []*change) (failed int, err error) {
	failed = -1
	err = db.transact(func(tx *bbolt.Tx) error {
		for i, c := range changes {
			if err := safely(c.apply, tx); err != nil {
				failed = i
				return err
			}
		}
		return nil
	})
	return failed, err
}

// safely turns a panic into an error.
func safely(apply func(*bbolt.Tx) error, tx *bbolt.Tx) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &crash{value, debug.Stack()}
		}
	}()
	return apply(tx)
}

// transact makes one durable transaction. It has the turn.
func (db *DB) transact(apply func(*bbolt.Tx) error) (err error) {
	if err := db.Err(); err != nil {
		return err
	}
	if err := db.renew(); err != nil {
		return err
	}
	if db.pins != nil {
		db.expire(time.Now())
	}
	tx, err := db.now.bolt.Begin(true)
	if err != nil {
		return err
	}
	defer func() {
		if tx.DB() != nil {
			tx.Rollback()
		}
	}()
	if db.pins != nil {
		if err := db.pins.hold(db.now.bolt); err != nil {
			return err
		}
	}
	if err := apply(tx); err != nil {
		return err
	}
	return db.makeDurable(tx)
}

// makeDurable commits. bbolt panics where pages are not what they should be.
func (db *DB) makeDurable(tx *bbolt.Tx) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = db.fail(&crash{value, debug.Stack()})
		}
	}()
	if err := tx.Commit(); err != nil {
		return db.judge(err)
	}
	used := db.now.used()
	if db.pins != nil {
		db.pins.supersede(time.Now())
		db.pace.made(time.Now(), db.now.usage(used))
		db.stir()
	}
	return db.extend(used)
}

// judge decides what an error of a commit means. What had no room was not
// written, and the meta page, which comes last, needs none. After anything else
// it is open whether the disk holds the transaction.
func (db *DB) judge(err error) error {
	var failed *fs.PathError
	switch {
	case errors.Is(err, bolterrors.ErrMaxSizeReached):
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, int64(maxSize))
	case full(err) && errors.As(err, &failed) && failed.Op == "write":
		return err
	case strings.HasPrefix(err.Error(), "file resize error:"): // bbolt hides the cause
		return fmt.Errorf("%w: %v", syscall.ENOSPC, err)
	}
	return db.fail(err)
}

func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
