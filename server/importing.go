package server

import (
	"context"
	"errors"

	"go.etcd.io/bbolt"

	"licensekit/exporter/audit"
	"licensekit/exporter/ledger"
	"licensekit/exporter/ledger/intake"
)

// importing is an ingestion under way, with its account for the audit trail.
// What is stored batch by batch is held there from the first batch on, in the
// same transactions, and recorded with the last.
type importing struct {
	*ledger.Ledger
	trail            *audit.Trail
	object, file, id string
	mode             mode
	held             bool
}

var _ intake.Keeper = (*importing)(nil)

// run hands read the sink of the mode.
func (i *importing) run(ctx context.Context, read func(ledger.Appender) (intake.Result, error)) (result intake.Result, err error) {
	switch i.mode {
	case atomically:
		err = i.Atomic(ctx, func(sink ledger.Transaction) (err error) {
			if result, err = read(sink); err != nil {
				return err
			}
			if result.Rejected+result.Conflicts > 0 {
				return &problem{status: 422, code: "ATOMIC_REJECTED", message: "rows were refused, so none were stored", result: &result}
			}
			return i.trail.Record(ctx, sink.Tx(), i.event(result, true))
		})
	case rehearse:
		err = i.Rehearse(ctx, func(sink ledger.Appender) (err error) {
			result, err = read(sink)
			return err
		})
	default:
		if result, err = read(i); err != nil && i.held {
			err = errors.Join(err, i.trail.SettleAlone(ctx, i.id, i.event(result, false)))
		}
	}
	return result, err
}

// Keep implements [intake.Keeper].
func (i *importing) Keep(ctx context.Context, part intake.Part, rows int, store func(ledger.Appender) (intake.Result, error)) error {
	err := i.Batch(ctx, rows, func(sink ledger.Transaction) error {
		result, err := store(sink)
		if err != nil {
			return err
		}
		return i.account(ctx, sink.Tx(), part, result)
	})
	if err == nil {
		i.held = part == intake.Middle
	}
	return err
}

func (i *importing) account(ctx context.Context, tx *bbolt.Tx, part intake.Part, result intake.Result) error {
	if part == intake.Middle {
		return i.trail.Hold(ctx, tx, i.id, i.event(result, false))
	}
	return i.trail.Settle(ctx, tx, i.id, i.event(result, part == intake.Last))
}

func (i *importing) event(r intake.Result, complete bool) audit.Event {
	e := audit.Event{Type: audit.RecordsImported, ResourceType: i.object, Metadata: audit.Metadata{
		"object": i.object, "mode": i.mode, "complete": complete,
		"accepted": r.Accepted, "duplicates": r.Duplicates, "conflicts": r.Conflicts, "rejected": r.Rejected,
	}}
	if i.object == intake.Activities {
		e.Type = audit.ActivitiesImported
	}
	if i.file != "" {
		e.Metadata["file_name"] = i.file
	}
	return e
}
