package ledger

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
)

func record(object report.Object, values ...string) report.Record {
	r := report.NewRecord(object)
	for i := 0; i < len(values); i += 2 {
		r.Set(values[i], values[i+1])
	}
	return r
}

func put(t *testing.T, to Appender, records ...report.Record) []Outcome {
	t.Helper()
	outcomes, err := to.Put(context.Background(), records)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

func appendRows(t *testing.T, to Appender, rows ...report.Activity) []Outcome {
	t.Helper()
	outcomes, err := to.Append(context.Background(), rows)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// usage makes an activity from "field", "value" pairs.
func usage(id string, values ...string) report.Activity {
	a := report.Activity{OccurredAt: clock.UnixMilli(), Amount: 1, StatusCode: report.Null}
	a.Text[report.FieldID], a.Text[report.FieldAction] = id, "usage.consumed"
	for i := 0; i < len(values); i += 2 {
		f, ok := report.ParseField(values[i])
		if !ok {
			panic(values[i])
		}
		a.Text[f] = values[i+1]
	}
	return a
}

// stored reads one activity back as "field=value" of the inferable ids, with a
// star behind what was inferred.
func stored(t *testing.T, l *Ledger, sequence int64) string {
	t.Helper()
	var out []string
	err := l.View(context.Background(), func(s *Snapshot) error {
		a, err := s.shelf.activity(sequence)
		for _, f := range []report.Field{report.FieldProduct, report.FieldCustomer, report.FieldOrder, report.FieldSubscription} {
			if star := map[bool]string{true: "*"}[a.Inferred.Has(f)]; a.Text[f] != "" {
				out = append(out, strings.Clone(a.Text[f])+star)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestInference(t *testing.T) {
	l := newLedger(t)
	put(t, l,
		record(report.Subscriptions, "id", "S", "product_id", "P", "customer_id", "CS"),
		record(report.Subscriptions, "id", "S2", "product_id", "P2"),
		record(report.Orders, "id", "O", "subscription_id", "S"),
		record(report.Orders, "id", "OC", "customer_id", "CO", "subscription_id", "S"),
		record(report.Licenses, "id", "L", "subscription_id", "S"),
		record(report.Licenses, "id", "LO", "order_id", "OC"),
		record(report.Licenses, "id", "LC", "customer_id", "CL", "product_id", "P", "order_id", "O"),
	)
	for _, c := range []struct {
		given []string
		want  string // what is stored, or the field by which it contradicts
	}{
		{[]string{"license_id", "L"}, "P* CS* S*"},
		{[]string{"license_id", "LO"}, "P* CO* OC* S*"},
		{[]string{"license_id", "LC"}, "P* CL* O* S*"},
		{[]string{"order_id", "O"}, "P* CS* O S*"},
		{[]string{"subscription_id", "S"}, "P* CS* S"},
		{[]string{"license_id", "LC", "order_id", "OC"}, "P* CL* OC S*"},
		{[]string{"license_id", "L", "customer_id", "mine"}, "P* mine S*"},
		{[]string{"license_id", "nobody's", "product_id", "P9"}, "P9"},
		{[]string{"license_id", "nobody's", "subscription_id", "S"}, "P* CS* S"},
		{[]string{"license_id", "L", "product_id", "P"}, "P CS* S*"},
		{[]string{"license_id", "L", "product_id", "P2"}, `! "P2" is not the product of license_id "L"`},
		{[]string{"order_id", "O", "product_id", "P2"}, `! "P2" is not the product of order_id "O"`},
		{[]string{"subscription_id", "S", "product_id", "P2"}, `! "P2" is not the product of subscription_id "S"`},
		{[]string{"license_id", "L", "subscription_id", "S2"}, `! "P" is not the product of subscription_id "S2"`},
	} {
		o := appendRows(t, l, usage(strings.Join(c.given, " "), c.given...))[0]
		got := "! " + o.Message
		if o.Status == Accepted {
			got = stored(t, l, o.Sequence)
		} else if o.Status != Rejected || o.Field != "product_id" || o.Code != CodeLinkMismatch {
			got = "an outcome that is not LINK_MISMATCH"
		}
		if got != c.want {
			t.Errorf("%v: got %s, want %s (%+v)", c.given, got, c.want, o)
		}
	}
}

func TestWhatWasInferredStays(t *testing.T) {
	l := newLedger(t)
	early := appendRows(t, l, usage("early", "license_id", "L"))[0]
	put(t, l, record(report.Licenses, "id", "L", "customer_id", "C1"))
	linked := appendRows(t, l, usage("linked", "license_id", "L"))[0]
	put(t, l, record(report.Licenses, "id", "L", "customer_id", "C2", "product_id", "P"))
	if got := stored(t, l, early.Sequence); got != "" {
		t.Errorf("before the record came: got %q, want nothing", got)
	}
	if got, want := stored(t, l, linked.Sequence), "C1*"; got != want {
		t.Errorf("before the record changed: got %q, want %q", got, want)
	}
	for _, again := range []struct {
		row  report.Activity
		want Status
	}{
		{usage("linked", "license_id", "L"), Duplicate},
		{usage("linked", "license_id", "L", "customer_id", "C1"), Conflict},
		{usage("early", "license_id", "L", "product_id", "other"), Conflict},
		{usage("early", "license_id", "L"), Duplicate},
	} {
		if got := appendRows(t, l, again.row)[0]; got.Status != again.want || got.Sequence == 0 {
			t.Errorf("%+v: got %+v, want %v with a sequence", again.row, got, again.want)
		}
	}
}

func TestADuplicateStaysOneWhenItsLinksNoLongerFit(t *testing.T) {
	l := newLedger(t)
	row := usage("a", "license_id", "L", "product_id", "P")
	appendRows(t, l, row)
	put(t, l, record(report.Licenses, "id", "L", "product_id", "P2"))
	if got := appendRows(t, l, row, usage("b", "license_id", "L", "product_id", "P")); got[0].Status != Duplicate || got[1].Code != CodeLinkMismatch {
		t.Errorf("got %+v, want a duplicate and %s", got, CodeLinkMismatch)
	}
}

func TestWithinABatchTheFirstWins(t *testing.T) {
	l := newLedger(t)
	put(t, l, record(report.Licenses, "id", "L", "product_id", "P"))
	other := usage("a")
	other.Amount = 2
	got := appendRows(t, l,
		usage("a", "license_id", "L", "product_id", "P2"), // leaves its id free
		usage("a"), usage("b"), usage("a"), other,
		usage("a", "license_id", "L", "product_id", "P2"),
	)
	want := []Outcome{{Status: Rejected}, {Accepted, 1, "", "", ""}, {Accepted, 2, "", "", ""}, {Duplicate, 1, "", "", ""}, {Conflict, 1, "", "", ""}, {Conflict, 1, "", "", ""}}
	for i := range want {
		if got[i].Status != want[i].Status || got[i].Sequence != want[i].Sequence {
			t.Errorf("row %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestUnfitRowsAreRejected(t *testing.T) {
	l := newLedger(t)
	large, timeless, long := usage("a"), usage("b"), usage("c", "source", strings.Repeat("x", maxStored+1))
	large.Amount, timeless.OccurredAt = report.MaxAmount+1, report.Null
	got := appendRows(t, l, large, timeless, long, usage(""), usage("d", "action", ""))
	for i, want := range []string{"amount OUT_OF_RANGE", "occurred_at REQUIRED", "source TOO_LONG", "id REQUIRED", "action REQUIRED"} {
		if said := got[i].Field + " " + got[i].Code; got[i].Status != Rejected || said != want {
			t.Errorf("row %d: got %+v, want %s", i, got[i], want)
		}
	}
}

func TestAppendLeavesItsRowsAlone(t *testing.T) {
	l := newLedger(t)
	put(t, l, record(report.Licenses, "id", "L", "product_id", "P"))
	rows := []report.Activity{usage("a", "license_id", "L")}
	before := slices.Clone(rows)
	appendRows(t, l, rows...)
	if rows[0] != before[0] {
		t.Errorf("got %+v, want %+v", rows[0], before[0])
	}
}

func TestRecords(t *testing.T) {
	l := newLedger(t)
	license := record(report.Licenses, "id", "L", "product_id", "P", "status", "active", "metadata", `{"a":1}`)
	license.Set("active_device_count", int64(-3))
	license.Set("starts_at", clock.UnixMilli())
	subscription := record(report.Subscriptions, "id", "S", "product_id", "P2")
	subscription.Set("cancel_at_period_end", false)
	changed := record(report.Licenses, "id", "L", "product_id", "P3")
	wrong := record(report.Licenses, "id", "L2", "product_id", "P", "subscription_id", "S")
	outcomes := put(t, l, license, subscription, license, changed, license, wrong,
		record(report.Orders, "id", "O", "product_id", "P", "subscription_id", "S"), record(report.Orders))
	var got []Status
	for _, o := range outcomes {
		got = append(got, o.Status)
	}
	if want := []Status{Accepted, Accepted, Duplicate, Accepted, Accepted, Rejected, Rejected, Rejected}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := l.Put(context.Background(), []report.Record{record("keys", "id", "x")}); err == nil {
		t.Error("an unknown object was taken")
	}
	err := l.View(context.Background(), func(s *Snapshot) error {
		for _, want := range []report.Record{license, subscription} {
			if got, err := s.Record(want.Object, want.ID()); err != nil || !got.Equal(want) {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		}
		if _, err := s.Record(report.Licenses, "L2"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a record that isn't there: got %v", err)
		}
		seen := map[string]bool{}
		for r, err := range s.Records(context.Background(), report.Licenses, report.Match{}) {
			if err != nil {
				return err
			}
			seen[r.ID()] = true
		}
		if want := map[string]bool{"L": true}; !maps.Equal(seen, want) || s.Count(report.Licenses) != 1 {
			t.Errorf("got %v and %d, want %v", seen, s.Count(report.Licenses), want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFailedSessionLeavesNoLinksBehind(t *testing.T) {
	l := newLedger(t)
	refused := errors.New("refused")
	err := l.Atomic(context.Background(), func(a Transaction) error {
		put(t, a, record(report.Licenses, "id", "L", "product_id", "P"))
		appendRows(t, a, usage("a", "license_id", "L"))
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatalf("got %v, want %v", err, refused)
	}
	o := appendRows(t, l, usage("a", "license_id", "L"))[0]
	if got := stored(t, l, o.Sequence); got != "" {
		t.Errorf("got %q from a record that was rolled back", got)
	}
}

// TestSnapshotsHoldStill reads snapshots, from several goroutines each, while
// batches of all sizes arrive.
func TestSnapshotsHoldStill(t *testing.T) {
	l, random := newLedger(t), rand.New(rand.NewPCG(6, 6))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for open := true; open; {
				select {
				case <-stop:
					open = false
				default:
				}
				if err := l.View(context.Background(), sumTwice); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 8 {
		appendRows(t, l, facts(random, i*1000, 1+random.IntN([]int{5, 900, 9000}[i%3]))...)
	}
	close(stop)
	readers.Wait()
	if err := l.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// sumTwice reads a snapshot in two orders at once.
func sumTwice(s *Snapshot) error {
	var counts [2]int64
	var errs [2]error
	var both sync.WaitGroup
	for i, order := range []report.Order{report.BySequence, report.ByTime} {
		both.Go(func() {
			previous := int64(0)
			for facts, err := range s.Activities(context.Background(), report.Scan{Fields: report.AllFields, Order: order}) {
				if err != nil {
					errs[i] = err
					return
				}
				times := facts.OccurredAt
				if order == report.ByTime && (times[0] < previous || !slices.IsSorted(times)) {
					errs[i] = errors.New("out of order")
				}
				previous = times[len(times)-1]
				counts[i] += int64(facts.Len())
			}
		})
	}
	both.Wait()
	if counts != [2]int64{s.Sequence(), s.Sequence()} {
		errs[0] = errors.Join(errs[0], errors.New("rows are missing"))
	}
	return errors.Join(errs[:]...)
}

func TestReadingMayStopEarly(t *testing.T) {
	l := newLedger(t)
	appendRows(t, l, facts(rand.New(rand.NewPCG(1, 1)), 0, 60_000)...)
	for order := range report.ByTime + 1 {
		err := l.View(context.Background(), func(s *Snapshot) error {
			for _, err := range s.Activities(context.Background(), report.Scan{Order: order}) {
				return err
			}
			return errors.New("nothing came")
		})
		if err != nil {
			t.Errorf("order %d: %v", order, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		err = l.View(ctx, func(s *Snapshot) error {
			for _, err := range s.Activities(ctx, report.Scan{Order: order}) {
				if err != nil {
					return err
				}
				cancel()
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("order %d: got %v, want %v", order, err, context.Canceled)
		}
	}
}

func TestOneFullMillisecond(t *testing.T) {
	l, m := newLedger(t), newModel()
	l.part = 5000
	random, now := rand.New(rand.NewPCG(1, 1)), clock.UnixMilli()
	for _, size := range []int{9000, 300, 12_000} {
		rows := facts(random, 0, size)
		for i := range rows {
			if i%50 > 0 {
				rows[i].OccurredAt = now
			}
		}
		rows[7].OccurredAt = -1 << 45
		for i, o := range appendRows(t, l, rows...) {
			rows[i].Sequence, rows[i].ReceivedAt = o.Sequence, now
		}
		m.rows = append(m.rows, rows...)
	}
	scan := report.Scan{Order: report.ByTime, Fields: report.SetOf(report.FieldID)}
	err := l.View(context.Background(), func(s *Snapshot) error {
		sameRows(t, scan, collect(t, s, scan), m.scan(scan))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCheckFindsDamage flips a byte in some value of every bucket.
func TestCheckFindsDamage(t *testing.T) {
	l := newLedger(t)
	put(t, l, record(report.Licenses, "id", "L", "product_id", "P"))
	random := rand.New(rand.NewPCG(1, 1))
	appendRows(t, l, facts(random, 0, directRun)...)
	appendRows(t, l, facts(random, 0, 3)...)
	if err := l.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, name := range allBuckets() {
		var key, good []byte
		change := func(f func(b *bbolt.Bucket) error) {
			t.Helper()
			if err := l.db.Update(func(tx *bbolt.Tx) error { return f(tx.Bucket(name)) }); err != nil {
				t.Fatal(err)
			}
		}
		change(func(b *bbolt.Bucket) error {
			k, v := b.Cursor().First()
			key, good = slices.Clone(k), slices.Clone(v)
			return nil
		})
		if key == nil {
			continue
		}
		for range 5 {
			bad := slices.Clone(good)
			bad[random.IntN(len(bad))] ^= 1 << random.IntN(8)
			change(func(b *bbolt.Bucket) error { return b.Put(key, bad) })
			if err := l.Check(context.Background()); err == nil || !strings.Contains(err.Error(), string(name)) {
				t.Errorf("bucket %s: got %v, want an error that names it", name, err)
			}
		}
		change(func(b *bbolt.Bucket) error { return b.Delete(key) })
		if err := l.Check(context.Background()); err == nil {
			t.Errorf("bucket %s: a missing value went unnoticed", name)
		}
		change(func(b *bbolt.Bucket) error { return b.Put(key, good) })
	}
	if err := l.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestNowIsAsked(t *testing.T) {
	now := clock
	l, err := Open(openDB(t, t.TempDir()+"/meta.db"), Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	appendRows(t, l, usage("a"))
	now = now.Add(-time.Hour) // a clock may go back; sequences don't
	appendRows(t, l, usage("b"))
	err = l.View(context.Background(), func(s *Snapshot) error {
		got := collect(t, s, report.Scan{})
		if len(got) != 2 || got[1].ReceivedAt != got[0].ReceivedAt-time.Hour.Milliseconds() || got[1].Sequence != 2 {
			t.Errorf("got %+v", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
