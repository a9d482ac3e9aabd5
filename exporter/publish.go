package exporter

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"licensekit/exporter/evidence"
	"licensekit/exporter/report"
	"licensekit/exporter/sealed"
)

// published is what is known of an export once it is in the log.
type published struct {
	manifest             evidence.Manifest
	envelope             *report.Digest // nil if it is lost
	checkpoint           []byte         // signed; its bundles lead to it
	dataCRC, artifactCRC uint32
}

// publish signs the manifest, stores it and logs it, once what is to be done
// beside has been, maybe more than once. Errors: errRotated.
func (e *Exporter) publish(ctx context.Context, export Export, f *frozen, beside ...func() error) (*published, error) {
	e.keyMu.RLock() // no rotation between the signature and the log
	defer e.keyMu.RUnlock()
	if f.key != "" && f.key != e.key.Public.ID() {
		return nil, errRotated
	}
	manifest := evidence.Manifest{
		Instance: e.instance, ExportID: string(export.ID), Kind: export.Kind, Format: export.Format,
		ContentType: export.ContentType, Filters: export.Filters, AsOf: f.asOf, FrozenAt: f.at,
		Artifact: f.artifact.File, Data: f.data.File, RowCount: f.rows, Version: e.opts.Version,
	}
	var (
		envelope *evidence.Envelope
		ref      report.Digest
	)
	seal := func(index int64) (leaf []byte, err error) {
		manifest.Log = &evidence.LogPosition{Origin: e.log.Origin(), Index: index}
		if envelope, err = e.key.Seal(manifest); err != nil {
			return nil, err
		}
		manifest.KeyID = envelope.KeyID
		return envelope.Manifest, nil
	}
	store := func() (err error) {
		ref, err = e.storeEnvelope(ctx, envelope)
		return err
	}
	logged, err := e.log.Append(ctx, seal, append(beside, store)...)
	if err != nil {
		return nil, err
	}
	return &published{
		manifest: manifest, envelope: &ref, checkpoint: logged.Signed, dataCRC: f.data.crc, artifactCRC: f.artifact.crc,
	}, nil
}

// finish makes an export ready in the database.
func (e *Exporter) finish(p *published) error {
	return e.db.Update(func(tx *bbolt.Tx) error {
		stored, err := loadEntry(tx, ID(p.manifest.ExportID))
		if err != nil {
			return err
		}
		return e.makeReady(tx, stored, p, false)
	})
}

// makeReady enters what the manifest says. An export that is ready already has
// been published twice, which cannot be. Whatever else is known of it, what is
// in the log counts.
func (e *Exporter) makeReady(tx *bbolt.Tx, stored entry, p *published, adopted bool) error {
	if stored.Export.Status == Ready {
		return fmt.Errorf("publish export %s: it is %s", stored.Export.ID, stored.Export.Status)
	}
	m, x, before := &p.manifest, &stored.Export, stored.Export
	stored.Manifest, stored.Checkpoint, stored.DataCRC, stored.ArtifactCRC = p.envelope, string(p.checkpoint), p.dataCRC, p.artifactCRC
	x.Status, x.Error, x.KeyID, x.UpdatedAt = Ready, nil, m.KeyID, timestamp(e.opts.Now())
	x.Digest, x.ArtifactDigest = &m.Data.Digest, &m.Artifact.Digest
	x.AsOf, x.FrozenAt, x.RowCount, x.SizeBytes = &m.AsOf, &m.FrozenAt, &m.RowCount, &m.Artifact.Size
	x.LogOrigin, x.LogIndex = &m.Log.Origin, &m.Log.Index
	return errors.Join(
		retally(tx, before, *x),
		tx.Bucket([]byte(unfinishedBucket)).Delete([]byte(sequenceKey(stored.Sequence))),
		tx.Bucket(e.loggedIn(m.Log.Origin)).Put([]byte(sequenceKey(m.Log.Index)), []byte(x.ID)),
		sealed.Put(tx, exportsBucket, string(x.ID), stored),
		e.recordEnd(tx, *x, adopted))
}

func (e *Exporter) storeEnvelope(ctx context.Context, envelope *evidence.Envelope) (report.Digest, error) {
	text, err := envelope.Marshal()
	if err != nil {
		return report.Digest{}, err
	}
	return e.storeText(ctx, text, evidence.MaxEnvelope)
}

// storeText makes a blob of a text.
func (e *Exporter) storeText(ctx context.Context, text []byte, limit int64) (report.Digest, error) {
	blob, err := e.blobs.Create(ctx, limit)
	if err != nil {
		return report.Digest{}, err
	}
	defer blob.Abort()
	if _, err := blob.Write(text); err != nil {
		return report.Digest{}, err
	}
	ref, _, err := blob.Commit()
	return report.Digest(ref), err
}
