package report

import (
	"context"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
)

// lowerLimit lets a test go beyond what is held in memory.
func lowerLimit(t *testing.T, limit int) {
	groupLimit = limit
	t.Cleanup(func() { groupLimit = MaxGroups })
}

// What a kind holds in memory has a bound. What streams needs none.
func TestRecordKindsRefuseTooManyGroups(t *testing.T) {
	const limit = 20
	lowerLimit(t, limit)
	crowd := func(n int, field Field) *stocked {
		var activities []Activity
		for i := range n {
			activities = append(activities, used(0, 1, map[Field]string{field: strconv.Itoa(i)}))
		}
		return newStocked(activities)
	}
	records := func(n int, object Object, link string) *stocked {
		var records [][]any
		for i := range n {
			records = append(records, []any{object, "id", strconv.Itoa(i), link, strconv.Itoa(i),
				"period_start", day(1), "period_end", day(2), "current_period_start", day(1), "current_period_end", day(2)})
		}
		return newStocked(nil, records...)
	}
	for _, test := range []struct {
		kind    Kind
		section string
		source  func(n int) *stocked
		want    error
	}{
		{LicenseAudit, "activities", func(n int) *stocked { return crowd(n, FieldLicense) }, nil},
		{LicenseAudit, "licenses", func(n int) *stocked { return crowd(n, FieldLicense) }, ErrTooManyGroups},
		{LicenseAudit, "licenses", func(n int) *stocked { return records(n, Licenses, "customer_id") }, nil},
		{LicenseAudit, "usage", func(n int) *stocked { return crowd(n, FieldFeature) }, ErrTooManyGroups},
		{CustomerSummary, "customers", func(n int) *stocked { return crowd(n, FieldOrder) }, ErrTooManyGroups},
		{CustomerSummary, "orders", func(n int) *stocked { return records(n, Licenses, "customer_id") }, ErrTooManyGroups},
		{CustomerSummary, "licenses", func(n int) *stocked { return records(n, Licenses, "policy_id") }, nil},
		{SubscriptionSettlement, "subscriptions", func(n int) *stocked { return crowd(n, FieldSubscription) }, ErrTooManyGroups},
		{SubscriptionSettlement, "usage", func(n int) *stocked { return crowd(n, FieldSubscription) }, ErrTooManyGroups},
		{SubscriptionSettlement, "usage", func(n int) *stocked { return records(n, Orders, "external_id") }, ErrTooManyGroups},
		{SubscriptionSettlement, "usage", func(n int) *stocked { return records(n, Subscriptions, "external_id") }, ErrTooManyGroups},
	} {
		for n, want := range map[int]error{limit: nil, limit + 1: test.want} {
			d, err := Build(t.Context(), test.source(n), test.kind, parseFilters(t, test.kind, nil))
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(d.Sections, func(s Section) bool { return s.Name == test.section })
			if _, err := readAll(&Document{Sections: d.Sections[at : at+1]}); !errors.Is(err, want) {
				t.Errorf("%s, %s with %d groups: %v, want %v", test.kind, test.section, n, err, want)
			}
		}
	}
}

func TestRecordKindsOfNothing(t *testing.T) {
	for kind := range recordKinds {
		if got := build(t, newStocked(nil), kind, nil); len(got) != 0 {
			t.Errorf("%s of an empty ledger has %v", kind, got)
		}
		d, err := Build(t.Context(), newStocked(nil), kind, parseFilters(t, kind, nil))
		if err != nil {
			t.Fatal(err)
		}
		totals, err := WriteCanonical(io.Discard, d)
		if want := int64(0); err != nil || totals["usage"]["events"] != want || len(totals) != len(d.Sections) {
			t.Errorf("%s of an empty ledger has totals %v, %v; want zeros for each section", kind, totals, err)
		}
	}
}

func TestRecordKindsOverflow(t *testing.T) {
	var activities []Activity
	for range 1_100 {
		activities = append(activities, used(0, MaxAmount, map[Field]string{FieldLicense: "L", FieldCustomer: "C", FieldSubscription: "S"}))
	}
	for kind := range recordKinds {
		d, err := Build(t.Context(), newStocked(activities), kind, parseFilters(t, kind, nil))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := WriteCanonical(io.Discard, d); !errors.Is(err, ErrOverflow) {
			t.Errorf("%s of 1,100 times 2^53-1: %v, want ErrOverflow", kind, err)
		}
	}
}

func TestRecordKindsHeedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	source := randomStocked(rand.New(rand.NewPCG(7, 8)), 0)
	cancel()
	for kind := range recordKinds {
		d, err := Build(ctx, source, kind, parseFilters(t, kind, nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range d.Sections {
			if _, err := readAll(&Document{Sections: []Section{s}}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, %s with an ended context: %v, want %v", kind, s.Name, err, context.Canceled)
			}
		}
	}
}

// broken is a source whose records can't be read.
type broken struct{ *stocked }

var errBroken = errors.New("broken")

func (broken) Record(Object, string) (Record, error) { return Record{}, errBroken }
func (broken) Records(context.Context, Object, Match) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) { yield(Record{}, errBroken) }
}

// A record that can't be read fails the report. It is not one that isn't there.
func TestRecordKindsReportBrokenRecords(t *testing.T) {
	for kind := range recordKinds {
		for _, filters := range []map[string]string{nil, {"license_id": "L"}, {"order_id": "O"}} {
			d, err := Build(t.Context(), broken{newStocked(nil)}, kind, parseFilters(t, kind, filters))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := readAll(d); !errors.Is(err, errBroken) {
				t.Errorf("%s %q of broken records: %v, want %v", kind, filters, err, errBroken)
			}
		}
	}
}

func TestRequiredIDs(t *testing.T) {
	for kind, want := range map[Kind][]string{
		UsageSummary: nil, UsageLedger: nil, LicenseAudit: {"license_id"}, CustomerSummary: {"customer_id"},
		SubscriptionSettlement: {"subscription_id", "order_id"},
	} {
		if got := RequiredIDs(kind); !reflect.DeepEqual(got, want) {
			t.Errorf("a live read of %s needs %q, want %q", kind, got, want)
		}
	}
}
