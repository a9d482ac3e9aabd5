package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/sealed"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 890_123_456, time.FixedZone("", 3600))

func openDB(t testing.TB) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "meta.db"), 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func openTrail(t testing.TB, db *bbolt.DB, now func() time.Time) *Trail {
	t.Helper()
	trail, err := Open(db, now)
	if err != nil {
		t.Fatal(err)
	}
	return trail
}

// newTrail gives a trail with n events about things.
func newTrail(t testing.TB, n int) *Trail {
	t.Helper()
	trail := openTrail(t, openDB(t), func() time.Time { return now })
	for i := range n {
		e := Event{Type: KeyCreated, ResourceType: "api_key", ResourceID: fmt.Sprint("key_", i%3), Metadata: Metadata{"i": i}}
		if i%2 == 1 {
			e.Type, e.ResourceType = ExportReady, "report_export"
			e.Origin = Origin{ActorType: ByKey, ActorID: "key_0", IPAddress: "192.0.2.1", RequestID: "req_1"}
		}
		write(t, trail, e)
	}
	return trail
}

func write(t testing.TB, trail *Trail, e Event) {
	t.Helper()
	if err := trail.Write(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func sequences(events []Event) (all []int64) {
	for _, e := range events {
		all = append(all, e.Sequence)
	}
	return all
}

func all(t testing.TB, trail *Trail) []Event {
	t.Helper()
	events, err := trail.After(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestAnEventIsKeptAsItWas(t *testing.T) {
	trail := openTrail(t, openDB(t), func() time.Time { return now })
	by := Origin{ActorType: ByKey, ActorID: "key_a", IPAddress: "2001:db8::1", RequestID: "req_a"}
	e := Event{Type: KeyRevoked, ResourceType: "api_key", ResourceID: "key_b", Metadata: Metadata{"name": "<b>&"}}
	if err := trail.Write(With(t.Context(), by), e); err != nil {
		t.Fatal(err)
	}
	e.Sequence, e.Origin, e.CreatedAt = 1, by, time.Date(2026, 3, 4, 4, 6, 7, 890_000_000, time.UTC)
	got := all(t, trail)
	if len(got) != 1 || !reflect.DeepEqual(got[0], e) {
		t.Errorf("read %+v, want %+v", got, e)
	}
	text, err := json.Marshal(got[0])
	want := `{"sequence":1,"event_type":"api_key.revoked","actor_type":"api_key","actor_id":"key_a","ip_address":"2001:db8::1","request_id":"req_a",` +
		`"resource_type":"api_key","resource_id":"key_b","metadata":{"name":"\u003cb\u003e\u0026"},"created_at":"2026-03-04T04:06:07.89Z"}`
	if err != nil || string(text) != want {
		t.Errorf("as JSON %s, %v\nwant %s", text, err, want)
	}
	write(t, trail, Event{Type: ServerStarted, ResourceType: "server"})
	if got := all(t, trail)[1]; got.ActorType != ByTheSystem || got.ActorID != Server || got.Metadata == nil {
		t.Errorf("without an origin and metadata: %+v, want those of the server, and empty", got)
	}
}

// What is rolled back leaves neither an event nor a gap.
func TestEventsShareTheTransaction(t *testing.T) {
	trail := newTrail(t, 2)
	refused := errors.New("refused")
	err := trail.db.Update(func(tx *bbolt.Tx) error {
		if err := trail.Record(t.Context(), tx, Event{Type: KeyCreated}); err != nil {
			return err
		}
		return refused
	})
	if err != refused {
		t.Fatal(err)
	}
	write(t, trail, Event{Type: KeyCreated})
	if got, want := sequences(all(t, trail)), []int64{1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("sequences %v, want %v", got, want)
	}
	if err := trail.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestList(t *testing.T) {
	trail := newTrail(t, 10)
	for _, test := range []struct {
		name  string
		query Query
		want  []int64
		next  int64
	}{
		{"all", Query{Limit: 20}, []int64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 0},
		{"a page", Query{Limit: 3}, []int64{10, 9, 8}, 8},
		{"the next page", Query{Before: 8, Limit: 3}, []int64{7, 6, 5}, 5},
		{"the last page", Query{Before: 3, Limit: 2}, []int64{2, 1}, 0},
		{"beyond the end", Query{Before: 99, Limit: 1}, []int64{10}, 10},
		{"nothing before", Query{Before: 1, Limit: 1}, nil, 0},
		{"a type", Query{Type: ExportReady, Limit: 2}, []int64{10, 8}, 8},
		{"an actor", Query{ActorType: ByTheSystem, Limit: 9}, []int64{9, 7, 5, 3, 1}, 0},
		{"a resource", Query{ResourceType: "api_key", ResourceID: "key_0", Limit: 9}, []int64{7, 1}, 0},
		{"the text of another member", Query{ResourceID: "req_1", Limit: 9}, nil, 0},
		{"no such type", Query{Type: "x.y", Limit: 9}, nil, 0},
	} {
		page, next, err := trail.List(t.Context(), test.query)
		if err != nil || !slices.Equal(sequences(page), test.want) || next != test.next || page == nil {
			t.Errorf("%s: %v, next %d, %v; want %v, next %d", test.name, sequences(page), next, err, test.want, test.next)
		}
	}
}

func TestAfter(t *testing.T) {
	trail := newTrail(t, 5)
	for _, test := range []struct {
		after int64
		limit int
		want  []int64
	}{{0, 2, []int64{1, 2}}, {2, 9, []int64{3, 4, 5}}, {5, 9, nil}, {9, 9, nil}} {
		got, err := trail.After(t.Context(), test.after, test.limit)
		if err != nil || !slices.Equal(sequences(got), test.want) {
			t.Errorf("After(%d, %d) = %v, %v; want %v", test.after, test.limit, sequences(got), err, test.want)
		}
	}
}

// Who follows the trail sees each event once, however reads and writes meet.
func TestFollowing(t *testing.T) {
	trail := newTrail(t, 0)
	const writers, each = 4, 25
	for range writers {
		go func() {
			for range each {
				trail.Write(context.Background(), Event{Type: KeyCreated})
			}
		}()
	}
	for seen := int64(0); seen < writers*each; {
		more := trail.More()
		events, err := trail.After(t.Context(), seen, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if seen++; e.Sequence != seen {
				t.Fatalf("event %d came where %d belongs", e.Sequence, seen)
			}
		}
		if len(events) > 0 {
			continue
		}
		select {
		case <-more:
		case <-time.After(30 * time.Second):
			t.Fatalf("nobody was woken after event %d of %d", seen, writers*each)
		}
	}
}

// An event that is rolled back wakes nobody.
func TestNobodyIsWokenInVain(t *testing.T) {
	trail := newTrail(t, 0)
	more := trail.More()
	trail.db.Update(func(tx *bbolt.Tx) error {
		return errors.Join(trail.Record(t.Context(), tx, Event{Type: KeyCreated}), errors.New("refused"))
	})
	select {
	case <-more:
		t.Error("woken by an event that was rolled back")
	default:
	}
}

// What was held when the process ended is recorded at the next start, once.
func TestHeldEvents(t *testing.T) {
	db := openDB(t)
	trail := openTrail(t, db, time.Now)
	by := Origin{ActorType: ByKey, ActorID: "key_a", RequestID: "req_a"}
	ctx := With(t.Context(), by)
	hold := func(name string, accepted int) {
		t.Helper()
		err := db.Update(func(tx *bbolt.Tx) error {
			return trail.Hold(ctx, tx, name, Event{Type: ActivitiesImported, Metadata: Metadata{"accepted": accepted}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	hold("settled", 1)
	hold("lost", 1)
	hold("lost", 2)
	if err := trail.SettleAlone(ctx, "settled", Event{Type: ActivitiesImported, Metadata: Metadata{"accepted": 3}}); err != nil {
		t.Fatal(err)
	}
	if got := all(t, trail); len(got) != 1 || got[0].Metadata["accepted"] != 3.0 || got[0].Metadata["interrupted"] != nil {
		t.Errorf("recorded %+v, want what was settled alone", got)
	}
	for range 2 {
		got := all(t, openTrail(t, db, time.Now))
		if len(got) != 2 || got[1].Metadata["accepted"] != 2.0 || got[1].Metadata["interrupted"] != true || got[1].Origin != by {
			t.Errorf("after a start: %+v, want the event that was held last, as interrupted, by %+v", got, by)
		}
	}
}

// A flipped bit, a lost event and one in another's place are found, by lists
// that pass over them too.
func TestDamageIsFound(t *testing.T) {
	for name, damage := range map[string]func(*bbolt.Bucket) error{
		"a bit": func(b *bbolt.Bucket) error {
			value := slices.Clone(b.Get([]byte(key(2))))
			value[len(value)/2] ^= 1
			return b.Put([]byte(key(2)), value)
		},
		"another's place":    func(b *bbolt.Bucket) error { return b.Put([]byte(key(2)), slices.Clone(b.Get([]byte(key(1))))) },
		"lost in the middle": func(b *bbolt.Bucket) error { return b.Delete([]byte(key(2))) },
		"lost at the end":    func(b *bbolt.Bucket) error { return b.Delete([]byte(key(3))) },
	} {
		trail := newTrail(t, 3)
		if err := trail.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := trail.db.Update(func(tx *bbolt.Tx) error { return damage(tx.Bucket([]byte(eventsBucket))) }); err != nil {
			t.Fatal(err)
		}
		if err := trail.Check(t.Context()); err == nil {
			t.Errorf("%s: Check finds nothing", name)
		}
		if name != "a bit" {
			continue
		}
		for _, query := range []Query{{Limit: 9}, {Type: "x.y", Limit: 9}} {
			if _, _, err := trail.List(t.Context(), query); !errors.Is(err, sealed.ErrDamaged) {
				t.Errorf("%s: List(%+v) gives %v, want %v", name, query, err, sealed.ErrDamaged)
			}
		}
	}
}

func TestTally(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trail := openTrail(t, openDB(t), time.Now)
		tally := NewTally(trail, func(err error) { t.Error(err) })
		download := func(id, request string) {
			t.Helper()
			ctx := With(t.Context(), Origin{ActorType: ByKey, ActorID: "key_a", IPAddress: "192.0.2.1", RequestID: request})
			if err := tally.Count(ctx, Event{Type: ExportDownloaded, ResourceType: "report_export", ResourceID: id, Metadata: Metadata{"whole": true}}); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		for i := range 1000 {
			download("rptx_a", fmt.Sprint("req_", i))
			time.Sleep(time.Second)
		}
		download("rptx_b", "req_b")
		if got := all(t, trail); len(got) != 2 || got[0].RequestID != "req_0" || got[1].ResourceID != "rptx_b" {
			t.Fatalf("recorded %+v, want the first of each", got)
		}
		time.Sleep(tallyWindow - 1000*time.Second + tallySweep)
		synctest.Wait()
		got := all(t, trail)
		if len(got) != 3 || got[2].ResourceID != "rptx_a" || got[2].Metadata["repeats"] != 999.0 || got[2].RequestID != "" || got[2].Metadata["whole"] != true {
			t.Fatalf("after an hour %+v, want 999 repeats of the first", got)
		}
		if since := got[2].Metadata["since"]; since != began.UTC().Format(time.RFC3339) {
			t.Errorf("repeats since %v, want %v", since, began.UTC())
		}
		download("rptx_a", "req_again")
		download("rptx_a", "req_again")
		if err := tally.Close(); err != nil {
			t.Fatal(err)
		}
		got = all(t, trail)[3:]
		if len(got) != 2 || got[0].RequestID != "req_again" || got[1].Metadata["repeats"] != 1.0 {
			t.Errorf("after another and a close %+v, want it and one repeat", got)
		}
	})
}

// Beyond its room a tally records each event instead of forgetting one.
func TestTallyIsBounded(t *testing.T) {
	db := openDB(t)
	db.NoSync = true
	var clock atomic.Int64
	trail := openTrail(t, db, func() time.Time { return time.Unix(clock.Load(), 0) })
	tally := NewTally(trail, func(err error) { t.Error(err) })
	defer tally.Close()
	for i := range tallyMost {
		tally.known[fmt.Sprint(i)] = &repeated{}
	}
	for range 3 {
		if err := tally.Count(t.Context(), Event{Type: ExportDownloaded}); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(all(t, trail)); got != 3 || len(tally.known) != tallyMost {
		t.Errorf("%d events recorded, %d known; want 3 and %d", got, len(tally.known), tallyMost)
	}
}
