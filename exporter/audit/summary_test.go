package audit

import (
	"testing"

	"go.etcd.io/bbolt"
)

// Summaries follow the events, over a restart, where they are missing and where
// they are damaged.
func TestSummariesFollowTheEvents(t *testing.T) {
	t.Parallel()
	trail := newTrail(t, 7)
	db := trail.db.(*bbolt.DB)
	expect := func(when string, created, createdNewest, ready int64) {
		t.Helper()
		got, err := trail.Summaries()
		if err != nil || got[KeyCreated].Count != created || got[KeyCreated].Newest.Sequence != createdNewest || got[ExportReady].Count != ready || len(got) != 2 {
			t.Errorf("%s: %+v, %v; want %d created, the newest %d, and %d ready", when, got, err, created, createdNewest, ready)
		}
	}
	expect("written", 4, 7, 3)

	drop := func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(typesBucket)) }
	if err := db.Update(drop); err != nil {
		t.Fatal(err)
	}
	trail = openTrail(t, db, trail.now)
	expect("made anew", 4, 7, 3)

	damage := func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(typesBucket)).Put([]byte(KeyCreated), []byte("no summary"))
	}
	if err := db.Update(damage); err != nil {
		t.Fatal(err)
	}
	if _, err := trail.Summaries(); err == nil {
		t.Error("a damaged summary is given, want an error")
	}
	write(t, trail, Event{Type: KeyCreated, ResourceType: "api_key"})
	expect("damaged", 5, 8, 3)
}
