package webhook

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/audit"
	"licensekit/exporter/sealed"
)

const (
	endpointsBucket  = "webhooks"
	positionsBucket  = "webhooks.positions"
	deliveriesBucket = "webhooks.deliveries"
)

// record is an endpoint as it is stored, without its position, which changes
// with every delivery.
type record struct {
	Endpoint
	Secret   string `json:"secret"`
	Order    uint64 `json:"order"`    // of creation; clocks go backwards
	Revision int64  `json:"revision"` // counts its changes
}

// Store keeps endpoints and their deliveries. Its methods may be called at the
// same time.
type Store struct {
	db    sealed.Database // belongs to whoever opened it
	trail *audit.Trail
	now   func() time.Time
	may   networks

	changed audit.Bell // rings when an endpoint has changed
}

// Open makes the store's buckets in an open database if they are missing.
// allowed are networks that URLs may lead to although they are not public, as
// package auth's ParseNetwork gives them.
func Open(db sealed.Database, trail *audit.Trail, now func() time.Time, allowed []netip.Prefix) (*Store, error) {
	if err := sealed.MakeBuckets(db, endpointsBucket, positionsBucket, deliveriesBucket); err != nil {
		return nil, fmt.Errorf("open webhooks: %w", err)
	}
	return &Store{db: db, trail: trail, now: func() time.Time { return millis(now()) }, may: allowed}, nil
}

// millis is an instant as this package keeps it.
func millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Create makes an endpoint, which is told of what happens from then on, and gives
// its secret, this once. Errors: [*FieldError].
func (s *Store) Create(ctx context.Context, c Change) (Endpoint, string, error) {
	now := s.now()
	r := record{Endpoint: Endpoint{ID: "whe_" + strings.ToLower(rand.Text()), Active: true, EventTypes: []audit.Type{}, CreatedAt: now, UpdatedAt: now}}
	for field, missing := range map[string]bool{"name": c.Name == nil, "url": c.URL == nil} {
		if missing {
			return Endpoint{}, "", &FieldError{field, "is missing"}
		}
	}
	c.Rotate = c.Secret == nil
	if _, err := c.apply(&r, s.may); err != nil {
		return Endpoint{}, "", err
	}
	err := s.db.Update(func(tx *bbolt.Tx) (err error) {
		bucket := tx.Bucket([]byte(endpointsBucket))
		if n := bucket.Inspect().KeyN; n >= maxEndpoints {
			return &FieldError{"webhook", fmt.Sprintf("would be one too many: there are %d", n)}
		}
		if r.Order, err = bucket.NextSequence(); err != nil {
			return err
		}
		if err := sealed.Put(tx, endpointsBucket, r.ID, r); err != nil {
			return err
		}
		if err := s.trail.Record(ctx, tx, r.event(audit.WebhookCreated, nil)); err != nil {
			return err
		}
		tx.OnCommit(s.changed.Ring)
		return sealed.Put(tx, positionsBucket, r.ID, position{Settled: s.trail.Newest(tx)})
	})
	if err != nil {
		return Endpoint{}, "", fmt.Errorf("create webhook: %w", err)
	}
	return r.Endpoint, r.Secret, nil
}

// event tells the audit trail what was done to the endpoint.
func (r record) event(done audit.Type, changed []string) audit.Event {
	said := audit.Metadata{"name": r.Name, "origin": originOf(r.URL), "event_types": r.EventTypes, "is_active": r.Active}
	if changed != nil {
		said["changed"] = changed
	}
	return audit.Event{Type: done, ResourceType: "webhook_endpoint", ResourceID: r.ID, Metadata: said}
}

// Update changes an endpoint. What is on its way is tried again at once. The
// secret is "" unless a new one was made. Errors: fs.ErrNotExist, [*FieldError].
func (s *Store) Update(ctx context.Context, id string, c Change) (changed Endpoint, secret string, err error) {
	err = s.db.Update(func(tx *bbolt.Tx) error {
		r, err := load(tx, id)
		if err != nil {
			return err
		}
		fields, err := c.apply(&r, s.may)
		if err != nil || fields == nil {
			changed = r.Endpoint
			return err
		}
		r.UpdatedAt, r.Revision = s.now(), r.Revision+1
		if changed, secret = r.Endpoint, ""; c.Rotate {
			secret = r.Secret
		}
		tx.OnCommit(s.changed.Ring)
		if err := store(tx, r); err != nil {
			return err
		}
		return s.trail.Record(ctx, tx, r.event(audit.WebhookUpdated, fields))
	})
	if err != nil {
		return Endpoint{}, "", fmt.Errorf("update webhook %s: %w", id, err)
	}
	return changed, secret, nil
}

// Delete takes an endpoint away, with its secret and its deliveries. Errors:
// fs.ErrNotExist.
func (s *Store) Delete(ctx context.Context, id string) error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		r, err := load(tx, id)
		if err != nil {
			return err
		}
		if err := forgetAll(tx, id); err != nil {
			return err
		}
		for _, bucket := range []string{endpointsBucket, positionsBucket} {
			if err := tx.Bucket([]byte(bucket)).Delete([]byte(id)); err != nil {
				return err
			}
		}
		tx.OnCommit(s.changed.Ring)
		return s.trail.Record(ctx, tx, r.event(audit.WebhookDeleted, nil))
	})
	if err != nil {
		return fmt.Errorf("delete webhook %s: %w", id, err)
	}
	return nil
}

// Get gives one endpoint. Errors: fs.ErrNotExist.
func (s *Store) Get(id string) (Endpoint, error) {
	r, err := s.get(id)
	return r.Endpoint, err
}

func (s *Store) get(id string) (r record, err error) {
	err = s.db.View(func(tx *bbolt.Tx) (err error) { r, err = load(tx, id); return err })
	if err != nil {
		return record{}, fmt.Errorf("get webhook: %w", err)
	}
	return r, nil
}

// List gives all endpoints, in the order of their creation.
func (s *Store) List() ([]Endpoint, error) {
	records, err := sealed.List(s.db, endpointsBucket, load, func(r record) uint64 { return r.Order })
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	all := make([]Endpoint, len(records))
	for i, r := range records {
		all[i] = r.Endpoint
	}
	return all, nil
}

// ids names all endpoints, those whose value is damaged too.
func (s *Store) ids() (all []string, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error { all = sealed.Keys(tx, endpointsBucket); return nil })
	return all, err
}

// load reads an endpoint with its last delivery.
func load(tx *bbolt.Tx, id string) (record, error) {
	r, err := sealed.Get[record](tx, endpointsBucket, id)
	if err == nil && r.ID != id {
		err = fmt.Errorf("read %s %s: %w: it is that of %s", endpointsBucket, id, sealed.ErrDamaged, r.ID)
	}
	if err != nil {
		return record{}, err
	}
	at, err := loadPosition(tx, id)
	r.LastDeliveryAt = at.DeliveredAt
	return r, err
}

func store(tx *bbolt.Tx, r record) error {
	r.LastDeliveryAt = time.Time{} // the position's
	return sealed.Put(tx, endpointsBucket, r.ID, r)
}

func loadPosition(tx *bbolt.Tx, id string) (position, error) {
	return sealed.Get[position](tx, positionsBucket, id)
}

// move changes an endpoint's position, unless it was deleted meanwhile, which is
// fs.ErrNotExist.
func (s *Store) move(id string, edit func(*bbolt.Tx, *position) error) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		at, err := loadPosition(tx, id)
		if err != nil {
			return err
		}
		if err := edit(tx, &at); err != nil {
			return err
		}
		return sealed.Put(tx, positionsBucket, id, at)
	})
}
