package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"licensekit/exporter/sealed"
)

// Query selects events for a list. Empty members select all.
type Query struct {
	Type                     Type
	ActorType                ActorType
	ResourceType, ResourceID string
	Before                   int64 // only events with a lower sequence; 0 for all
	Limit                    int   // at least 1
}

func (q Query) matches(e Event) bool {
	return (q.Type == "" || q.Type == e.Type) && (q.ActorType == "" || q.ActorType == e.ActorType) &&
		(q.ResourceType == "" || q.ResourceType == e.ResourceType) && (q.ResourceID == "" || q.ResourceID == e.ResourceID)
}

// signs are texts that the stored form of every match holds. To look for them
// is much quicker than to decode each event on the way.
func (q Query) signs() (signs [][]byte) {
	for _, value := range []string{string(q.Type), string(q.ActorType), q.ResourceType, q.ResourceID} {
		if value != "" {
			sign, _ := json.Marshal(value) // a string always has a JSON form
			signs = append(signs, sign)
		}
	}
	return signs
}

// List gives events, newest first. next is the Before of the following page, 0
// if there is none.
func (t *Trail) List(ctx context.Context, q Query) (page []Event, next int64, err error) {
	page = []Event{}
	signs := q.signs()
	err = t.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(eventsBucket)).Cursor()
		for place, value := last(c, q.Before); place != nil; place, value = c.Prev() {
			if err := ctx.Err(); err != nil {
				return err
			}
			e, found, err := q.find(place, value, signs)
			switch {
			case err != nil:
				return err
			case !found:
			case len(page) == max(q.Limit, 1):
				next = page[len(page)-1].Sequence
				return nil
			default:
				page = append(page, e)
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list events: %w", err)
	}
	return page, next, nil
}

// find decodes an event if it may match, and tells whether it does. Damage is
// an error in either case: it may hide a match.
func (q Query) find(place, value []byte, signs [][]byte) (e Event, found bool, err error) {
	for _, sign := range signs {
		if bytes.Contains(value, sign) {
			continue
		}
		if _, err := sealed.Open(value); err != nil {
			return e, false, fmt.Errorf("read event %x of the audit trail: %w", place, err)
		}
		return e, false, nil
	}
	e, err = open(place, value)
	return e, err == nil && q.matches(e), err
}

// last moves the cursor to the last key below a sequence.
func last(c *bbolt.Cursor, before int64) (place, value []byte) {
	if before == 0 {
		return c.Last()
	}
	if place, _ := c.Seek([]byte(key(before))); place == nil {
		return c.Last()
	}
	return c.Prev()
}

// After gives events with a sequence above the given one, oldest first, at most
// limit of them.
func (t *Trail) After(ctx context.Context, sequence int64, limit int) (events []Event, err error) {
	err = t.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(eventsBucket)).Cursor()
		for place, value := c.Seek([]byte(key(sequence + 1))); place != nil && len(events) < limit; place, value = c.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			e, err := open(place, value)
			if err != nil {
				return err
			}
			events = append(events, e)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read events after %d: %w", sequence, err)
	}
	return events, nil
}

// Check reads the whole trail: every value matches its checksum, and no event
// is missing.
func (t *Trail) Check(ctx context.Context) error {
	return t.db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte(eventsBucket))
		want := uint64(1)
		err := bucket.ForEach(func(place, value []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if got := binary.BigEndian.Uint64(place); got != want {
				return fmt.Errorf("the audit trail has no events %d to %d", want, got-1)
			}
			want++
			_, err := open(place, value)
			return err
		})
		if err == nil && want <= bucket.Sequence() {
			err = fmt.Errorf("the audit trail has no events %d to %d", want, bucket.Sequence())
		}
		return err
	})
}
