package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"licensekit/exporter/report"
)

// world makes random histories over few enough names that they meet again.
type world struct {
	*rand.Rand
	sent  []report.Activity
	steps int
}

func (w *world) pick(prefix string, n int) string {
	if w.IntN(4) == 0 {
		return ""
	}
	return fmt.Sprintf("%s-%d", prefix, w.IntN(n))
}

func (w *world) activity() report.Activity {
	if len(w.sent) > 0 && w.IntN(8) == 0 {
		return w.again()
	}
	a := report.Activity{
		OccurredAt: clock.UnixMilli() + int64(len(w.sent))*50 + w.Int64N(100_000),
		Amount:     w.Int64N(2000) - 1000, StatusCode: 200 + w.Int64N(3), ReceivedAt: 77, Inferred: 1 << w.IntN(12),
	}
	switch w.IntN(10) {
	case 0:
		a.Amount, a.StatusCode = report.Null, report.Null
	case 1:
		a.OccurredAt = clock.UnixMilli() - w.Int64N(1<<42) // far away
	case 2:
		a.Amount = (report.MaxAmount) - w.Int64N(3)
	}
	a.Text = [report.NumFields]string{
		report.FieldID:           fmt.Sprintf("id-%x", w.Uint64()),
		report.FieldAction:       []string{"usage.consumed", "usage.adjusted", "license.issued"}[w.IntN(3)],
		report.FieldSource:       w.pick("source", 3),
		report.FieldProduct:      w.pick("product", 2),
		report.FieldCustomer:     w.pick("customer", 500),
		report.FieldLicense:      w.pick("license", 30),
		report.FieldOrder:        w.pick("order", 20),
		report.FieldSubscription: w.pick("subscription", 20),
		report.FieldFeature:      w.pick("feature", 10),
		report.FieldMetadata:     w.pick(`{"n":`, 1e9),
	}
	if w.IntN(1000) == 0 {
		a.Text[report.FieldID] = ""
	}
	w.sent = append(w.sent, a)
	return a
}

// again sends something that was sent before, now and then changed.
func (w *world) again() report.Activity {
	a := w.sent[w.IntN(len(w.sent))]
	switch w.IntN(6) {
	case 0:
		a.Amount++
	case 1:
		a.Text[report.FieldCustomer] = "customer-0" // perhaps what was inferred
	case 2:
		a.Text[w.IntN(report.NumFields-2)+2] += "x"
	}
	return a
}

func (w *world) record() report.Record {
	r := report.NewRecord([]report.Object{report.Subscriptions, report.Orders, report.Licenses}[w.IntN(3)])
	r.Set("id", fmt.Sprintf("%s-%d", r.Object[:len(r.Object)-1], w.IntN(20)))
	r.Set("product_id", w.pick("product", 2))
	r.Set("customer_id", w.pick("customer", 500))
	if r.Object != report.Subscriptions {
		r.Set("subscription_id", w.pick("subscription", 20))
	}
	if r.Object == report.Licenses {
		r.Set("order_id", w.pick("order", 20))
		r.Set("active_device_count", w.Int64N(5))
	}
	return r
}

func (m *model) put(r report.Record) Status {
	if known, ok := m.records[r.Object][r.ID()]; ok && known.Equal(r) {
		return Duplicate
	}
	product := r.Text("product_id")
	for _, link := range []struct {
		object report.Object
		name   string
	}{{report.Orders, "order_id"}, {report.Subscriptions, "subscription_id"}} {
		linked := m.resolve(link.object, r.Text(link.name), report.FieldProduct)
		if product != "" && linked != "" && linked != product {
			return Rejected
		}
	}
	m.records[r.Object][r.ID()] = r
	return Accepted
}

// step appends or puts something random and compares the outcomes.
func (w *world) step(t *testing.T, to Appender, m *model) {
	t.Helper()
	for range w.IntN(6) {
		r := w.record()
		outcomes, err := to.Put(context.Background(), []report.Record{r})
		if err != nil {
			t.Fatal(err)
		}
		if want := m.put(r); outcomes[0].Status != want {
			t.Fatalf("put %+v: got %+v, want %v", r, outcomes[0], want)
		}
	}
	w.steps++
	rows := make([]report.Activity, 1+w.IntN([]int{2, 11_000, 50, 3000}[w.steps%4]))
	for i := range rows {
		rows[i] = w.activity()
	}
	outcomes, err := to.Append(context.Background(), rows)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range outcomes {
		want := m.append(rows[i])
		want.Message = got.Message
		if got != want || got.Status == Rejected && got.Message == "" {
			t.Fatalf("row %d of %d, %+v:\n got %+v\nwant %+v", i, len(rows), rows[i], got, want)
		}
	}
}

func (w *world) scan(m *model) report.Scan {
	s := report.Scan{Order: report.Order(w.IntN(3)), Fields: report.FieldSet(w.Uint32()) & report.AllFields}
	bound := func() *report.Instant {
		if w.IntN(3) > 0 || len(m.rows) == 0 {
			return nil
		}
		at := report.Instant(m.rows[w.IntN(len(m.rows))].OccurredAt)
		return &at
	}
	s.Match.From, s.Match.To = bound(), bound()
	s.Match.Usage = w.IntN(3) == 0
	if w.IntN(4) == 0 {
		s.Match.Below = w.Int64N(int64(len(m.rows)) + 2)
	}
	if w.IntN(4) == 0 {
		s.Match.Above = w.Int64N(int64(len(m.rows)) + 2)
	}
	if w.IntN(4) == 0 {
		s.Match.Status = 201
	}
	for w.IntN(2) == 0 && len(m.rows) > 0 {
		f := w.IntN(report.NumFields)
		s.Match.Equal[f] = m.rows[w.IntN(len(m.rows))].Text[f]
	}
	return s
}

func compareScans(t *testing.T, w *world, l *Ledger, m *model, n int) {
	t.Helper()
	err := l.View(context.Background(), func(s *Snapshot) error {
		if got, want := s.Sequence(), int64(len(m.rows)); got != want {
			t.Fatalf("sequence: got %d, want %d", got, want)
		}
		for _, object := range report.Objects {
			if got, want := s.Count(object), int64(len(m.records[object])); got != want {
				t.Fatalf("%s: got %d, want %d", object, got, want)
			}
		}
		for order := range report.ByTime + 1 {
			whole := report.Scan{Fields: report.AllFields, Order: order}
			sameRows(t, whole, collect(t, s, whole), m.scan(whole))
		}
		for range n {
			scan := w.scan(m)
			sameRows(t, scan, collect(t, s, scan), m.scan(scan))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// collidingHash gives many ids the same hash.
func collidingHash(seed uint64) func(string) uint64 {
	real := seededHash(seed)
	return func(id string) uint64 { return real(id) % 5000 << 50 }
}

func TestRandomHistories(t *testing.T) {
	for name, hasher := range map[string]func(uint64) func(string) uint64{"hash": seededHash, "colliding hash": collidingHash} {
		t.Run(name, func(t *testing.T) {
			w := &world{Rand: rand.New(rand.NewPCG(7, 11))}
			path, m := filepath.Join(t.TempDir(), "meta.db"), newModel()
			for range 3 {
				db := openDB(t, path)
				l, err := open(db, testOptions(t), 99, hasher)
				if err != nil {
					t.Fatal(err)
				}
				l.part = 700 // so that times are cut more than once
				for range 3 {
					w.step(t, l, m)
				}
				compareScans(t, w, l, m, 3)
				if err := l.Check(context.Background()); err != nil {
					t.Fatal(err)
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d activities", len(m.rows))
		})
	}
}

func TestRehearseForetells(t *testing.T) {
	w, l, m := &world{Rand: rand.New(rand.NewPCG(1, 5))}, newLedger(t), newModel()
	for range 3 {
		w.step(t, l, m)
	}
	before := m.clone()
	err := l.Rehearse(context.Background(), func(a Appender) error {
		foretold := m.clone()
		for range 4 {
			w.step(t, a, foretold)
		}
		// A writer is not held up.
		w.step(t, l, m)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.rows) == len(before.rows) {
		t.Fatal("the writer wrote nothing")
	}
	compareScans(t, w, l, m, 1)
	if left, err := filepath.Glob(filepath.Join(l.tmp, "*")); err != nil || len(left) > 0 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
}

func TestAtomicIsAllOrNothing(t *testing.T) {
	w, l, m := &world{Rand: rand.New(rand.NewPCG(3, 5))}, newLedger(t), newModel()
	for round := range 4 {
		attempt, refused := m.clone(), fmt.Errorf("refused")
		err := l.Atomic(context.Background(), func(a Transaction) error {
			for range 2 {
				w.step(t, a, attempt)
			}
			if round%2 == 0 {
				return refused
			}
			return nil
		})
		if failed := err != nil; failed != (round%2 == 0) {
			t.Fatalf("round %d: %v", round, err)
		}
		if err == nil {
			m = attempt
		}
		w.step(t, l, m)
	}
	compareScans(t, w, l, m, 2)
	if err := l.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
}
