package exporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/blobstore"
	"licensekit/exporter/report"
)

// put stores a blob that nothing names.
func (h *house) put(content []byte) blobstore.Ref {
	h.t.Helper()
	blob, err := h.blobs.Create(h.t.Context(), math.MaxInt64)
	if err != nil {
		h.t.Fatal(err)
	}
	defer blob.Abort()
	_, err = blob.Write(content)
	ref, _, commit := blob.Commit()
	if err := errors.Join(err, commit); err != nil {
		h.t.Fatal(err)
	}
	return ref
}

func (h *house) collect(now time.Time, grace time.Duration) blobstore.Collected {
	h.t.Helper()
	done, err := h.Collect(h.t.Context(), now, grace)
	if err != nil {
		h.t.Errorf("collect: got %v", err)
	}
	return done
}

// aboutCustomer is a request for an export that no other is like.
func aboutCustomer(t *testing.T, n int) Request {
	t.Helper()
	r := ask(t, report.UsageLedger, "json")
	filters, err := report.ParseFilters(report.UsageLedger, map[string]string{"customer_id": fmt.Sprint("cust_", n)})
	if err != nil {
		t.Fatal(err)
	}
	r.Filters = filters
	return r
}

// Exports come to need the very blobs that are being collected, which others
// read. Nothing that is needed goes, and nothing else stays.
func TestCollectionAgainstWritersAndReaders(t *testing.T) {
	t.Parallel()
	const customers, grace = 12, time.Hour
	twin := newHouse(t, Options{Workers: 2})
	twin.fill(300)
	h := newHouse(t, Options{Workers: 2})
	h.fill(300)
	for n := range customers {
		h.put(twin.artifact(twin.await(twin.create(aboutCustomer(t, n)).ID, Ready).ID))
	}
	rubbish := h.put([]byte("nobody wants this"))
	var mu sync.Mutex
	var ready []Export // guarded by mu
	now := time.Now()
	for round := range 6 {
		ctx, cancel := context.WithCancel(t.Context())
		var beside sync.WaitGroup
		beside.Go(func() {
			for ctx.Err() == nil {
				if _, err := h.Collect(ctx, now, grace); err != nil && ctx.Err() == nil {
					if errors.Is(err, errUnsettled) {
						continue // an export is between its two ends
					}
					t.Errorf("round %d: collect: got %v", round, err)
				}
			}
		})
		beside.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				known := append([]Export{}, ready...)
				mu.Unlock()
				for _, x := range known {
					if got := report.DigestOf(h.artifact(x.ID)); got != *x.ArtifactDigest {
						t.Errorf("artifact of %s: got %s, want %s", x.ID, got, *x.ArtifactDigest)
					}
				}
			}
		})
		for n := 2 * round; n < 2*round+2; n++ {
			x := h.await(h.create(aboutCustomer(t, n)).ID, Ready)
			mu.Lock()
			ready = append(ready, x)
			mu.Unlock()
		}
		h.collectSettled(now, grace)
		cancel()
		beside.Wait()
		now = now.Add(grace)
	}
	for range 3 {
		h.collectSettled(now, grace)
		now = now.Add(grace)
	}
	for _, x := range ready {
		if got := report.DigestOf(h.artifact(x.ID)); got != *x.ArtifactDigest {
			t.Errorf("in the end, artifact of %s: got %s, want %s", x.ID, got, *x.ArtifactDigest)
		}
	}
	if _, err := h.blobs.Open(t.Context(), rubbish); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what nobody wants: got %v, want fs.ErrNotExist", err)
	}
	u, err := h.blobs.Usage(t.Context())
	if want := int64(2 * len(ready)); err != nil || u.Blobs.Files != want || u.Trashed.Files != 0 {
		t.Errorf("blobs: got %+v, %v; want %d, and no trash", u, err, want)
	}
	if result, err := h.Check(t.Context()); err != nil || !result.OK {
		t.Errorf("check: got %+v, %v", result, err)
	}
}

// collectSettled collects once no export is between its two ends.
func (h *house) collectSettled(now time.Time, grace time.Duration) {
	h.t.Helper()
	h.eventually("a collection", func() bool {
		_, err := h.Collect(h.t.Context(), now, grace)
		if err != nil && !errors.Is(err, errUnsettled) {
			h.t.Errorf("collect: got %v", err)
		}
		return err == nil
	})
}

// The leaves of rotations are no exports', and stay.
func TestCollectionKeepsLeaves(t *testing.T) {
	t.Parallel()
	const grace = time.Hour
	h := newHouse(t, Options{Workers: 1})
	if _, err := h.RotateKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	needless := h.put([]byte("nothing names this"))
	var done blobstore.Collected
	for n := range 3 {
		step := h.collect(time.Now().Add(time.Duration(n+1)*2*grace), grace)
		done.Trashed, done.Removed = done.Trashed+step.Trashed, done.Removed+step.Removed
	}
	if there, err := h.blobs.Has(needless); there || err != nil || done.Trashed != 1 {
		t.Errorf("got %+v, and what nothing names there: %t, %v; want it gone, alone", done, there, err)
	}
	kept := 0
	if err := h.leavesKept(t.Context(), func(leaf []byte) {
		kept++
		if err := h.blobs.Verify(t.Context(), blobstore.Ref(report.DigestOf(leaf))); err != nil {
			t.Errorf("the leaf %.80s: got %v, want a blob", leaf, err)
		}
	}); err != nil || kept != 1 {
		t.Errorf("got %d leaves, %v; want that of the rotation", kept, err)
	}
}

// What can't be told to be unneeded is left alone.
func TestCollectionRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(10)
	x := h.freeze(report.UsageLedger, "json")
	if done := h.collect(time.Now(), 0); done != (blobstore.Collected{}) {
		t.Errorf("collect with nothing to take away: got %+v", done)
	}
	h.put([]byte("rubbish"))
	err := h.dir.DB.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(exportsBucket))
		value := bytes.Clone(b.Get([]byte(x.ID)))
		value[len(value)/2] ^= 1
		return b.Put([]byte(x.ID), value)
	})
	if err != nil {
		t.Fatal(err)
	}
	if done, err := h.Collect(t.Context(), time.Now(), 0); err == nil || done != (blobstore.Collected{}) {
		t.Errorf("collect beside a damaged entry: got %+v, %v; want a refusal", done, err)
	}
}

// A server that runs collects by itself, and says so.
func TestCollectionsGoOn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(10)
	x := h.freeze(report.UsageLedger, "json")
	rubbish := h.put([]byte("rubbish"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); h.KeepCollected(ctx, CollectOptions{Grace: 40 * time.Millisecond}) }()
	h.eventually("the rubbish is deleted", func() bool {
		u, err := h.blobs.Usage(t.Context())
		_, gone := os.Stat(filepath.Join(h.path, blobsDir, "trash", rubbish.String()))
		return err == nil && u.Blobs.Files == 2 && u.Trashed.Files == 0 && gone != nil
	})
	h.eventually("an event of it", func() bool {
		events, err := h.opts.Trail.Summaries()
		return err == nil && events["blobs.collected"].Newest.Metadata["removed"] == 1.0
	})
	cancel()
	<-ended
	if got := h.artifact(x.ID); int64(len(got)) != *x.SizeBytes {
		t.Errorf("artifact: got %d bytes, want %d", len(got), *x.SizeBytes)
	}
}
