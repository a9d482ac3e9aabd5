package exporter

import (
	"context"

	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
)

// Query selects exports for a list.
type Query struct {
	Kind      report.Kind // "" for any, likewise below
	Format    string
	Status    Status
	CreatedBy string
	Before    int64 // only exports with a lower sequence; 0 for all
	Limit     int   // at least 1
}

func (q Query) matches(x Export) bool {
	return (q.Kind == "" || q.Kind == x.Kind) && (q.Format == "" || q.Format == x.Format) &&
		(q.Status == "" || q.Status == x.Status) && (q.CreatedBy == "" || q.CreatedBy == x.CreatedBy)
}

// List gives exports, newest first. next is the Before of the following page,
// 0 if there is none.
func (e *Exporter) List(ctx context.Context, q Query) (page []Export, next int64, err error) {
	page = []Export{}
	making := e.queue.making() // before the entries, as in Get
	err = e.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(orderBucket)).Cursor()
		key, id := last(c, q.Before)
		for ; key != nil; key, id = c.Prev() {
			if err := ctx.Err(); err != nil {
				return err
			}
			found, err := loadEntry(tx, ID(id))
			if err != nil {
				return err
			}
			export := making[ID(id)].shown(found.Export)
			if !q.matches(export) {
				continue
			}
			if len(page) == max(q.Limit, 1) {
				next = page[len(page)-1].Sequence
				return nil
			}
			page = append(page, export)
		}
		return nil
	})
	return page, next, err
}

// last moves the cursor to the last key below a sequence.
func last(c *bbolt.Cursor, before int64) (key, value []byte) {
	if before == 0 {
		return c.Last()
	}
	if key, _ := c.Seek([]byte(sequenceKey(before))); key == nil {
		return c.Last()
	}
	return c.Prev()
}
