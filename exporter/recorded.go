package exporter

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"

	"licensekit/exporter/audit"
	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/tilelog"
)

// Event is an event of the audit trail about the export.
func (x Export) Event(done audit.Type, said audit.Metadata) audit.Event {
	return audit.Event{Type: done, ResourceType: "report_export", ResourceID: string(x.ID), Metadata: said}
}

// recordCreated enters a new export into the audit trail.
func (e *Exporter) recordCreated(ctx context.Context, tx *bbolt.Tx, x Export) error {
	return e.opts.Trail.Record(ctx, tx, x.Event(audit.ExportCreated, audit.Metadata{
		"report_kind": x.Kind, "format": x.Format, "filters": x.Filters,
	}))
}

// recordEnd enters into the audit trail that an export is ready or has failed.
// One that is adopted was published by a process that came to no end.
func (e *Exporter) recordEnd(tx *bbolt.Tx, x Export, adopted bool) error {
	done, said := audit.ExportFailed, audit.Metadata{"report_kind": x.Kind, "format": x.Format, "created_by": x.CreatedBy}
	if x.Status == Ready {
		done = audit.ExportReady
		said["digest"], said["artifact_digest"] = x.Digest, x.ArtifactDigest
		said["as_of"], said["row_count"], said["size_bytes"], said["log_index"] = x.AsOf, x.RowCount, x.SizeBytes, x.LogIndex
	} else {
		said["code"] = x.Error.Code
	}
	if adopted {
		said["recovered"] = true
	}
	return e.opts.Trail.Record(context.Background(), tx, x.Event(done, said))
}

// keepLeaf makes a blob of a leaf that is no export, as an export's signed
// manifest is one. From it a copy whose log and database are both of an
// earlier moment has the leaf all the same, see [memory].
func (e *Exporter) keepLeaf(ctx context.Context, leaf []byte) error {
	_, err := e.storeText(ctx, leaf, tilelog.MaxLeaf)
	return err
}

// leavesKept visits the leaves that are blobs of their own.
func (e *Exporter) leavesKept(ctx context.Context, visit func(leaf []byte)) error {
	return e.db.View(func(tx *bbolt.Tx) error {
		for _, l := range e.logs {
			err := tx.Bucket(e.loggedIn(l.Origin())).ForEach(func(_, value []byte) error {
				if exportLogged(value) == "" {
					visit(value)
				}
				return ctx.Err()
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// adoptLeaf enters a leaf that is no export and that the database does not
// know, with the event that it stands for.
func (e *Exporter) adoptLeaf(ctx context.Context, origin string, index int64, leaf []byte) error {
	event, err := eventOfLeaf(origin, index, leaf)
	if err == nil {
		err = e.keepLeaf(ctx, leaf)
	}
	if err != nil {
		return err
	}
	return e.db.Update(func(tx *bbolt.Tx) error {
		err := tx.Bucket(e.loggedIn(origin)).Put([]byte(sequenceKey(index)), bytes.Clone(leaf))
		if err != nil || event == nil {
			return err
		}
		return e.opts.Trail.Record(ctx, tx, *event)
	})
}

// eventOfLeaf is nil for leaves that come with no event.
func eventOfLeaf(origin string, index int64, leaf []byte) (*audit.Event, error) {
	kind, err := evidence.LeafType(leaf)
	if err != nil {
		return nil, err
	}
	switch kind {
	case evidence.RotationType:
		r, err := evidence.ParseRotation(leaf)
		if err != nil {
			return nil, err
		}
		return &audit.Event{
			Type: audit.SigningKeyRotated, ResourceType: "signing_key", ResourceID: r.New.ID(),
			Metadata: audit.Metadata{"old_key": r.Old.ID(), "log_origin": origin, "log_index": index},
		}, nil
	case evidence.RestartType: // made by a command, while no server runs
		return &audit.Event{
			Type: audit.LogRestarted, ResourceType: "log", ResourceID: origin,
			Origin: audit.Origin{ActorType: audit.ByTheSystem, ActorID: audit.Owner},
		}, nil
	}
	return nil, nil
}

// enterRotations enters what a rotation of keys has put into the log. If that
// fails, the next start does it.
func (e *Exporter) enterRotations(ctx context.Context) error {
	bucket := e.loggedIn(e.log.Origin())
	from, err := e.firstGap(bucket)
	if err != nil {
		return err
	}
	return e.log.Walk(ctx, from, func(index int64, leaf []byte) error {
		known, err := e.isKnown(bucket, index)
		if known || err != nil {
			return err
		}
		if kind, err := evidence.LeafType(leaf); err != nil || kind != evidence.RotationType {
			return err
		}
		return e.adoptLeaf(ctx, e.log.Origin(), index, leaf)
	})
}
