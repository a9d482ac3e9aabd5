package ledger

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
	"licensekit/exporter/sealed"
)

// Options are what a ledger needs from outside.
type Options struct {
	Now func() time.Time // received_at of what is appended; time.Now if nil
	Tmp string           // the directory for scratch files of rehearsals; the system's if empty
}

// Database is where a ledger keeps its buckets. What it runs in Update may be
// run again, and has changes of others beside it; what it runs in Exclusive is
// run once, alone.
type Database interface {
	sealed.Database
	Exclusive(func(*bbolt.Tx) error) error
}

// Ledger is the reporting data in a bbolt database. It may be used by several
// goroutines; writers take turns, or share a transaction where they bring
// little.
type Ledger struct {
	db   Database
	now  func() time.Time
	tmp  string
	hash func(id string) uint64
	part int // activities that a reading by time puts in order at once

	links *linkCache // belongs to the write transaction

	tail     atomic.Pointer[sealedBlock] // the tail as a block, as it was last read
	outlines atomic.Pointer[[]outline]   // of the first blocks, as far as they were read
}

// Open prepares the ledger's buckets in a database that the caller opened and
// will close after the ledger's last use.
func Open(db Database, options Options) (*Ledger, error) {
	var seed [8]byte
	rand.Read(seed[:])
	return open(db, options, binary.LittleEndian.Uint64(seed[:]), seededHash)
}

var errNoLedger = errors.New("there is no ledger yet")

// open creates the ledger with the given seed if there is none. hasher turns
// the seed into the hash of ids.
func open(db Database, options Options, seed uint64, hasher func(uint64) func(string) uint64) (*Ledger, error) {
	l := &Ledger{db: db, now: options.Now, tmp: options.Tmp, part: partRows, links: newLinkCache()}
	if l.now == nil {
		l.now = time.Now
	}
	known := func(tx *bbolt.Tx) error {
		if tx.Bucket(bucketState) == nil {
			return errNoLedger
		}
		own, err := openShelf(tx)
		if err == nil {
			l.hash = hasher(own.state.Seed)
		}
		return err
	}
	err := db.View(known)
	if errors.Is(err, errNoLedger) {
		err = db.Update(func(tx *bbolt.Tx) error { return errors.Join(create(tx, seed), known(tx)) })
	}
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	return l, nil
}

func seededHash(seed uint64) func(string) uint64 {
	return func(id string) uint64 {
		var digest xxhash.Digest
		digest.ResetWithSeed(seed)
		digest.WriteString(id)
		return digest.Sum64()
	}
}

// Status says what became of a row.
type Status uint8

// The ways in which a row can end.
const (
	undecided Status = iota
	Accepted         // stored
	Duplicate        // known with the same content; skipped
	Conflict         // known with other content; not stored
	Rejected         // wrong in itself; see Field, Code, Message
)

var statusNames = [...]string{"undecided", "accepted", "duplicate", "conflict", "rejected"}

// String is the status in lower case.
func (s Status) String() string { return statusNames[s] }

// Codes of rejected rows.
const (
	CodeRequired     = "REQUIRED"      // Field is missing
	CodeOutOfRange   = "OUT_OF_RANGE"  // Field is a number beyond its bounds
	CodeTooLong      = "TOO_LONG"      // Field is text that no block should hold
	CodeLinkMismatch = "LINK_MISMATCH" // product_id contradicts a linked record
)

// Outcome is what became of one row of a batch.
type Outcome struct {
	Status   Status
	Sequence int64  // of the accepted activity, or of the one that it repeats or contradicts
	Field    string // of a rejected row: what is wrong, by its name in the contract,
	Code     string // a machine's word for it,
	Message  string // and a person's, without the field's name
}

// Appender takes facts and records. Outcomes are in the order of the rows. An
// error means that nothing of the call was stored.
type Appender interface {
	// Append stores activities in the order given. It sets Sequence,
	// ReceivedAt and Inferred itself and leaves the given slice unchanged.
	Append(context.Context, []report.Activity) ([]Outcome, error)
	// Put stores records, replacing those with the same id as a whole.
	Put(context.Context, []report.Record) ([]Outcome, error)
}

// Transaction is an Appender whose work is part of one transaction, of which
// other packages' changes may be part too.
type Transaction interface {
	Appender
	Tx() *bbolt.Tx
}

var (
	_ Appender    = (*Ledger)(nil)
	_ Transaction = (*session)(nil)
)

// Append stores activities in one durable transaction.
func (l *Ledger) Append(ctx context.Context, rows []report.Activity) (outcomes []Outcome, err error) {
	err = l.Batch(ctx, len(rows), func(t Transaction) error {
		outcomes, err = t.Append(ctx, rows)
		return err
	})
	return outcomes, err
}

// Put stores records in one durable transaction.
func (l *Ledger) Put(ctx context.Context, records []report.Record) (outcomes []Outcome, err error) {
	err = l.Batch(ctx, len(records), func(t Transaction) error {
		outcomes, err = t.Put(ctx, records)
		return err
	})
	return outcomes, err
}

// fewRows is up to how many rows a batch shares its transaction with others.
// More would gain little by it, and take memory.
const fewRows = 1024

// Batch stores what fn appends and puts, all of it or, after an error, nothing.
// rows is about how many there are. Batches of a few rows that come at the same
// time share a transaction, so fn may run again where that came to nothing.
func (l *Ledger) Batch(ctx context.Context, rows int, fn func(Transaction) error) error {
	if rows > fewRows {
		return l.Atomic(ctx, fn)
	}
	return l.session(ctx, l.db.Update, fn)
}

// Atomic stores all that fn appends and puts, or, if fn or the commit returns
// an error, nothing of it. fn runs once, and may take its time. The Transaction
// sees its own work and is good until fn returns. Everything is held in memory until then, as bbolt does: about twice
// the size that it takes in the file.
func (l *Ledger) Atomic(ctx context.Context, fn func(Transaction) error) error {
	return l.session(ctx, l.db.Exclusive, fn)
}

func (l *Ledger) session(ctx context.Context, transact func(func(*bbolt.Tx) error) error, fn func(Transaction) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := transact(func(tx *bbolt.Tx) error {
		own, err := openShelf(tx)
		if err != nil {
			return err
		}
		l.links.begin(tx)
		return fn(&session{own: own, links: l.links, hash: l.hash, now: l.now})
	})
	if err != nil {
		return fmt.Errorf("write to the ledger: %w", err)
	}
	return nil
}

// View gives fn one consistent state. What the snapshot hands out, every text
// included, is valid until fn returns.
func (l *Ledger) View(ctx context.Context, fn func(*Snapshot) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.db.View(func(tx *bbolt.Tx) error {
		own, err := openShelf(tx)
		if err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
		return fn(&Snapshot{ledger: l, shelf: own})
	})
}
