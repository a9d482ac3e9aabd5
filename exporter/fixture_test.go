package exporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"licensekit/exporter/audit"
	"licensekit/exporter/evidence"
	"licensekit/exporter/ledger"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// house is a data directory with all that an exporter needs, in real files.
type house struct {
	t    testing.TB
	path string
	opts Options

	dir   *Directory
	facts *ledger.Ledger
	key   *evidence.SigningKey
	*Exporter
}

// quiet is a log that nobody reads.
var quiet = slog.New(slog.DiscardHandler)

// newHouse opens an exporter over an empty ledger in a directory of its own.
func newHouse(t testing.TB, opts Options) *house {
	t.Helper()
	return openHouse(t, filepath.Join(t.TempDir(), "data"), opts)
}

// openHouse opens the directory at path. What opts leaves out gets a value
// for tests.
func openHouse(t testing.TB, path string, opts Options) *house {
	t.Helper()
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = quiet
	}
	opts.Version = "test"
	h := &house{t: t, path: path, opts: opts}
	h.open()
	t.Cleanup(h.stop)
	return h
}

func (h *house) open() {
	h.t.Helper()
	var err error
	if h.dir, err = OpenDirectory(h.path, true, quiet); err != nil {
		h.t.Fatal(err)
	}
	if h.key, err = evidence.LoadOrCreate(h.dir.Keys(), evidence.ForExport, time.Now()); err != nil {
		h.t.Fatal(err)
	}
	if h.facts, err = ledger.Open(h.dir.DB, ledger.Options{Tmp: h.dir.Tmp()}); err != nil {
		h.t.Fatal(err)
	}
	if h.opts.Trail, err = audit.Open(h.dir.DB, time.Now); err != nil {
		h.t.Fatal(err)
	}
	if h.Exporter, err = Open(context.Background(), h.dir, h.facts, h.opts); err != nil {
		h.t.Fatal(err)
	}
}

// stop closes what is open; once is enough, twice does no harm.
func (h *house) stop() {
	h.t.Helper()
	if h.dir == nil {
		return
	}
	if err := errors.Join(h.Exporter.Close(), h.dir.Close()); err != nil {
		h.t.Errorf("close: %v", err)
	}
	h.dir = nil
}

// reopen is a restart, with another number of workers.
func (h *house) reopen(workers int) {
	h.t.Helper()
	h.stop()
	h.opts.Workers = workers
	h.open()
}

// epoch is when the test's activities begin.
var epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// fill appends count activities, numbered from the ledger's end, that are the
// same in every house.
func (h *house) fill(count int) {
	h.t.Helper()
	const batch = 20_000
	for count > 0 {
		var first int64
		if err := h.facts.View(h.t.Context(), func(s *ledger.Snapshot) error { first = s.Sequence(); return nil }); err != nil {
			h.t.Fatal(err)
		}
		rows := make([]report.Activity, min(count, batch))
		for i := range rows {
			rows[i] = activity(first + int64(i))
		}
		h.append(rows)
		count -= len(rows)
	}
}

func (h *house) append(rows []report.Activity) {
	h.t.Helper()
	outcomes, err := h.facts.Append(h.t.Context(), rows)
	if err != nil {
		h.t.Fatal(err)
	}
	for i, outcome := range outcomes {
		if outcome.Status != ledger.Accepted {
			h.t.Fatalf("append activity %d: got %+v, want accepted", i, outcome)
		}
	}
}

// activity is the n-th of the test's activities; texts that are awkward in a
// file are among them.
func activity(n int64) report.Activity {
	a := report.Activity{OccurredAt: epoch + n%5000*60_000, Amount: n%97 - 3, StatusCode: report.Null}
	if n%11 == 0 {
		a.Amount, a.StatusCode = report.Null, 200+n%3
	}
	a.Text[report.FieldID] = fmt.Sprintf("evt_%d", n)
	a.Text[report.FieldAction] = [...]string{"usage.consumed", "usage.adjusted", "license.issued"}[n%3]
	a.Text[report.FieldSource] = [...]string{"sdk", `=SUM(A1)`, `say "hi", ü€😀`}[n%3]
	a.Text[report.FieldProduct] = fmt.Sprintf("prod_%d", n%4)
	a.Text[report.FieldCustomer] = fmt.Sprintf("cust_%d", n%13)
	a.Text[report.FieldFeature] = fmt.Sprintf("feature_%d", n%7)
	return a
}

// ask is a request for the whole of a kind in a format.
func ask(t testing.TB, kind report.Kind, format string) Request {
	t.Helper()
	parsed, err := render.Parse(format)
	if err != nil {
		t.Fatal(err)
	}
	filters, err := report.ParseFilters(kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Request{Kind: kind, Format: parsed, Filters: filters, CreatedBy: "key_test"}
}

// create queues a new export.
func (h *house) create(r Request) Export {
	h.t.Helper()
	export, made, err := h.Create(h.t.Context(), r)
	if err != nil || !made {
		h.t.Fatalf("create %s as %s: got made %v, %v; want a new export", r.Kind, r.Format.Name, made, err)
	}
	return export
}

// await waits for an export to be in a final status.
func (h *house) await(id ID, want Status) Export {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	export, err := h.Wait(ctx, id)
	if err != nil || export.Status != want {
		h.t.Fatalf("wait for %s: got status %q, failure %+v, %v; want %s", id, export.Status, export.Error, err, want)
	}
	return export
}

// freeze creates an export and waits until it is ready.
func (h *house) freeze(kind report.Kind, format string) Export {
	h.t.Helper()
	return h.await(h.create(ask(h.t, kind, format)).ID, Ready)
}

// artifact reads the stored artifact of an export.
func (h *house) artifact(id ID) []byte {
	h.t.Helper()
	blob, _, err := h.Artifact(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	defer blob.Close()
	text, err := io.ReadAll(blob)
	if err != nil {
		h.t.Fatal(err)
	}
	return text
}

// canonical is what the canonical writer makes of the ledger as it is now.
func (h *house) canonical(r Request) []byte {
	h.t.Helper()
	var text bytes.Buffer
	err := h.facts.View(h.t.Context(), func(s *ledger.Snapshot) error {
		document, err := report.Build(h.t.Context(), s, r.Kind, r.Filters)
		if err == nil {
			_, err = report.WriteCanonical(&text, document)
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return text.Bytes()
}

// createHeld creates an export and stops it, by its clock, where it has its
// snapshot and nothing is rendered yet. The house must have one worker.
func (h *house) createHeld(clock *gate, r Request) Export {
	h.t.Helper()
	h.rendering <- struct{}{} // keeps it from its snapshot until the clock stands
	export := h.create(r)
	clock.close()
	<-h.rendering
	<-clock.caught
	return export
}

// gate is a clock that can be stopped: whoever asks for the time while it is
// shut waits until it opens.
type gate struct {
	mu     sync.Mutex
	shut   chan struct{} // closed when it opens; nil while it is open
	caught chan struct{} // has a value for each one that was stopped
}

func newGate() *gate { return &gate{caught: make(chan struct{}, 100)} }

func (g *gate) now() time.Time {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		g.caught <- struct{}{}
		<-shut
	}
	return time.Now()
}

// close stops the next one.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = make(chan struct{})
}

// open lets everybody pass.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

// eventually waits for what happens on another goroutine.
func eventually(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s in vain: want %s", what)
		}
	}
}

// TestMain also makes sure that the tests, who close all exporters, leave no
// goroutine of this package behind.
func TestMain(m *testing.M) {
	if AnswerInspection(os.Args, os.Stdout) {
		return
	}
	if path := os.Getenv(holdVariable); path != "" {
		os.Exit(hold(path))
	}
	code := m.Run()
	if left := ownGoroutines(5 * time.Second); left != "" && code == 0 {
		fmt.Fprintf(os.Stderr, "goroutines left after all tests, want none:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// ownGoroutines gives the stacks of goroutines that run code of ours, after
// as long a patience, beside the one that asks.
func ownGoroutines(patience time.Duration) (left string) {
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		left = ""
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for _, stack := range strings.Split(string(stacks), "\n\n")[1:] {
			if strings.Contains(stack, "licensekit/") && !strings.Contains(stack, "exporter.TestMain") && !strings.Contains(stack, "testing.tRunner") {
				left += stack + "\n\n"
			}
		}
		if left == "" || time.Now().After(deadline) {
			return left
		}
	}
}
