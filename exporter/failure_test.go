package exporter

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/blobstore"
	"licensekit/exporter/audit"
	"licensekit/exporter/report"
	"licensekit/exporter/sealed"
)

// blobsOf lists the files of the blob store, staged ones too.
func blobsOf(t *testing.T, h *house) (files []string) {
	t.Helper()
	for _, dir := range []string{blobsDir, tmpDir} {
		err := filepath.WalkDir(filepath.Join(h.path, dir), func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				files = append(files, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestOverflowFailsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 2})
	rows := make([]report.Activity, 1100)
	for i := range rows {
		rows[i] = activity(0)
		rows[i].Text[report.FieldID], rows[i].Amount = fmt.Sprint(i), report.MaxAmount
	}
	h.append(rows)
	for _, kind := range []report.Kind{report.UsageSummary, report.UsageLedger} {
		for _, format := range []string{"json", "csv"} {
			r := ask(t, kind, format)
			r.IdempotencyKey = string(kind) + format
			x := h.await(h.create(r).ID, Failed)
			if x.Error == nil || x.Error.Code != "TOTAL_OVERFLOW" || !strings.Contains(x.Error.Message, "narrow the filters") {
				t.Errorf("%s as %s: got failure %+v, want TOTAL_OVERFLOW and what to do", kind, format, x.Error)
			}
			if x.Digest != nil || x.ArtifactDigest != nil || x.FrozenAt != nil || x.Progress != nil {
				t.Errorf("%s as %s: got %+v, want no results", kind, format, x)
			}
			if _, _, err := h.Artifact(t.Context(), x.ID); !errors.Is(err, ErrNotReady) {
				t.Errorf("artifact of a failed export: got %v, want ErrNotReady", err)
			}
			if _, err := h.Bundle(t.Context(), x.ID, ShowFirst); !errors.Is(err, ErrNotReady) {
				t.Errorf("bundle of a failed export: got %v, want ErrNotReady", err)
			}
			if got := h.recorded(audit.ExportFailed)[0]; got.ResourceID != string(x.ID) || got.Metadata["code"] != x.Error.Code {
				t.Errorf("in the audit trail: got %+v, want that %s failed with %s", got, x.ID, x.Error.Code)
			}
			if again, made, err := h.Create(t.Context(), r); err != nil || made || again.ID != x.ID {
				t.Errorf("the same request again: got %s, made %v, %v; want %s", again.ID, made, err, x.ID)
			}
		}
	}
	if got := blobsOf(t, h); len(got) > 0 {
		t.Errorf("files of failed exports: got %v, want none", got)
	}
	h.reopen(1)
	if got := h.Unfinished(); got != 0 {
		t.Errorf("unfinished after a restart: got %d, want 0: what failed stays failed", got)
	}
	r := ask(t, report.UsageSummary, "json")
	r.Filters.CustomerID = "nobody"
	h.await(h.create(r).ID, Ready)
}

func TestFinalExportIsNotChanged(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	x := h.freeze(report.UsageSummary, "json")
	err := h.change(x.ID, func(e *entry) { e.Export.Status = Failed })
	if err == nil || !strings.Contains(err.Error(), "it is ready") {
		t.Errorf("change a ready export: got %v, want a refusal", err)
	}
	h.await(x.ID, Ready)
	if err := h.change(newID(), func(*entry) {}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("change an unknown export: got %v, want fs.ErrNotExist", err)
	}
}

func (h *house) blobPath(digest report.Digest) string {
	return filepath.Join(h.path, blobsDir, "sha256", digest.Hex()[:2], digest.Hex())
}

// flipByte damages a file on the disk.
func flipByte(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, flipped(content, len(content)/2), 0o600); err != nil {
		t.Fatal(err)
	}
}

// holdLog keeps all others from the log until it is released.
func (h *house) holdLog() (release func()) {
	held, released := make(chan struct{}), make(chan struct{})
	var holder sync.WaitGroup
	holder.Go(func() {
		_, _ = h.log.Append(context.Background(), func(int64) ([]byte, error) {
			close(held)
			<-released
			return nil, errors.New("there is nothing to append")
		})
	})
	<-held
	return sync.OnceFunc(func() { close(released); holder.Wait() })
}

// appending counts the goroutines that append to a log.
func appending() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return bytes.Count(stacks, []byte("tilelog.(*Log).Append("))
}

// An artifact that can't be stored is no concern of the exports that are
// published with it. It must not run beside other tests that export.
func TestArtifactThatCanNotBeStored(t *testing.T) {
	h := newHouse(t, Options{Workers: 2})
	h.fill(10)
	bad := ask(t, report.UsageLedger, "json")
	inTheWay := h.blobPath(report.DigestOf(h.canonical(bad)))
	if err := os.Mkdir(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	release := h.holdLog()
	defer release()
	waiting := 1
	create := func(r Request) ID {
		id := h.create(r).ID
		waiting++
		eventually(t, "the export at the log", func() bool { return appending() == waiting })
		return id
	}
	good := []ID{create(ask(t, report.UsageSummary, "json"))}
	failed := create(bad)
	good = append(good, create(ask(t, report.UsageLedger, "csv")), create(ask(t, report.UsageSummary, "csv")))
	release()
	for index, id := range good {
		x := h.await(id, Ready)
		if *x.LogIndex != int64(index) {
			t.Errorf("%s: got entry %d, want %d", id, *x.LogIndex, index)
		}
		stored, err := h.entry(id)
		if err != nil || stored.Checkpoint != string(h.log.Head().Signed) {
			t.Errorf("%s: got checkpoint %q, %v; want %s", id, stored.Checkpoint, err, h.log.Head().Signed)
		}
		if got := report.DigestOf(h.artifact(id)); got != *x.ArtifactDigest {
			t.Errorf("%s: got an artifact of %v, want %v", id, got, *x.ArtifactDigest)
		}
	}
	if x := h.await(failed, Failed); x.Error == nil || x.Error.Code != "INTERNAL" {
		t.Errorf("the one that can't be stored: got %+v, want INTERNAL", x.Error)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	if x := h.await(h.create(bad).ID, Ready); *x.LogIndex != int64(len(good)) {
		t.Errorf("once it can: got entry %d, want %d", *x.LogIndex, len(good))
	}
	h.reopen(1)
	for _, id := range good {
		h.await(id, Ready)
	}
	h.await(failed, Failed)
	if r, err := h.Check(t.Context()); err != nil || !r.OK {
		t.Errorf("check: got %+v, %v; want nothing", r, err)
	}
}

func TestDamagedBlobsAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(100)
	artifact, manifest := h.freeze(report.UsageLedger, "csv"), h.freeze(report.UsageSummary, "csv")
	flipByte(t, h.blobPath(*artifact.ArtifactDigest))
	if _, _, err := h.Artifact(t.Context(), artifact.ID); !isCorrupt(err) || !strings.Contains(err.Error(), string(artifact.ID)) {
		t.Errorf("artifact: got %v, want a *blobstore.CorruptError of %s", err, artifact.ID)
	}
	if _, err := h.Bundle(t.Context(), artifact.ID, ShowFirst); !isCorrupt(err) {
		t.Errorf("bundle of a damaged artifact: got %v, want a *blobstore.CorruptError", err)
	}
	stored, err := h.entry(manifest.ID)
	if err != nil {
		t.Fatal(err)
	}
	flipByte(t, h.blobPath(*stored.Manifest))
	if _, err := h.Bundle(t.Context(), manifest.ID, ShowFirst); !isCorrupt(err) || !strings.Contains(err.Error(), "manifest") {
		t.Errorf("bundle of a damaged manifest: got %v, want a *blobstore.CorruptError that names it", err)
	}
	h.artifact(manifest.ID)
	again := h.freeze(report.UsageLedger, "csv") // of the same data: the good bytes take the bad ones' place
	if *again.ArtifactDigest != *artifact.ArtifactDigest {
		t.Fatalf("the same export again: got %v, want %v", *again.ArtifactDigest, *artifact.ArtifactDigest)
	}
	if got := report.DigestOf(h.artifact(artifact.ID)); got != *artifact.ArtifactDigest {
		t.Errorf("the healed artifact: got %v, want %v", got, *artifact.ArtifactDigest)
	}
}

func isCorrupt(err error) bool {
	_, ok := errors.AsType[*blobstore.CorruptError](err)
	return ok
}

// rewrite replaces the stored entry of an export.
func (h *house) rewrite(id ID, change func([]byte) []byte) {
	h.t.Helper()
	err := h.dir.DB.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(exportsBucket))
		return b.Put([]byte(id), change(append([]byte(nil), b.Get([]byte(id))...)))
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestDamagedEntryIsReported(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	bad, good := h.freeze(report.UsageSummary, "json"), h.freeze(report.UsageSummary, "csv")
	wantDamaged := func(how string) {
		t.Helper()
		_, get := h.Get(t.Context(), bad.ID)
		_, _, list := h.List(t.Context(), Query{Limit: 10})
		_, _, artifact := h.Artifact(t.Context(), bad.ID)
		for call, err := range map[string]error{"get": get, "list": list, "artifact": artifact} {
			if !errors.Is(err, sealed.ErrDamaged) || !strings.Contains(err.Error(), string(bad.ID)) {
				t.Errorf("%s, %s: got %v, want ErrDamaged that names %s", how, call, err, bad.ID)
			}
		}
	}
	h.rewrite(bad.ID, func(data []byte) []byte { return flipped(data, len(data)/2) })
	wantDamaged("a bit flipped")
	var other []byte
	h.rewrite(good.ID, func(data []byte) []byte { other = data; return data })
	h.rewrite(bad.ID, func([]byte) []byte { return other })
	wantDamaged("the entry of another export")
	h.await(good.ID, Ready)
}

// An unfinished export whose entry is damaged holds up nobody.
func TestDamagedUnfinishedEntry(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{})
	bad, good := h.create(ask(t, report.UsageSummary, "json")), h.create(ask(t, report.UsageSummary, "json"))
	h.rewrite(bad.ID, func(data []byte) []byte { return flipped(data, len(data)/2) })
	h.reopen(1)
	h.await(good.ID, Ready)
	if _, err := h.Wait(t.Context(), bad.ID); !errors.Is(err, sealed.ErrDamaged) {
		t.Errorf("wait for the damaged one: got %v, want ErrDamaged", err)
	}
	if got := h.Unfinished(); got != 0 {
		t.Errorf("unfinished: got %d, want 0", got)
	}
}

// failingDatabase makes the exporter's commits fail while it is on, and counts
// how often they did.
type failingDatabase struct {
	sealed.Database
	on    atomic.Bool
	count atomic.Int32
}

func (f *failingDatabase) install(h *house) { f.Database, h.db = h.db, f }

// Update fails while it is on.
func (f *failingDatabase) Update(fn func(*bbolt.Tx) error) error {
	if f.on.Load() {
		f.count.Add(1)
		return fmt.Errorf("write: %w", syscall.ENOSPC)
	}
	return f.Database.Update(fn)
}

// Where neither the result nor the failure can be recorded, the export is
// tried again until it can.
func TestEndThatCanNotBeRecorded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(10)
	disk := &failingDatabase{}
	disk.install(h)
	h.rendering <- struct{}{}
	x := h.create(ask(t, report.UsageLedger, "json"))
	disk.on.Store(true)
	if _, _, err := h.Create(t.Context(), ask(t, report.UsageLedger, "json")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("create: got %v, want ENOSPC", err)
	}
	before := disk.count.Load()
	<-h.rendering
	eventually(t, "result and failure that can't be recorded", func() bool { return disk.count.Load() >= before+2 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if got, err := h.Wait(ctx, x.ID); err != nil || got.Status.Final() {
		t.Errorf("meanwhile: got %s, %v; want it unfinished", got.Status, err)
	}
	disk.on.Store(false)
	if got := h.await(x.ID, Ready); *got.RowCount == 0 {
		t.Errorf("in the end: got %+v, want its rows", got)
	}
	eventually(t, "an empty queue", func() bool { return h.Unfinished() == 0 })
	if got := h.log.Size(); got != 1 {
		t.Errorf("entries of the log: got %d, want the export once", got)
	}
	h.reopen(1)
	h.await(x.ID, Ready)
}

func TestCloseWhileTheEndCanNotBeRecorded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	disk := &failingDatabase{}
	disk.install(h)
	h.rendering <- struct{}{}
	x := h.create(ask(t, report.UsageLedger, "json"))
	disk.on.Store(true)
	<-h.rendering
	eventually(t, "result and failure that can't be recorded", func() bool { return disk.count.Load() >= 2 })
	h.reopen(1)
	h.await(x.ID, Ready)
}

// Sequence keys sort as their numbers do.
func TestSequenceKey(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{1, 255, 256, 1 << 40} {
		if got := int64(binary.BigEndian.Uint64([]byte(sequenceKey(n)))); got != n || sequenceKey(n) <= sequenceKey(n-1) {
			t.Errorf("key of %d: got %d", n, got)
		}
	}
}
