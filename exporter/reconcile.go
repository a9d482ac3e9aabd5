package exporter

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"sync"

	"go.etcd.io/bbolt"

	"licensekit/blobstore"
	"licensekit/exporter/evidence"
	"licensekit/exporter/report"
)

// reconcile enters into the database what is in the logs and not there: the
// exports that were published when the process ended, or all of them where the
// database was lost.
func (e *Exporter) reconcile(ctx context.Context) (adopted []ID, err error) {
	for _, l := range e.logs {
		entered, err := e.reconcileLog(ctx, l)
		adopted = append(adopted, entered...)
		if err != nil {
			return adopted, err
		}
	}
	return adopted, nil
}

func (e *Exporter) reconcileLog(ctx context.Context, l *Log) (adopted []ID, err error) {
	bucket := e.loggedIn(l.Origin())
	from, err := e.firstGap(bucket)
	if err != nil || from >= l.Size() {
		return nil, err
	}
	signed := sync.OnceValues(func() (map[report.Digest]report.Digest, error) { return e.envelopes(ctx) })
	err = l.Walk(ctx, from, func(index int64, leaf []byte) error {
		if known, err := e.isKnown(bucket, index); known || err != nil {
			return err
		}
		kind, err := evidence.LeafType(leaf)
		switch {
		case err != nil:
		case kind == evidence.PredicateType:
			var id ID
			id, err = e.adopt(ctx, l, leaf, signed)
			adopted = append(adopted, id)
		default:
			err = e.adoptLeaf(ctx, l.Origin(), index, leaf)
		}
		if err != nil {
			return fmt.Errorf("entry %d of log %s: %w", index, l.Origin(), err)
		}
		return nil
	})
	return adopted, err
}

// firstGap is the first index of a log that the database does not know.
func (e *Exporter) firstGap(bucket []byte) (gap int64, err error) {
	err = e.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for key, _ := c.First(); key != nil && indexOf(key) == gap; key, _ = c.Next() {
			gap++
		}
		return nil
	})
	return gap, err
}

func (e *Exporter) isKnown(bucket []byte, index int64) (known bool, err error) {
	err = e.db.View(func(tx *bbolt.Tx) error {
		key, _ := tx.Bucket(bucket).Cursor().Seek([]byte(sequenceKey(index)))
		known = string(key) == sequenceKey(index)
		return nil
	})
	return known, err
}

// adopt enters a logged export whose database entry is unfinished or missing.
// Who created a missing one, and when, is not in the log. One whose artifact or
// signed manifest is lost was published all the same.
func (e *Exporter) adopt(ctx context.Context, l *Log, leaf []byte, signed func() (map[report.Digest]report.Digest, error)) (ID, error) {
	m, err := evidence.ParseManifest(leaf)
	if err != nil {
		return "", err
	}
	p := &published{manifest: *m, checkpoint: l.Head().Signed}
	var corrupt *blobstore.CorruptError
	if p.envelope, err = e.findEnvelope(ctx, m, leaf, signed); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	p.artifactCRC, p.dataCRC, err = e.checksums(ctx, m)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.As(err, &corrupt) {
		return "", err
	}
	return ID(m.ExportID), e.db.Update(func(tx *bbolt.Tx) error {
		stored, err := loadEntry(tx, ID(m.ExportID))
		if errors.Is(err, fs.ErrNotExist) {
			stored, err = recreate(tx, m)
		}
		if err != nil {
			return err
		}
		return e.makeReady(tx, stored, p, true)
	})
}

// recreate gives an entry for an export of which only the log knows.
func recreate(tx *bbolt.Tx, m *evidence.Manifest) (entry, error) {
	order := tx.Bucket([]byte(orderBucket))
	sequence, err := order.NextSequence()
	if err != nil {
		return entry{}, err
	}
	x := Export{
		ID: ID(m.ExportID), Kind: m.Kind, Format: m.Format, Status: Pending, Filters: m.Filters,
		ContentType: m.ContentType, CreatedAt: m.FrozenAt, DownloadURL: downloadURL(ID(m.ExportID)), Sequence: int64(sequence),
	}
	return entry{Export: x, Sequence: x.Sequence}, errors.Join(tally(tx, x, 1), order.Put([]byte(sequenceKey(x.Sequence)), []byte(x.ID)))
}

// findEnvelope finds the signed form of a logged manifest: the active key, if
// it was that one, signs the same again; otherwise it is among the blobs.
func (e *Exporter) findEnvelope(ctx context.Context, m *evidence.Manifest, leaf []byte, signed func() (map[report.Digest]report.Digest, error)) (*report.Digest, error) {
	if m.KeyID == e.key.Public.ID() {
		envelope, err := e.key.Seal(*m)
		if err != nil {
			return nil, err
		}
		ref, err := e.storeEnvelope(ctx, envelope)
		return &ref, err
	}
	known, err := signed()
	if err != nil {
		return nil, err
	}
	ref, ok := known[report.DigestOf(leaf)]
	if !ok {
		return nil, fmt.Errorf("signed manifest of %s: %w", m.ExportID, fs.ErrNotExist)
	}
	return &ref, nil
}

// envelopes finds all signed manifests among the blobs, by the digest of what
// they sign.
func (e *Exporter) envelopes(ctx context.Context) (map[report.Digest]report.Digest, error) {
	known := map[report.Digest]report.Digest{}
	err := e.blobs.Walk(ctx, func(blob blobstore.Ref, size int64) error {
		if size > evidence.MaxEnvelope {
			return nil
		}
		if envelope, err := e.envelope(ctx, report.Digest(blob)); err == nil { // the others are artifacts
			known[report.DigestOf(envelope.Manifest)] = report.Digest(blob)
		}
		return ctx.Err()
	})
	return known, err
}

// checksums reads an artifact to compute what bundles need.
func (e *Exporter) checksums(ctx context.Context, m *evidence.Manifest) (artifact, data uint32, err error) {
	blob, err := e.blobs.Open(ctx, blobstore.Ref(m.Artifact.Digest))
	if err != nil {
		return 0, 0, fmt.Errorf("artifact of %s: %w", m.ExportID, err)
	}
	defer blob.Close()
	return checksums(Export{Format: m.Format, Kind: m.Kind, Filters: m.Filters}, blob)
}

func checksums(x Export, blob *blobstore.Blob) (artifact, data uint32, err error) {
	sums := crc32.NewIEEE()
	if _, err := io.Copy(sums, whole(blob)); err != nil {
		return 0, 0, err
	}
	artifact = sums.Sum32()
	sums.Reset()
	err = writeData(sums, x, blob)
	return artifact, sums.Sum32(), err
}
