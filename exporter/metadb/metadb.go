// Package metadb owns meta.db, the bbolt database of a data directory: who
// reads or writes it does so through a [DB].
//
// # Promises
//
//   - What a write answered is on the disk. Changes that come while a
//     transaction is made durable share the next one and its syncs, and each
//     ends as if it had come alone.
//   - A plain copy of the file, by any tool that reads it from the front while
//     it is written to, opens and holds all that was answered before the copy
//     began, if the tool takes no longer than [Window] for this file.
//   - After an I/O error that leaves open what the disk holds, nothing is read
//     or written any more: every call gives the error, and [DB.Failed] is
//     closed. The next open finds what is on the disk. A full disk is no such
//     error: what was to be written isn't, and the next write may succeed.
//
// # How a copy stays whole
//
// bbolt never changes a page that the newest tree uses, but it uses pages of
// older trees again. A copier reads the two meta pages first, and then for a
// while the pages of the tree that they named. So each write transaction,
// before its first change, begins a read transaction on the tree that it will
// replace, and keeps it for the window: no page of a tree that was the newest
// within the window is written to. (One long read transaction would not do:
// bbolt gives back pages that were both allocated and freed after it.)
//
// The file grows by what is replaced within the window, some 70 KB for a small
// commit. When that comes to much, commits are made farther apart, see [pace].
// The free list is not stored, for it would list all those pages with every
// commit. The file is made longer well before the pages are needed, so that it
// is as long as its tree wants when a tool looks at its size. Its last page says
// which trees are kept no more, so that a copy which was made too slowly is told
// from one of a single state even where its pages hang together.
//
// # Limits
//
// The file ends at 63 GiB. On Windows bbolt can't map more than the file has,
// so nothing is kept for copies of a running server there.
package metadb

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// Window is how long a tool may take to read the file.
const Window = 10 * time.Minute

// The errors of a database that callers branch on.
var (
	ErrLocked   = errors.New("another process holds the database")
	ErrFailed   = errors.New("the database is out of service after an I/O error")
	ErrTooLarge = errors.New("the database has reached the largest size that it can have")
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	path     string
	options  Options
	home     *Home // nil for a file that stands alone
	recovery *Recovery

	turn    chan struct{} // holds a value while a transaction is made; guards what follows
	pins    *pins         // nil where copies are not protected
	pace    pace
	renewed bool // see [DB.renew]
	closed  bool
	waiting waiting
	tails   tails
	stirrer *time.Timer // see [DB.stir]

	handles sync.Mutex
	now     *handle // guarded by handles for readers; whoever has the turn may read it without

	failed  chan struct{} // closed once failure is set
	failing sync.Mutex
	failure error // guarded by failing
}

// Options are for tests.
type Options struct {
	NoSync      bool          // a power cut may lose everything
	Unprotected bool          // a copy of the file may be torn
	Window      time.Duration // [Window] if 0
}

const (
	lockWait = time.Second // enough for a process that is just ending
	mapSize  = 64 << 30    // of address space, so that a write never waits for readers to let the map grow; costs no memory
	maxSize  = mapSize - 1<<30
)

// Create makes the file of an empty database at a path where there is nothing
// yet, durably but for its name.
func Create(path string) error {
	bolt, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, NoFreelistSync: true})
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return errors.Join(bolt.Sync(), bolt.Close())
}

// copies is "off", or another window. The linker sets it, for tests that look at
// whole processes, and nothing else does.
var copies string

// Open opens the database in a file that stands alone. Errors: [ErrLocked].
func Open(path string, options Options) (*DB, error) {
	if window, err := time.ParseDuration(copies); err == nil {
		options.Window = window
	}
	options.Unprotected = options.Unprotected || copies == "off"
	db := &DB{path: path, options: options, turn: make(chan struct{}, 1), failed: make(chan struct{}), renewed: true}
	if runtime.GOOS != "windows" && !options.Unprotected {
		db.pins = newPins(options.Window)
	}
	var err error
	if db.now, err = db.open(path); err != nil {
		return nil, err
	}
	db.tails.released = int64(db.number()) - 1 // of older trees this process keeps nothing
	db.stirrer = time.AfterFunc(time.Hour, db.touch)
	db.stirrer.Stop()
	return db, nil
}

// Close waits for transactions under way and lets go of the file.
func (db *DB) Close() error {
	db.turn <- struct{}{}
	defer func() { <-db.turn }()
	if db.pins != nil {
		db.pins.release(len(db.pins.held))
	}
	db.closed = true
	err := db.now.bolt.Close()
	if db.stirrer.Stop() {
		db.modified(time.Now().Add(stirAfter))
	}
	if db.home != nil && db.Err() == nil {
		err = errors.Join(err, db.home.leave())
	}
	return err
}

// SkipSync gives up durability: a power cut may lose everything. It is for
// tests, before the database is used.
func (db *DB) SkipSync() { db.options.NoSync, db.now.bolt.NoSync = true, true }

// View runs fn on one state of the database, which nothing changes meanwhile.
func (db *DB) View(fn func(*bbolt.Tx) error) error {
	if err := db.Err(); err != nil {
		return err
	}
	h := db.enter()
	defer db.exit(h)
	return h.bolt.View(fn)
}

// Failed is closed once an I/O error has put the database out of service.
func (db *DB) Failed() <-chan struct{} { return db.failed }

// Err is why the database is out of service, nil if it isn't. It wraps
// [ErrFailed].
func (db *DB) Err() error {
	db.failing.Lock()
	defer db.failing.Unlock()
	return db.failure
}

// fail puts the database out of service.
func (db *DB) fail(err error) error {
	db.failing.Lock()
	defer db.failing.Unlock()
	if db.failure == nil {
		db.failure = fmt.Errorf("%w: %w", ErrFailed, err)
		close(db.failed)
	}
	return db.failure
}
