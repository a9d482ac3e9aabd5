package exporter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/blobstore"
	"licensekit/exporter/audit"
	"licensekit/exporter/report"
	"licensekit/exporter/sealed"
)

// CollectOptions say when blobs that nothing names are deleted.
type CollectOptions struct {
	// Grace is for how long a blob must be unneeded before it is taken away, and
	// again before it is deleted. It must be longer than any backup takes, and
	// than an export takes from its artifact to its entry in the database.
	Grace time.Duration
}

// The pace of collections: a first one soon after the start, then a few in each
// grace, or each day.
const (
	collectFirst = time.Minute
	collectEvery = 24 * time.Hour
	collectWait  = 30 * time.Second // for exports that are logged to be entered
)

// KeepCollected collects from time to time until ctx ends.
func (e *Exporter) KeepCollected(ctx context.Context, opts CollectOptions) {
	every := min(collectEvery, opts.Grace/4)
	for pause := min(collectFirst, every); ; pause = every {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		done, err := e.Collect(ctx, e.opts.Now(), opts.Grace)
		if err != nil && ctx.Err() == nil {
			e.opts.Log.Error("unneeded blobs are left where they are", "error", err)
		}
		if done != (blobstore.Collected{}) {
			e.opts.Log.Info("collected", "condemned", done.Condemned, "trashed", done.Trashed, "restored", done.Restored, "removed", done.Removed)
		}
		if done.Trashed+done.Restored+done.Removed > 0 {
			e.tell(ctx, audit.Event{Type: audit.BlobsCollected, ResourceType: "directory", ResourceID: e.instance, Metadata: audit.Metadata{
				"trashed": done.Trashed, "restored": done.Restored, "removed": done.Removed,
			}})
		}
	}
}

// Collect takes one step towards deleting the blobs that no export names, see
// [blobstore.Store.Collect]: what exports that failed or were cut short have
// left. It takes none while the log holds what the database does not know, or
// an entry of the database can't be read: what these need is not known either.
func (e *Exporter) Collect(ctx context.Context, now time.Time, grace time.Duration) (done blobstore.Collected, err error) {
	needed, err := e.needed(ctx)
	if err != nil {
		return done, fmt.Errorf("collect blobs: %w", err)
	}
	return e.blobs.Collect(ctx, func(ref blobstore.Ref) (bool, error) {
		_, found := slices.BinarySearchFunc(needed, ref, compareRefs)
		return found, nil
	}, now, grace)
}

var errUnsettled = errors.New("the log holds exports that the database does not know yet")

// needed lists the blobs that exports name and those that hold other leaves of
// the logs, sorted. One that comes to be named later was committed after this,
// or was named by nothing for as long as its maker took, which is less than a
// grace: a commit lifts what was held against it.
func (e *Exporter) needed(ctx context.Context) (refs []blobstore.Ref, err error) {
	for _, l := range e.logs {
		if err := e.settledUpTo(ctx, l, l.Size()); err != nil {
			return nil, err
		}
	}
	err = e.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(exportsBucket)).ForEach(func(id, value []byte) error {
			text, err := sealed.Open(value)
			var stored entry
			if err == nil {
				err = json.Unmarshal(text, &stored)
			}
			if err = errors.Join(err, ctx.Err()); err != nil {
				return fmt.Errorf("read export %s: %w", id, err)
			}
			if stored.Export.ArtifactDigest != nil {
				refs = append(refs, blobstore.Ref(*stored.Export.ArtifactDigest))
			}
			if stored.Manifest != nil {
				refs = append(refs, blobstore.Ref(*stored.Manifest))
			}
			return nil
		})
	})
	if err == nil {
		err = e.leavesKept(ctx, func(leaf []byte) { refs = append(refs, blobstore.Ref(report.DigestOf(leaf))) })
	}
	slices.SortFunc(refs, compareRefs)
	return refs, err
}

// settledUpTo waits until the database knows a log's entries up to a size: each is
// entered right after it was logged. Errors: errUnsettled.
func (e *Exporter) settledUpTo(ctx context.Context, l *Log, size int64) error {
	for deadline := time.Now().Add(collectWait); ; {
		known, err := e.firstGap(e.loggedIn(l.Origin()))
		if err != nil || known >= size {
			return err
		}
		if time.Now().After(deadline) {
			return errUnsettled
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func compareRefs(a, b blobstore.Ref) int { return slices.Compare(a[:], b[:]) }
