package webhook

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/audit"
	"licensekit/exporter/sealed"
)

// History is how many deliveries of an endpoint are kept.
const History = 500

// Status is what has become of a delivery.
type Status string

// The statuses of deliveries.
const (
	Pending   Status = "pending"   // it is tried again
	Delivered Status = "delivered" // it was received
	Failed    Status = "failed"    // it was given up
)

// Statuses lists them all.
var Statuses = []Status{Pending, Delivered, Failed}

// Delivery is an event on its way to an endpoint. Times are UTC to the
// millisecond.
type Delivery struct {
	ID             string     `json:"id"` // X-Locksmith-Delivery-ID
	Sequence       int64      `json:"sequence"`
	WebhookID      string     `json:"webhook_id"`
	EventSequence  int64      `json:"event_sequence"` // 0 for a test
	EventType      audit.Type `json:"event_type"`
	Status         Status     `json:"status"`
	Attempts       int        `json:"attempts"`
	ResponseStatus int        `json:"response_status,omitempty"` // of the last attempt, if there was an answer
	Error          string     `json:"error,omitempty"`           // of the last attempt
	DurationMS     int64      `json:"duration_ms"`               // of the last attempt
	CreatedAt      time.Time  `json:"created_at"`                // of the first attempt
	LastAttemptAt  time.Time  `json:"last_attempt_at"`
	NextAttemptAt  time.Time  `json:"next_attempt_at,omitzero"` // while it is pending
}

// kept is a delivery as it is stored.
type kept struct {
	Delivery
	Revision int64 `json:"revision"` // of the endpoint when it was tried
}

// position is how far an endpoint has come.
type position struct {
	Settled     int64     `json:"settled"` // the newest event that was delivered, given up or not asked for
	Newest      int64     `json:"newest"`  // the newest delivery's sequence
	Pending     int64     `json:"pending"` // the sequence of the delivery that is tried again; 0 for none
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
}

func deliveryKey(endpoint string, sequence int64) string {
	return string(binary.BigEndian.AppendUint64([]byte(endpoint+"\x00"), uint64(sequence)))
}

// enter stores a delivery, as a new one if it has no sequence yet, and lets go of
// the one that is too many.
func (p *position) enter(tx *bbolt.Tx, d *kept) error {
	if d.Sequence == 0 {
		p.Newest++
		d.Sequence = p.Newest
		if old := p.Newest - History; old != p.Pending {
			if err := forget(tx, d.WebhookID, old); err != nil {
				return err
			}
		}
	}
	if d.Status == Delivered {
		p.DeliveredAt = d.LastAttemptAt
	}
	if d.Status != Pending && d.Sequence <= p.Newest-History {
		return forget(tx, d.WebhookID, d.Sequence)
	}
	return sealed.Put(tx, deliveriesBucket, deliveryKey(d.WebhookID, d.Sequence), d)
}

func forget(tx *bbolt.Tx, endpoint string, sequence int64) error {
	return tx.Bucket([]byte(deliveriesBucket)).Delete([]byte(deliveryKey(endpoint, sequence)))
}

// forgetAll takes away all deliveries of an endpoint.
func forgetAll(tx *bbolt.Tx, endpoint string) error {
	var keys [][]byte
	prefix := []byte(endpoint + "\x00")
	c := tx.Bucket([]byte(deliveriesBucket)).Cursor()
	for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = c.Next() {
		keys = append(keys, key)
	}
	for _, key := range keys {
		if err := tx.Bucket([]byte(deliveriesBucket)).Delete(key); err != nil {
			return err
		}
	}
	return nil
}

func loadDelivery(tx *bbolt.Tx, endpoint string, sequence int64) (kept, error) {
	d, err := sealed.Get[kept](tx, deliveriesBucket, deliveryKey(endpoint, sequence))
	if err == nil && (d.WebhookID != endpoint || d.Sequence != sequence) {
		err = fmt.Errorf("read delivery %d of %s: %w: it is delivery %d of %s", sequence, endpoint, sealed.ErrDamaged, d.Sequence, d.WebhookID)
	}
	return d, err
}

// Query selects deliveries for a list.
type Query struct {
	Status Status // "" for all
	Before int64  // only deliveries with a lower sequence; 0 for all
	Limit  int    // at least 1
}

// Deliveries gives an endpoint's deliveries, newest first. next is the Before of
// the following page, 0 if there is none. Errors: fs.ErrNotExist.
func (s *Store) Deliveries(endpoint string, q Query) (page []Delivery, next int64, err error) {
	page = []Delivery{}
	err = s.db.View(func(tx *bbolt.Tx) error {
		at, err := loadPosition(tx, endpoint)
		if err != nil {
			return err
		}
		from := at.Newest
		if q.Before > 0 {
			from = min(from, q.Before-1)
		}
		for sequence := from; sequence > max(at.Newest-History, 0); sequence-- {
			d, err := loadDelivery(tx, endpoint, sequence)
			switch {
			case err != nil:
				return err
			case q.Status != "" && q.Status != d.Status:
			case len(page) == max(q.Limit, 1):
				next = page[len(page)-1].Sequence
				return nil
			default:
				page = append(page, d.Delivery)
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list deliveries of %s: %w", endpoint, err)
	}
	return page, next, nil
}
