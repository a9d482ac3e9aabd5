package exporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"licensekit/exporter/evidence"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// everyForm calls f for each kind in each format, whichever this build has.
func everyForm(t *testing.T, f func(t *testing.T, kind report.Kind, format string)) {
	for _, kind := range report.KindNames() {
		for _, format := range render.Names() {
			t.Run(kind+" "+format, func(t *testing.T) { f(t, report.Kind(kind), format) })
		}
	}
}

func TestSmallExportIsReadyAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 2})
	h.fill(50)
	everyForm(t, func(t *testing.T, kind report.Kind, format string) {
		r := ask(t, kind, format)
		created := h.create(r)
		if created.Status != Pending || created.Digest != nil || created.AsOf != nil {
			t.Errorf("just created: got %+v, want it pending and without results", created)
		}
		x := h.await(created.ID, Ready)
		if x.Digest == nil || x.ArtifactDigest == nil || x.AsOf == nil || x.FrozenAt == nil || x.RowCount == nil || x.SizeBytes == nil {
			t.Fatalf("ready: got %+v, want all results", x)
		}
		artifact := h.artifact(x.ID)
		if got := report.DigestOf(artifact); got != *x.ArtifactDigest || int64(len(artifact)) != *x.SizeBytes {
			t.Errorf("artifact: got %v of %d bytes, want %v of %d", got, len(artifact), *x.ArtifactDigest, *x.SizeBytes)
		}
		if want := report.DigestOf(h.canonical(r)); *x.Digest != want {
			t.Errorf("digest: got %v, want that of the canonical form, %v", *x.Digest, want)
		}
		if *x.AsOf != 50 || x.Kind != kind || x.Format != format || x.ContentType != r.Format.ContentType ||
			x.CreatedBy != "key_test" || x.KeyID != h.key.Public.ID() || x.Progress != nil || x.Error != nil {
			t.Errorf("metadata: got %+v, want it to say what was asked, of sequence 50", x)
		}
		if x.CreatedAt > *x.FrozenAt || *x.FrozenAt > x.UpdatedAt {
			t.Errorf("times: created %v, frozen %v, updated %v; want this order", x.CreatedAt, *x.FrozenAt, x.UpdatedAt)
		}
		if again, err := h.Get(t.Context(), x.ID); err != nil || fmt.Sprint(again.Digest, again.UpdatedAt) != fmt.Sprint(x.Digest, x.UpdatedAt) {
			t.Errorf("got again: %+v, %v; want %+v", again, err, x)
		}
	})
	if got := h.Unfinished(); got != 0 {
		t.Errorf("unfinished: got %d, want 0", got)
	}
}

func TestCanonicalArtifactIsTheCanonicalForm(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(500)
	for _, kind := range report.KindNames() {
		r := ask(t, report.Kind(kind), "json")
		x := h.await(h.create(r).ID, Ready)
		if got, want := h.artifact(x.ID), h.canonical(r); !bytes.Equal(got, want) {
			t.Errorf("%s: got %.200s, want %.200s", kind, got, want)
		}
		if *x.Digest != *x.ArtifactDigest {
			t.Errorf("%s: digests %v and %v, want them equal", kind, *x.Digest, *x.ArtifactDigest)
		}
	}
}

// The same facts give the same digest, in any format, in any installation,
// however they came in, and whenever they are frozen.
func TestEqualDataGivesAnEqualDigest(t *testing.T) {
	t.Parallel()
	one, other := newHouse(t, Options{Workers: 1}), newHouse(t, Options{Workers: 2})
	one.fill(700)
	for range 7 {
		other.fill(100)
	}
	for _, kind := range report.KindNames() {
		want := one.freeze(report.Kind(kind), "json").Digest
		for _, format := range render.Names() {
			for name, h := range map[string]*house{"here": one, "elsewhere": other} {
				x := h.freeze(report.Kind(kind), format)
				if *x.Digest != *want {
					t.Errorf("%s as %s %s: got digest %v, want %v", kind, format, name, *x.Digest, *want)
				}
			}
		}
	}
	before := one.freeze(report.UsageLedger, "json")
	one.fill(1)
	if after := one.freeze(report.UsageLedger, "json"); *after.Digest == *before.Digest {
		t.Errorf("digest with an activity more: got the same, %v", *after.Digest)
	}
}

// bundle writes an export's bundle.
func (h *house) bundle(id ID) []byte {
	h.t.Helper()
	b, err := h.Bundle(h.t.Context(), id, ShowFirst)
	if err != nil {
		h.t.Fatal(err)
	}
	defer b.Close()
	var first, second bytes.Buffer
	for _, w := range []*bytes.Buffer{&first, &second} {
		if err := b.WriteTo(h.t.Context(), w); err != nil {
			h.t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) || int64(first.Len()) != b.Size || b.FileName != string(id)+".lkbundle.zip" {
		h.t.Errorf("bundle %s: got %d and %d bytes, want twice the same %d", b.FileName, first.Len(), second.Len(), b.Size)
	}
	return first.Bytes()
}

func TestEveryFormDecodesAndVerifies(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 2})
	h.fill(6_000)
	trust := evidence.Trust{Keys: []evidence.PublicKey{h.key.Public}}
	everyForm(t, func(t *testing.T, kind report.Kind, format string) {
		x := h.freeze(kind, format)
		artifact := h.artifact(x.ID)
		document, err := ask(t, kind, format).Format.Decode(bytes.NewReader(artifact), int64(len(artifact)), kind, x.Filters)
		if err != nil {
			t.Fatal(err)
		}
		decoded := evidence.NewTally()
		totals, err := report.WriteCanonical(decoded, document)
		if err != nil || decoded.File().Digest != *x.Digest || totals.Rows() != *x.RowCount {
			t.Errorf("decoded: got %v of %d rows, %v; want %v of %d", decoded.File().Digest, totals.Rows(), err, *x.Digest, *x.RowCount)
		}
		bundle := h.bundle(x.ID)
		input := evidence.Input{Bundle: io.NewSectionReader(bytes.NewReader(bundle), 0, int64(len(bundle)))}
		result, err := evidence.Verify(t.Context(), input, trust)
		if err != nil || result.Verdict != evidence.Verified {
			t.Fatalf("verify: got %+v, %v; want %s", result, err, evidence.Verified)
		}
		m := result.Manifest
		if m.ExportID != string(x.ID) || m.Instance != h.dir.Instance || m.AsOf != *x.AsOf || m.FrozenAt != *x.FrozenAt ||
			m.Data.Digest != *x.Digest || m.Artifact.Digest != *x.ArtifactDigest || m.Artifact.Size != *x.SizeBytes {
			t.Errorf("manifest: got %+v, want what the metadata says: %+v", m, x)
		}
		input.Bundle = io.NewSectionReader(bytes.NewReader(flipped(bundle, len(bundle)/2)), 0, int64(len(bundle)))
		if result, err := evidence.Verify(t.Context(), input, trust); err != nil || result.Verdict != evidence.Invalid {
			t.Errorf("verify with a bit flipped: got %+v, %v; want %s", result, err, evidence.Invalid)
		}
	})
}

func flipped(data []byte, at int) []byte {
	bad := bytes.Clone(data)
	bad[at] ^= 1
	return bad
}

// An export shows the state of its snapshot, whatever comes before it is done.
func TestSnapshotIsIsolated(t *testing.T) {
	t.Parallel()
	clock := newGate()
	h := newHouse(t, Options{Workers: 1, Now: clock.now})
	h.fill(300)
	for _, format := range render.Names() {
		r := ask(t, report.UsageLedger, format)
		want := report.DigestOf(h.canonical(r))
		x := h.createHeld(clock, r)
		h.fill(300)
		clock.open()
		if x = h.await(x.ID, Ready); *x.Digest != want {
			t.Errorf("%s frozen while the ledger grew: got %v, want %v of before", format, *x.Digest, want)
		}
	}
}

func TestSnapshotIsIsolatedFromAWriter(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(30_000)
	r := ask(t, report.UsageLedger, "csv")
	want := report.DigestOf(h.canonical(r))
	h.rendering <- struct{}{}
	x := h.create(r)
	<-h.rendering
	eventually(t, "rows that are rendered", func() bool {
		got, err := h.Get(t.Context(), x.ID)
		return err == nil && (got.Status.Final() || got.Progress != nil && got.Progress.Rows > 0)
	})
	for i := 0; h.Unfinished() > 0; i++ {
		h.fill(10)
	}
	if x = h.await(x.ID, Ready); *x.AsOf != 30_000 || *x.Digest != want {
		t.Errorf("frozen beside a writer: got %v as of %d, want %v as of 30000", *x.Digest, *x.AsOf, want)
	}
}

// Clients, a writer and readers at the same time.
func TestConcurrentExports(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 2})
	h.fill(100)
	ctx := t.Context()
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			format := render.Names()[i%len(render.Names())]
			for range 5 {
				x := h.freeze(report.UsageSummary, format)
				if got := report.DigestOf(h.artifact(x.ID)); got != *x.ArtifactDigest {
					t.Errorf("artifact: got %v, want %v", got, *x.ArtifactDigest)
				}
			}
		})
	}
	clients.Go(func() {
		for n := range int64(50) {
			h.append([]report.Activity{activity(1_000_000 + n)})
			if _, _, err := h.List(ctx, Query{Limit: 10}); err != nil {
				t.Error(err)
			}
		}
	})
	clients.Wait()
	if page, _, err := h.List(ctx, Query{Status: Ready, Limit: 100}); err != nil || len(page) != 40 {
		t.Errorf("ready exports: got %d, %v; want 40", len(page), err)
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(10)
	r := ask(t, report.UsageSummary, "json")
	r.IdempotencyKey = "monday"
	first := h.create(r)
	h.await(first.ID, Ready)
	same := func(when string) {
		t.Helper()
		got, made, err := h.Create(t.Context(), r)
		if err != nil || made || got.ID != first.ID || got.Status != Ready {
			t.Errorf("the same key and request %s: got %s, %s, made %v, %v; want %s, ready", when, got.ID, got.Status, made, err, first.ID)
		}
	}
	same("again")
	for name, change := range map[string]func(*Request){
		"kind":    func(r *Request) { r.Kind = report.UsageLedger },
		"format":  func(r *Request) { r.Format = ask(t, r.Kind, "csv").Format },
		"filters": func(r *Request) { r.Filters.CustomerID = "cust_1" },
	} {
		other := r
		change(&other)
		if got, made, err := h.Create(t.Context(), other); !errors.Is(err, ErrIdempotency) || made || !strings.Contains(err.Error(), string(first.ID)) {
			t.Errorf("the same key, another %s: got %s, made %v, %v; want ErrIdempotency that names %s", name, got.ID, made, err, first.ID)
		}
	}
	for name, change := range map[string]func(*Request){
		"caller": func(r *Request) { r.CreatedBy = "key_other" },
		"key":    func(r *Request) { r.IdempotencyKey = "tuesday" },
		"no key": func(r *Request) { r.IdempotencyKey = "" },
	} {
		other := r
		change(&other)
		if got := h.create(other); got.ID == first.ID {
			t.Errorf("another %s: got the same export, want a new one", name)
		}
	}
	h.reopen(1)
	same("after a restart")
}

func TestIdempotencyOfManyAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	r := ask(t, report.UsageSummary, "json")
	r.IdempotencyKey = "once"
	var (
		mu      sync.Mutex
		made    int
		ids     = map[ID]bool{}
		clients sync.WaitGroup
	)
	for range 16 {
		clients.Go(func() {
			x, fresh, err := h.Create(t.Context(), r)
			if err == nil {
				x, err = h.Wait(t.Context(), x.ID)
			}
			if err != nil || x.Status != Ready {
				t.Errorf("got %s, %v; want a ready export", x.Status, err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[x.ID] = true
			if fresh {
				made++
			}
		})
	}
	clients.Wait()
	if made != 1 || len(ids) != 1 {
		t.Errorf("got %d exports, %d of them made; want 1", len(ids), made)
	}
	if page, _, err := h.List(t.Context(), Query{Limit: 10}); err != nil || len(page) != 1 {
		t.Errorf("list: got %d exports, %v; want 1", len(page), err)
	}
}

func TestUnknownExport(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	id := newID()
	if _, err := h.Get(t.Context(), id); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("get: got %v, want fs.ErrNotExist", err)
	}
	if _, err := h.Wait(t.Context(), id); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("wait: got %v, want fs.ErrNotExist", err)
	}
	if _, _, err := h.Artifact(t.Context(), id); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("artifact: got %v, want fs.ErrNotExist", err)
	}
}

func TestContextEndsACall(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{})
	x := h.create(ask(t, report.UsageSummary, "json"))
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if got, err := h.Wait(short, x.ID); err != nil || got.Status != Pending {
		t.Errorf("wait until ctx ends: got %s, %v; want pending", got.Status, err)
	}
	<-short.Done()
	if _, _, err := h.Create(short, ask(t, report.UsageSummary, "json")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("create after ctx ended: got %v, want %v", err, context.DeadlineExceeded)
	}
	if _, err := h.Get(short, x.ID); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("get after ctx ended: got %v, want %v", err, context.DeadlineExceeded)
	}
	if _, _, err := h.List(short, Query{Limit: 1}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("list after ctx ended: got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestFileName(t *testing.T) {
	t.Parallel()
	from, to := report.Instant(epoch), report.Instant(epoch+30*24*3600_000)
	x := Export{ID: "rptx_1", Kind: report.UsageLedger}
	for want, filters := range map[string]report.Filters{
		"usage-ledger_all_rptx_1.csv":                   {},
		"usage-ledger_2026-03-01_now_rptx_1.csv":        {From: &from},
		"usage-ledger_begin_2026-03-31_rptx_1.csv":      {To: &to},
		"usage-ledger_2026-03-01_2026-03-31_rptx_1.csv": {From: &from, To: &to},
	} {
		x.Filters = filters
		if got := x.FileName("csv"); got != want {
			t.Errorf("file name: got %s, want %s", got, want)
		}
	}
}
