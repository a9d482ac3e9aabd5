package exporter

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
	"licensekit/exporter/sealed"
)

// The buckets of exports in meta.db.
const (
	exportsBucket     = "exports"             // id -> entry
	orderBucket       = "exports.order"       // sequence, big-endian -> id
	unfinishedBucket  = "exports.unfinished"  // sequence, big-endian -> id, until it is ready or failed
	idempotencyBucket = "exports.idempotency" // key id, NUL, idempotency key -> idempotency
	tallyBucket       = "exports.tally"       // kind, NUL, format, NUL, stored status -> how many
	loggedBucket      = "exports.logged"      // index in the first log, big-endian -> id, or the leaf itself if it is no export; "" for such a one of an older program
)

// loggedIn is the bucket of what stands in a log: [loggedBucket] for the first
// one, and for each later one a bucket that has the log's name too.
func (e *Exporter) loggedIn(origin string) []byte { return loggedIn(e.instance, origin) }

func loggedIn(instance, origin string) []byte {
	if origin == firstOrigin(instance) {
		return []byte(loggedBucket)
	}
	return []byte(loggedBucket + " " + origin)
}

// exportLogged is the export that a value of such a bucket names, "" if it
// stands for another leaf.
func exportLogged(value []byte) ID {
	if !bytes.HasPrefix(value, []byte(idPrefix)) {
		return ""
	}
	return ID(value)
}

// entry is an export as it is stored: its metadata and what only we need.
type entry struct {
	Export      Export
	Sequence    int64
	Manifest    *report.Digest `json:",omitempty"` // names the signed envelope's blob, once the export is ready
	DataCRC     uint32         `json:",omitempty"` // CRC-32 (IEEE) of the canonical form, for bundles
	ArtifactCRC uint32         `json:",omitempty"`
	Checkpoint  string         `json:",omitempty"` // the log's, signed, to which bundles lead, so that they never change
}

// idempotency remembers what a key was used for.
type idempotency struct {
	Request report.Digest
	Export  ID
}

// prepare makes the buckets.
func (e *Exporter) prepare() error {
	buckets := []string{exportsBucket, orderBucket, unfinishedBucket, idempotencyBucket, scrubBucket}
	for _, l := range e.logs {
		buckets = append(buckets, string(e.loggedIn(l.Origin())))
	}
	if err := sealed.MakeBuckets(e.db, buckets...); err != nil {
		return err
	}
	err := e.db.View(func(tx *bbolt.Tx) error { _, err := tallied(tx); return err })
	if err == nil {
		return nil
	}
	if errors.Is(err, sealed.ErrDamaged) {
		e.retold = fmt.Errorf("it was damaged when it was opened, and exports were counted anew: %w", err)
	}
	return e.db.Update(tallyAll)
}

// unfinished lists what is neither ready nor failed, oldest first.
func (e *Exporter) unfinished() (all []*running, err error) {
	err = e.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(unfinishedBucket)).ForEach(func(_, id []byte) error {
			run := newRunning(ID(id), e.opts.Now())
			run.settle(true)
			if found, err := loadEntry(tx, run.id); err == nil { // who makes it is told of damage
				run.since = time.UnixMilli(int64(found.Export.CreatedAt))
			}
			all = append(all, run)
			return nil
		})
	})
	return all, err
}

func sequenceKey(sequence int64) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(sequence)))
}

// indexOf is what a [sequenceKey] was made of.
func indexOf(key []byte) int64 { return int64(binary.BigEndian.Uint64(key)) }

// recall gives the export that the request's idempotency key stands for.
// Errors: fs.ErrNotExist, [ErrIdempotency].
func (e *Exporter) recall(r Request) (known Export, err error) {
	if r.IdempotencyKey == "" {
		return Export{}, fs.ErrNotExist
	}
	fingerprint, err := r.fingerprint()
	if err != nil {
		return Export{}, err
	}
	err = e.db.View(func(tx *bbolt.Tx) error {
		known, err = recall(tx, r, fingerprint)
		return err
	})
	return known, err
}

// insert stores a fresh export, unless its idempotency key came to stand for
// another one meanwhile.
func (e *Exporter) insert(ctx context.Context, r Request, fresh Export) (export Export, made bool, err error) {
	fingerprint, err := r.fingerprint()
	if err != nil {
		return Export{}, false, err
	}
	err = e.db.Update(func(tx *bbolt.Tx) error {
		if r.IdempotencyKey != "" {
			known, err := recall(tx, r, fingerprint)
			if !errors.Is(err, fs.ErrNotExist) {
				export, made = known, false
				return err
			}
		}
		export, made = fresh, true
		return errors.Join(store(tx, r, fingerprint, &export), e.recordCreated(ctx, tx, export))
	})
	return export, made && err == nil, err
}

// fingerprint tells requests apart that share an idempotency key.
func (r Request) fingerprint() (report.Digest, error) {
	text, err := report.CanonicalJSON(map[string]any{"report_kind": r.Kind, "format": r.Format.Name, "filters": r.Filters})
	return report.DigestOf(text), err
}

func (r Request) idempotencyID() string { return r.CreatedBy + "\x00" + r.IdempotencyKey }

// recall finds the export of an earlier request with the same key.
func recall(tx *bbolt.Tx, r Request, fingerprint report.Digest) (Export, error) {
	known, err := sealed.Get[idempotency](tx, idempotencyBucket, r.idempotencyID())
	if err != nil {
		return Export{}, err
	}
	if known.Request != fingerprint {
		return Export{}, fmt.Errorf("%w: %s", ErrIdempotency, known.Export)
	}
	found, err := loadEntry(tx, known.Export)
	if errors.Is(err, fs.ErrNotExist) {
		return Export{}, fmt.Errorf("idempotency key of %s, which is gone", known.Export)
	}
	return found.Export, err
}

func store(tx *bbolt.Tx, r Request, fingerprint report.Digest, export *Export) error {
	order := tx.Bucket([]byte(orderBucket))
	sequence, err := order.NextSequence()
	if err != nil {
		return err
	}
	export.Sequence = int64(sequence)
	key := []byte(sequenceKey(export.Sequence))
	err = errors.Join(
		tally(tx, *export, 1),
		order.Put(key, []byte(export.ID)),
		tx.Bucket([]byte(unfinishedBucket)).Put(key, []byte(export.ID)),
		sealed.Put(tx, exportsBucket, string(export.ID), entry{Export: *export, Sequence: export.Sequence}))
	if err == nil && r.IdempotencyKey != "" {
		err = sealed.Put(tx, idempotencyBucket, r.idempotencyID(), idempotency{fingerprint, export.ID})
	}
	return err
}

func loadEntry(tx *bbolt.Tx, id ID) (entry, error) {
	found, err := sealed.Get[entry](tx, exportsBucket, string(id))
	if err == nil && found.Export.ID != id {
		err = fmt.Errorf("read export %s: %w: it is that of %s", id, sealed.ErrDamaged, found.Export.ID)
	}
	found.Export.Sequence = found.Sequence
	return found, err
}

// entry reads one export as it is stored.
func (e *Exporter) entry(id ID) (found entry, err error) {
	err = e.db.View(func(tx *bbolt.Tx) error {
		found, err = loadEntry(tx, id)
		return err
	})
	return found, err
}

// change rewrites an export that is not final. One that is gone or final is
// left alone, and an error.
func (e *Exporter) change(id ID, edit func(*entry)) error {
	return e.db.Update(func(tx *bbolt.Tx) error {
		found, err := loadEntry(tx, id)
		if err != nil {
			return err
		}
		if found.Export.Status.Final() {
			return fmt.Errorf("change export %s: it is %s", id, found.Export.Status)
		}
		before := found.Export
		edit(&found)
		if err := retally(tx, before, found.Export); err != nil {
			return err
		}
		found.Export.UpdatedAt = timestamp(e.opts.Now())
		if found.Export.Status.Final() {
			if err := tx.Bucket([]byte(unfinishedBucket)).Delete([]byte(sequenceKey(found.Sequence))); err != nil {
				return err
			}
			if err := e.recordEnd(tx, found.Export, false); err != nil {
				return err
			}
		}
		return sealed.Put(tx, exportsBucket, string(id), found)
	})
}
