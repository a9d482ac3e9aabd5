package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
)

// idsOf are the ids of the licenses that a match may select.
func idsOf(t *testing.T, l *Ledger, match report.Match) (ids []string, err error) {
	t.Helper()
	err = l.View(context.Background(), func(s *Snapshot) error {
		for r, err := range s.Records(t.Context(), report.Licenses, match) {
			if err != nil {
				return err
			}
			ids = append(ids, r.ID())
		}
		return nil
	})
	return ids, err
}

func asking(fields map[report.Field]string) (m report.Match) {
	for field, id := range fields {
		m.Equal[field] = id
	}
	return m
}

// Records that say themselves that they are others' are left out, those that say
// nothing are not.
func TestRecordsThatAMatchMaySelect(t *testing.T) {
	l := newLedger(t)
	put(t, l,
		record(report.Licenses, "id", "L1", "customer_id", "c", "product_id", "p"),
		record(report.Licenses, "id", "L2", "customer_id", "other", "product_id", "p", "order_id", "c"),
		record(report.Licenses, "id", "L3", "order_id", "o", "customer_name", "other"),
		record(report.Licenses, "id", "L4", "customer_id", "c", "product_id", "other"))
	for _, test := range []struct {
		asked map[report.Field]string
		want  []string
	}{
		{nil, []string{"L1", "L2", "L3", "L4"}},
		{map[report.Field]string{report.FieldCustomer: "c"}, []string{"L1", "L3", "L4"}},
		{map[report.Field]string{report.FieldCustomer: "c", report.FieldProduct: "p"}, []string{"L1", "L3"}},
		{map[report.Field]string{report.FieldLicense: "L2"}, []string{"L2"}},
		{map[report.Field]string{report.FieldLicense: "L2", report.FieldCustomer: "c"}, nil},
		{map[report.Field]string{report.FieldFeature: "f"}, []string{"L1", "L2", "L3", "L4"}},
	} {
		if got, err := idsOf(t, l, asking(test.asked)); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("asked for %v: got %v, %v; want %v", test.asked, got, err, test.want)
		}
	}
}

// A bit that flips in a record is found, whomever the record is of.
func TestDamagedRecordIsNotLeftOut(t *testing.T) {
	l := newLedger(t)
	put(t, l, record(report.Licenses, "id", "L1", "customer_id", "other", "status", "active"))
	err := l.db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(recordBucket(report.Licenses))
		value := slices.Clone(bucket.Get([]byte("L1")))
		value[len(value)-1] ^= 1
		return bucket.Put([]byte("L1"), value)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := idsOf(t, l, asking(map[report.Field]string{report.FieldCustomer: "c"})); !errors.Is(err, errChecksum) {
		t.Errorf("got %v, %v; want %v", got, err, errChecksum)
	}
}

// heldBy tells by how many bytes f makes grow what is in use.
func heldBy(f func()) int64 {
	inUse := func() int64 {
		runtime.GC()
		runtime.GC() // pools let go at the second one
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := inUse()
	f()
	return inUse() - before
}

// Ids that are kept, by reports while they are read and by the ledger for the
// next activities, do not keep the records that they come from.
func TestKeptIDsKeepNoRecords(t *testing.T) {
	const count, most = 3000, 4 << 20
	var (
		l, random = newLedger(t), rand.New(rand.NewPCG(1, 2))
		metadata  = `{"note":"` + strings.Repeat("n", 4000) + `"}`
		rows      = facts(random, 0, count)
		records   []report.Record
	)
	for i := range count {
		license, order := fmt.Sprint("license", i), fmt.Sprint("order", i)
		period := record(report.Orders, "id", order, "subscription_id", fmt.Sprint("subscription", i), "metadata", metadata)
		period.Set("period_start", int64(1))
		period.Set("period_end", int64(2))
		records = append(records, period, record(report.Licenses, "id", license, "order_id", order, "customer_id", fmt.Sprint("customer", i), "metadata", metadata))
		rows[i].Text[report.FieldLicense], rows[i].Text[report.FieldProduct], rows[i].Text[report.FieldCustomer] = license, "", ""
	}
	put(t, l, records...)
	for _, kind := range []report.Kind{report.CustomerSummary, report.SubscriptionSettlement} {
		err := l.View(t.Context(), func(s *Snapshot) error {
			filters, err := report.ParseFilters(kind, nil)
			if err != nil {
				return err
			}
			d, err := report.Build(t.Context(), s, kind, filters)
			if err != nil {
				return err
			}
			got := heldBy(func() {
				for _, section := range d.Sections {
					for _, failed := range section.Rows {
						err = errors.Join(err, failed)
					}
				}
			})
			if got > most {
				t.Errorf("%s holds %d bytes, want at most %d of the %d in the records", kind, got, most, 2*count*len(metadata))
			}
			runtime.KeepAlive(d)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	got := heldBy(func() { appendRows(t, l, rows...) })
	if got > most {
		t.Errorf("%d activities hold %d bytes, want at most %d", count, got, most)
	}
	if got := len(l.links.licenses); got != count {
		t.Errorf("links of %d licenses are known, want %d", got, count)
	}
	runtime.KeepAlive(records)
	runtime.KeepAlive(rows)
}
