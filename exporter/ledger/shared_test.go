package ledger

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"licensekit/exporter/metadb"
	"licensekit/exporter/report"
)

// Many clients that send single rows, every one of them twice, and the same id
// with other content: the outcomes are those of the rows one by one, and the
// sequences have no gaps.
func TestClientsShareTransactions(t *testing.T) {
	t.Parallel()
	const clients, each = 32, 20
	l := newLedger(t)
	var all sync.WaitGroup
	outcomes := make([][]Outcome, clients)
	for client := range clients {
		all.Go(func() {
			for i := range each {
				// Neighbours send the same ids; every fourth says something else.
				a := activityOf(fmt.Sprintf("evt_%d_%d", client/2, i), int64(i), int64(client%4/3))
				got, err := l.Append(t.Context(), []report.Activity{a})
				if err != nil {
					t.Errorf("append: %v", err)
					return
				}
				outcomes[client] = append(outcomes[client], got...)
			}
		})
	}
	all.Wait()
	accepted := 0
	sequences := map[int64]bool{}
	for client := 0; client < clients; client += 2 {
		for i := range each {
			one, other := outcomes[client][i], outcomes[client+1][i]
			if one.Status != Accepted {
				one, other = other, one
			}
			want := Duplicate
			if client%4 == 2 {
				want = Conflict
			}
			if one.Status != Accepted || other.Status != want || one.Sequence != other.Sequence {
				t.Errorf("row %d of clients %d and %d: got %+v and %+v, want accepted and %s of the same sequence", i, client, client+1, one, other, want)
			}
			sequences[one.Sequence] = true
			accepted++
		}
	}
	err := l.View(t.Context(), func(s *Snapshot) error {
		if got := s.Sequence(); got != int64(accepted) || len(sequences) != accepted {
			t.Errorf("ledger: got %d activities with %d sequences, want %d", got, len(sequences), accepted)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
}

func activityOf(id string, occurred, amount int64) report.Activity {
	a := report.Activity{OccurredAt: occurred, Amount: amount, StatusCode: report.Null}
	a.Text[report.FieldID], a.Text[report.FieldAction] = id, "usage.consumed"
	return a
}

// spoilt is a database in which every shared transaction comes to nothing once,
// after its changes were made.
type spoilt struct{ *metadb.DB }

func (d spoilt) Update(fn func(*bbolt.Tx) error) error {
	undone := errors.New("undone")
	if err := d.DB.Update(func(tx *bbolt.Tx) error { return errors.Join(fn(tx), undone) }); !errors.Is(err, undone) {
		return err
	}
	return d.DB.Update(fn)
}

// Nothing of a transaction that came to nothing is remembered: neither its
// links nor its rows.
func TestUndoneTransactionLeavesNothing(t *testing.T) {
	t.Parallel()
	l, err := Open(spoilt{openDB(t, filepath.Join(t.TempDir(), "meta.db"))}, testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	license := report.NewRecord(report.Licenses)
	license.Set("id", "lic_1")
	for n, product := range []string{"prod_1", "prod_2", "prod_3"} {
		license.Set("product_id", product)
		if got, err := l.Put(t.Context(), []report.Record{license}); err != nil || got[0].Status != Accepted {
			t.Fatalf("put: got %+v, %v; want accepted", got, err)
		}
		a := activityOf(fmt.Sprint("evt_", n), 1, 1)
		a.Text[report.FieldLicense] = "lic_1"
		if got, err := l.Append(t.Context(), []report.Activity{a}); err != nil || got[0].Status != Accepted || got[0].Sequence != int64(n+1) {
			t.Fatalf("append: got %+v, %v; want accepted as %d", got, err, n+1)
		}
	}
	// A license that never came to be must not lend its product.
	undone := errors.New("undone")
	stray := report.NewRecord(report.Licenses)
	stray.Set("id", "lic_2")
	stray.Set("product_id", "prod_9")
	err = l.Atomic(t.Context(), func(a Transaction) error {
		b := activityOf("evt_lost", 1, 1)
		b.Text[report.FieldLicense] = "lic_2"
		_, put := a.Put(t.Context(), []report.Record{stray})
		_, add := a.Append(t.Context(), []report.Activity{b})
		return errors.Join(put, add, undone)
	})
	if !errors.Is(err, undone) {
		t.Fatalf("atomic: got %v, want %v", err, undone)
	}
	b := activityOf("evt_kept", 1, 1)
	b.Text[report.FieldLicense] = "lic_2"
	if got, err := l.Append(t.Context(), []report.Activity{b}); err != nil || got[0].Status != Accepted {
		t.Fatalf("append: got %+v, %v; want accepted", got, err)
	}
	want := []string{"prod_1", "prod_2", "prod_3", ""}
	err = l.View(t.Context(), func(s *Snapshot) error {
		for sequence, product := range want {
			a, err := s.shelf.activity(int64(sequence + 1))
			if err != nil || a.Text[report.FieldProduct] != product {
				t.Errorf("product of activity %d: got %q, %v; want %q", sequence+1, a.Text[report.FieldProduct], err, product)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
