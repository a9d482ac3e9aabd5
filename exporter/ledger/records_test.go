package ledger

import (
	"context"
	"errors"
	"slices"
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
