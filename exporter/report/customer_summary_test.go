package report

import (
	"reflect"
	"testing"
)

var counted = []string{"id", "name", "licenses", "orders", "subscriptions", "usage_events", "usage_amount"}

// What a license leaves out is found through its order and subscription, as it
// is for activities.
func TestSummaryFollowsLinks(t *testing.T) {
	source := newStocked([]Activity{used(day(1), 5, map[Field]string{FieldCustomer: "C", FieldLicense: "L", FieldProduct: "p", FieldFeature: "f"})},
		[]any{Licenses, "id", "L", "order_id", "O"},
		[]any{Orders, "id", "O", "subscription_id", "S"},
		[]any{Subscriptions, "id", "S", "customer_id", "C", "product_id", "p", "cancel_at_period_end", true},
		[]any{Customers, "id", "C", "name", "Ada"}, []any{Customers, "id", "D", "name", "Bob"})
	filters := map[string]string{"customer_id": "C"}
	rows := build(t, source, CustomerSummary, filters)
	for _, test := range []struct {
		section string
		columns []string
		want    row
	}{
		{"customers", counted, row{"C", "Ada", int64(1), int64(1), int64(1), int64(1), int64(5)}},
		{"licenses", []string{"id", "customer_id", "subscription_id", "product_id", "usage_amount"}, row{"L", "C", "S", "p", int64(5)}},
		{"orders", []string{"id", "customer_id", "product_id"}, row{"O", "C", "p"}},
		{"subscriptions", []string{"id", "customer_id", "cancel_at_period_end"}, row{"S", "C", "true"}},
		{"usage", []string{"customer_id", "product_id", "feature_code", "events", "amount"}, row{"C", "p", "f", int64(1), int64(5)}},
	} {
		if got := pick(t, CustomerSummary, filters, rows, test.section, test.columns...); !reflect.DeepEqual(got, []row{test.want}) {
			t.Errorf("%s: got %v, want %v alone", test.section, got, test.want)
		}
	}
	if source.records[Licenses]["L"].Text("customer_id") != "" {
		t.Error("the source's own record was changed")
	}
}

func TestSummaryListsWhoIsNamed(t *testing.T) {
	source := newStocked([]Activity{
		used(day(1), 5, map[Field]string{FieldCustomer: "by activity"}), used(day(1), 50, nil), at(day(2), "license.issued", licensed("M")),
	},
		[]any{Licenses, "id", "L", "customer_id", "by license", "product_id", "p"},
		[]any{Orders, "id", "O", "customer_id", "by order"},
		[]any{Subscriptions, "id", "S", "customer_id", "by subscription"},
		[]any{Customers, "id", "by record", "name", "Ada"}, []any{Customers, "id", "by license", "name", "Bob"})
	zero := int64(0)
	for _, test := range []struct {
		filters map[string]string
		want    []row
	}{
		{nil, []row{
			{"by activity", "", zero, zero, zero, int64(1), int64(5)},
			{"by license", "Bob", int64(1), zero, zero, zero, zero},
			{"by order", "", zero, int64(1), zero, zero, zero},
			{"by record", "Ada", zero, zero, zero, zero, zero},
			{"by subscription", "", zero, zero, int64(1), zero, zero}}},
		{map[string]string{"product_id": "p"}, []row{{"by license", "Bob", int64(1), zero, zero, zero, zero}}},
		{map[string]string{"order_id": "O"}, []row{{"by order", "", zero, int64(1), zero, zero, zero}}},
		{map[string]string{"customer_id": "by record"}, []row{{"by record", "Ada", zero, zero, zero, zero, zero}}},
		{map[string]string{"customer_id": "nobody"}, nil},
	} {
		rows := build(t, source, CustomerSummary, test.filters)
		if got := pick(t, CustomerSummary, test.filters, rows, "customers", counted...); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q:\ngot  %v\nwant %v", test.filters, got, test.want)
		}
	}
	rows := build(t, source, CustomerSummary, nil)
	if got, want := pick(t, CustomerSummary, nil, rows, "usage", "customer_id", "amount"), []row{{"", int64(50)}, {"by activity", int64(5)}}; !reflect.DeepEqual(got, want) {
		t.Errorf("the usage is %v, want %v", got, want)
	}
	if got, want := pick(t, CustomerSummary, nil, rows, "licenses", "id", "product_id"), []row{{"L", "p"}, {"M", ""}}; !reflect.DeepEqual(got, want) {
		t.Errorf("the licenses are %v, want %v", got, want)
	}
}

// A license that has gone to another customer stays in sight of the one who
// used it, and is counted for neither's sake among the first one's.
func TestSummaryOfATransferredLicense(t *testing.T) {
	source := newStocked([]Activity{used(day(1), 5, map[Field]string{FieldCustomer: "C", FieldLicense: "L"})},
		[]any{Licenses, "id", "L", "customer_id", "D"})
	filters := map[string]string{"customer_id": "C"}
	rows := build(t, source, CustomerSummary, filters)
	if got, want := pick(t, CustomerSummary, filters, rows, "customers", "id", "licenses", "usage_amount"), []row{{"C", int64(0), int64(5)}}; !reflect.DeepEqual(got, want) {
		t.Errorf("the customers are %v, want %v", got, want)
	}
	if got, want := pick(t, CustomerSummary, filters, rows, "licenses", "id", "customer_id", "usage_amount"), []row{{"L", "D", int64(5)}}; !reflect.DeepEqual(got, want) {
		t.Errorf("the licenses are %v, want %v", got, want)
	}
}
