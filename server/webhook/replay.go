package webhook

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/audit"
	"licensekit/exporter/sealed"
)

// ErrTest is a replay of a test.
var ErrTest = errors.New("the event of a test is in no trail: send another test")

// Replay sends a delivery of the history again, once and at once, to an endpoint
// that may be paused, with the delivery id that it had. The answer says what came
// of it: one that was given up is delivered now or stays given up; one that was
// delivered stays so, with an error if it was not received again. One that is
// still tried has its next attempt brought forward and is answered as pending.
// Errors: fs.ErrNotExist, [ErrTest].
func (c *Courier) Replay(ctx context.Context, endpoint, id string) (Delivery, error) {
	d, err := c.replay(ctx, endpoint, id)
	if err != nil {
		return Delivery{}, fmt.Errorf("replay delivery %s of %s: %w", id, endpoint, err)
	}
	return d.Delivery, nil
}

func (c *Courier) replay(ctx context.Context, endpoint, id string) (kept, error) {
	r, err := c.get(endpoint)
	if err != nil {
		return kept{}, err
	}
	d, err := c.findDelivery(endpoint, id)
	if err == nil && d.Status == Pending {
		d, err = c.hasten(d)
	}
	switch {
	case err != nil, d.Status == Pending:
		return d, err
	case d.EventSequence == 0:
		return d, ErrTest
	}
	event, err := c.eventOf(ctx, d.EventSequence)
	if err != nil {
		return d, err
	}
	sending, cancel := outlast(ctx, stopGrace)
	defer cancel()
	began := c.now()
	got := c.sender.send(sending, r, event, d.ID, began)
	if got.err != nil && sending.Err() != nil {
		return d, sending.Err()
	}
	return c.settleReplay(ctx, d, got, began)
}

// findDelivery gives a delivery of the history by its id.
func (s *Store) findDelivery(endpoint, id string) (d kept, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		at, err := loadPosition(tx, endpoint)
		if err != nil {
			return err
		}
		for sequence := at.Newest; sequence > max(at.Newest-History, 0); sequence-- {
			if d, err = loadDelivery(tx, endpoint, sequence); err != nil || d.ID == id {
				return err
			}
		}
		return fs.ErrNotExist
	})
	return d, err
}

// hasten lets the worker try a delivery at once, if it is still pending.
func (s *Store) hasten(d kept) (kept, error) {
	var latest kept
	err := s.move(d.WebhookID, func(tx *bbolt.Tx, _ *position) (err error) {
		latest, err = loadDelivery(tx, d.WebhookID, d.Sequence)
		if err != nil || latest.Status != Pending {
			return err
		}
		latest.NextAttemptAt = s.now()
		tx.OnCommit(s.changed.Ring)
		return sealed.Put(tx, deliveriesBucket, deliveryKey(d.WebhookID, d.Sequence), latest)
	})
	return latest, err
}

// settleReplay stores what a replay came to, and records it.
func (c *Courier) settleReplay(ctx context.Context, d kept, got outcome, began time.Time) (kept, error) {
	var latest kept
	err := c.move(d.WebhookID, func(tx *bbolt.Tx, at *position) (err error) {
		if latest, err = loadDelivery(tx, d.WebhookID, d.Sequence); err != nil { // anew: another replay may have ended meanwhile
			return err
		}
		received := latest.Status == Delivered
		c.judge(&latest, got, began)
		latest.giveUp()
		if received {
			latest.Status = Delivered
		}
		if got.err == nil {
			at.DeliveredAt = began
		}
		if err := sealed.Put(tx, deliveriesBucket, deliveryKey(d.WebhookID, d.Sequence), latest); err != nil {
			return err
		}
		return c.trail.Record(ctx, tx, audit.Event{
			Type: audit.DeliveryReplayed, ResourceType: "webhook_endpoint", ResourceID: d.WebhookID,
			Metadata: audit.Metadata{"delivery_id": d.ID, "event_sequence": d.EventSequence, "event_type": d.EventType, "received": got.err == nil},
		})
	})
	if err == nil && c.opts.Measured != nil {
		c.opts.Measured(came(got))
	}
	return latest, err
}

func came(got outcome) Status {
	if got.err != nil {
		return Failed
	}
	return Delivered
}
