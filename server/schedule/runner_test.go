package schedule

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter"
	"licensekit/exporter/audit"
	"licensekit/exporter/ledger"
	"licensekit/exporter/report"
)

func TestMain(m *testing.M) {
	if exporter.AnswerInspection(os.Args, os.Stdout) {
		return
	}
	os.Exit(m.Run())
}

// site is a data directory with a runner, and a clock that tests set by hand.
type site struct {
	*Runner
	dir    *exporter.Directory
	trail  *audit.Trail
	at     atomic.Int64 // the clock, in milliseconds since the epoch
	refuse atomic.Pointer[string]
	log    bytes.Buffer // of rounds that the test makes itself
}

func newSite(t testing.TB, workers int) *site {
	t.Helper()
	return openSite(t, filepath.Join(t.TempDir(), "data"), workers, "2026-01-15T12:00:00Z")
}

func openSite(t testing.TB, path string, workers int, at string) *site {
	t.Helper()
	s := &site{}
	s.clock(at)
	now := func() time.Time { return time.UnixMilli(s.at.Load()) }
	quiet := slog.New(slog.DiscardHandler)
	var err error
	if s.dir, err = exporter.OpenDirectory(path, true, quiet); err != nil {
		t.Fatal(err)
	}
	s.dir.DB.SkipSync()
	facts, err := ledger.Open(s.dir.DB, ledger.Options{Now: now, Tmp: s.dir.Tmp()})
	if err != nil {
		t.Fatal(err)
	}
	if s.trail, err = audit.Open(s.dir.DB, now); err != nil {
		t.Fatal(err)
	}
	exports, err := exporter.Open(context.Background(), s.dir, facts, exporter.Options{Now: now, Log: quiet, Trail: s.trail, Workers: workers, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	store, err := Open(s.dir.DB, s.trail, now)
	if err != nil {
		t.Fatal(err)
	}
	s.Runner = NewRunner(store, Options{
		Log: slog.New(slog.NewTextHandler(&s.log, nil)), Exports: exports, lookUp: time.Millisecond,
		Refuse: func(context.Context, string) (string, error) {
			if why := s.refuse.Load(); why != nil {
				return *why, nil
			}
			return "", nil
		},
	})
	t.Cleanup(s.close)
	return s
}

func (s *site) close() {
	if s.dir != nil {
		s.opts.Exports.Close()
		s.dir.Close()
		s.dir = nil
	}
}

func (s *site) clock(text string) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	s.at.Store(at.UnixMilli())
}

var monthly = Spec{
	Name: "monthly", Kind: "usage-summary", Formats: []string{"json", "csv"}, Filters: []byte(`{"group_by":"customer_id"}`),
	Period: "month", Time: "06:00", TimeZone: "Europe/Berlin", CreatedBy: "key_1",
}

func (s *site) create(t testing.TB, spec Spec) Schedule {
	t.Helper()
	made, err := s.Create(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// settle makes rounds until there is nothing to do.
func (s *site) settle(t testing.TB, id string) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(time.Millisecond) {
		s.round(t.Context())
		shown, err := s.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		if shown.NextRunAt.UnixMilli() > s.at.Load() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the next run of %s is still due at %v", id, shown.NextRunAt)
		}
	}
}

// all gives the runs, oldest first.
func (s *site) all(t testing.TB, id string) (all []Run) {
	t.Helper()
	for before := int64(0); ; {
		page, next, err := s.Runs(id, before, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range page {
			all = append([]Run{run}, all...)
		}
		if before = next; next == 0 {
			return all
		}
	}
}

func TestRunFreezesTheLastMonth(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	made := s.create(t, monthly)
	if got, want := made.NextRunAt.Format(time.RFC3339), "2026-02-01T05:00:00Z"; got != want {
		t.Errorf("the first run is at %s, want %s", got, want)
	}
	s.clock("2026-02-01T04:59:59Z")
	s.round(t.Context())
	if got := s.all(t, made.ID); len(got) != 0 {
		t.Errorf("before it is due there are runs %+v", got)
	}
	s.clock("2026-02-01T05:00:00Z")
	s.settle(t, made.ID)
	s.settle(t, made.ID)
	runs := s.all(t, made.ID)
	if len(runs) != 1 || runs[0].Status != Created || len(runs[0].Exports) != 2 || report.FormatTime(int64(runs[0].From)) != "2025-12-31T23:00:00.000Z" {
		t.Fatalf("runs are %+v, want one of January in Berlin with two exports", runs)
	}
	for i, id := range runs[0].Exports {
		x, err := s.opts.Exports.Wait(t.Context(), id)
		if err != nil || x.Status != exporter.Ready || x.Format != monthly.Formats[i] || x.CreatedBy != "key_1" || *x.Filters.From != runs[0].From || *x.Filters.To != runs[0].To || len(x.Filters.GroupBy) != 1 {
			t.Errorf("export is %+v, %v; want it ready, of the run's period and the schedule's key", x, err)
		}
	}
	events, err := s.trail.After(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range events {
		if e.ResourceID == made.ID {
			types = append(types, string(e.Type))
		}
	}
	if got, want := strings.Join(types, " "), "report_schedule.created report_schedule.ran"; got != want {
		t.Errorf("events are %q, want %q", got, want)
	}
}

// What was missed while nothing ran is made up, once each, oldest first, and one
// run after the other.
func TestMissedRunsAreMadeUp(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	s := openSite(t, path, 1, "2026-01-15T12:00:00Z")
	daily := monthly
	daily.Period, daily.Formats = "day", []string{"json"}
	made := s.create(t, daily)
	s.close()
	s = openSite(t, path, 0, "2026-01-25T12:00:00Z") // nothing is made
	for range 10 {
		s.round(t.Context())
	}
	if got := s.opts.Exports.Unfinished(); got != 1 {
		t.Errorf("%d exports wait, want the first alone", got)
	}
	s.close()
	s = openSite(t, path, 1, "2026-01-25T12:00:00Z")
	s.settle(t, made.ID)
	runs := s.all(t, made.ID)
	if len(runs) != 10 {
		t.Fatalf("%d runs were made up, want 10: %+v", len(runs), runs)
	}
	known := map[exporter.ID]bool{}
	for i, run := range runs {
		if i > 0 && run.From != runs[i-1].To || run.Sequence != int64(i+1) || known[run.Exports[0]] {
			t.Errorf("run %+v does not follow %+v with an export of its own", run, runs[max(i-1, 0)])
		}
		known[run.Exports[0]] = true
	}
	s.clock("2026-01-20T12:00:00Z") // a clock that goes back repeats nothing
	for range 3 {
		s.round(t.Context())
	}
	if got := len(s.all(t, made.ID)); got != 10 {
		t.Errorf("after the clock went back there are %d runs, want 10", got)
	}
}

// A crash between the exports and the run's entry makes no second export.
func TestInterruptedRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	made := s.create(t, monthly)
	s.clock("2026-02-01T05:00:00Z")
	r, err := s.get(made.ID)
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.freeze(t.Context(), r, r.after(r.Done))
	if err != nil {
		t.Fatal(err)
	}
	s.settle(t, made.ID)
	if runs := s.all(t, made.ID); len(runs) != 1 || runs[0].Exports[0] != first[0] || runs[0].Exports[1] != first[1] {
		t.Errorf("runs are %+v, want one with the exports %v", runs, first)
	}
}

func TestRefusedRuns(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	made := s.create(t, monthly)
	why := "the key that made the schedule is revoked"
	s.refuse.Store(&why)
	s.clock("2026-02-15T00:00:00Z")
	s.settle(t, made.ID)
	s.refuse.Store(nil) // a refused run is not made up
	s.clock("2026-03-01T05:00:00Z")
	s.settle(t, made.ID)
	runs := s.all(t, made.ID)
	if len(runs) != 2 || runs[0].Status != Refused || runs[0].Error != why || len(runs[0].Exports) != 0 || runs[1].Status != Created {
		t.Errorf("runs are %+v, want one refused, the next created", runs)
	}
}

// The runner wakes for a new schedule, and ends when it is told to.
func TestRunnerRuns(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	made := s.create(t, monthly)
	s.clock("2026-02-01T05:00:00Z")
	for deadline := time.Now().Add(30 * time.Second); len(s.all(t, made.ID)) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("there is no run after 30 s")
		}
	}
	if err := s.Delete(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-ended
	if _, _, err := s.Runs(made.ID, 0, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("runs of a schedule that was deleted: %v, want %v", err, fs.ErrNotExist)
	}
	s.dir.DB.View(func(tx *bbolt.Tx) error {
		if n := tx.Bucket([]byte(runsBucket)).Inspect().KeyN; n != 0 {
			t.Errorf("%d runs are left of it", n)
		}
		return nil
	})
}

func TestSchedulesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	for want, change := range map[string]func(*Spec){
		"name must not be empty":      func(x *Spec) { x.Name = " " },
		"control character":           func(x *Spec) { x.Name = "a\x01b" },
		`report_kind "usage"`:         func(x *Spec) { x.Kind = "usage" },
		`format "doc"`:                func(x *Spec) { x.Formats = []string{"doc"} },
		"formats name csv twice":      func(x *Spec) { x.Formats = []string{"csv", "csv"} },
		"formats must name one":       func(x *Spec) { x.Formats = nil },
		`period "year" must be`:       func(x *Spec) { x.Period = "year" },
		"day 29 must be from 1 to 28": func(x *Spec) { x.Day = 29 },
		"day -1 must be":              func(x *Spec) { x.Day = -1 },
		"day 8 must be from 1 to 7":   func(x *Spec) { x.Period, x.Day = "week", 8 },
		"day is not for a period":     func(x *Spec) { x.Period, x.Day = "day", 1 },
		`time "24:00"`:                func(x *Spec) { x.Time = "24:00" },
		`time "6:00"`:                 func(x *Spec) { x.Time = "6:00" },
		`time_zone "Mars"`:            func(x *Spec) { x.TimeZone = "Mars" },
		`time_zone ""`:                func(x *Spec) { x.TimeZone = "" },
		"must not name from and to":   func(x *Spec) { x.Filters = []byte(`{"from":"2026-01-01T00:00:00Z"}`) },
		"color is not a filter":       func(x *Spec) { x.Filters = []byte(`{"color":"red"}`) },
	} {
		spec := monthly
		change(&spec)
		if _, err := s.Create(t.Context(), spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// Days of buckets are those of the schedule's zone, unless the filters say
// otherwise.
func TestZoneOfBuckets(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	for filters, want := range map[string]string{
		`{"bucket":"1d"}`: "Europe/Berlin", `{"bucket":"1d","time_zone":"UTC"}`: "", `{"bucket":"1d","time_zone":"Asia/Tokyo"}`: "Asia/Tokyo", `{"bucket":"1h"}`: "", `{}`: "",
	} {
		spec := monthly
		spec.Filters = []byte(filters)
		if got := s.create(t, spec).Filters.TimeZone; got != want {
			t.Errorf("%s: time_zone %q, want %q", filters, got, want)
		}
	}
}

func TestBucketsAreChecked(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "exporter", "inspect.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{schedulesBucket, runsBucket} {
		if !strings.Contains(string(text), `"`+bucket+`"`) {
			t.Errorf("a check of the directory does not look at %s", bucket)
		}
	}
}
