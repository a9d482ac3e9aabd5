package audit

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/sealed"
)

const (
	eventsBucket = "audit"
	heldBucket   = "audit.held"
	typesBucket  = "audit.types"
)

// Trail is the trail of one data directory. Its methods may be called at the
// same time.
type Trail struct {
	db  sealed.Database // belongs to whoever opened it
	now func() time.Time

	more Bell // rings when there are more events
}

// Open makes the trail's buckets in an open database if they are missing, and
// records what was held when the last process ended as interrupted.
func Open(db sealed.Database, now func() time.Time) (*Trail, error) {
	t := &Trail{db: db, now: now}
	err := sealed.MakeBuckets(db, eventsBucket, heldBucket)
	if err == nil {
		err = t.summarize()
	}
	if err == nil {
		err = t.recordHeld()
	}
	if err != nil {
		return nil, fmt.Errorf("open the audit trail: %w", err)
	}
	return t, nil
}

func (t *Trail) recordHeld() error {
	var names []string
	err := t.db.View(func(tx *bbolt.Tx) error { names = sealed.Keys(tx, heldBucket); return nil })
	if err != nil || len(names) == 0 {
		return err
	}
	return t.db.Update(func(tx *bbolt.Tx) (err error) {
		for _, name := range names {
			held, heldErr := sealed.Get[Event](tx, heldBucket, name)
			if heldErr == nil {
				heldErr = t.append(tx, held.interrupted())
			}
			err = errors.Join(err, heldErr, release(tx, name))
		}
		return err
	})
}

// Record appends an event as part of a transaction.
func (t *Trail) Record(ctx context.Context, tx *bbolt.Tx, e Event) error {
	return t.append(tx, by(ctx, e))
}

// Write appends an event in a transaction of its own.
func (t *Trail) Write(ctx context.Context, e Event) error {
	return t.db.Update(func(tx *bbolt.Tx) error { return t.Record(ctx, tx, e) })
}

// Hold keeps an event whose end is still to come, as part of a transaction.
// Under the same name it takes the place of the one before.
func (t *Trail) Hold(ctx context.Context, tx *bbolt.Tx, name string, e Event) error {
	return sealed.Put(tx, heldBucket, name, by(ctx, e))
}

// Settle appends the event in place of the one that is held under the name, if
// there is one.
func (t *Trail) Settle(ctx context.Context, tx *bbolt.Tx, name string, e Event) error {
	return errors.Join(release(tx, name), t.Record(ctx, tx, e))
}

// SettleAlone settles in a transaction of its own.
func (t *Trail) SettleAlone(ctx context.Context, name string, e Event) error {
	return t.db.Update(func(tx *bbolt.Tx) error { return t.Settle(ctx, tx, name, e) })
}

func release(tx *bbolt.Tx, name string) error {
	return tx.Bucket([]byte(heldBucket)).Delete([]byte(name))
}

// by fills in the origin of an event that has none of its own.
func by(ctx context.Context, e Event) Event {
	if e.Origin == (Origin{}) {
		e.Origin = OriginOf(ctx)
	}
	return e
}

func (t *Trail) append(tx *bbolt.Tx, e Event) error {
	sequence, err := tx.Bucket([]byte(eventsBucket)).NextSequence()
	if err != nil {
		return fmt.Errorf("record %s: %w", e.Type, err)
	}
	e.Sequence, e.CreatedAt = int64(sequence), t.now().UTC().Truncate(time.Millisecond)
	if e.Metadata == nil {
		e.Metadata = Metadata{}
	}
	tx.OnCommit(t.more.Ring)
	return errors.Join(sealed.Put(tx, eventsBucket, key(e.Sequence), e), count(tx, e))
}

// More gives a channel that is closed once there are more events than there
// were before the call. Who follows the trail asks for it, reads [Trail.After]
// to the end, and waits for it.
func (t *Trail) More() <-chan struct{} { return t.more.Rung() }

// Newest is the sequence of the newest event, in a transaction with what it has
// recorded; 0 if there is none.
func (t *Trail) Newest(tx *bbolt.Tx) int64 {
	return int64(tx.Bucket([]byte(eventsBucket)).Sequence())
}

func key(sequence int64) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(sequence)))
}

// open reads a stored event, whose value must match its checksum and its place.
func open(place, value []byte) (e Event, err error) {
	text, err := sealed.Open(value)
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err == nil && key(e.Sequence) != string(place) {
		err = fmt.Errorf("%w: it is event %d", sealed.ErrDamaged, e.Sequence)
	}
	if err != nil {
		return e, fmt.Errorf("read event %x of the audit trail: %w", place, err)
	}
	return e, nil
}
