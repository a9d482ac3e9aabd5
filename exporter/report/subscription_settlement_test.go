package report

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// day is midnight of a day of January 2026, or of as many days later.
func day(n int64) int64 { return 1767225600000 + (n-1)*msPerDay }

func order(id, subscription string, from, to int64, status string) []any {
	return []any{Orders, "id", id, "subscription_id", subscription, "period_start", from, "period_end", to, "status", status}
}

func usedBy(subscription string, at, amount int64) Activity {
	return used(at, amount, map[Field]string{FieldSubscription: subscription, FieldLicense: "L", FieldFeature: "f"})
}

var settled = []string{"subscription_id", "period_order_id", "period_start", "period_end", "events", "amount"}

func TestSettlementPeriods(t *testing.T) {
	tests := []struct {
		name    string
		records [][]any
		filters map[string]string
		used    []Activity
		want    []row
	}{
		{"of the orders, half-open", [][]any{order("o2", "S", day(11), day(21), "paid"), order("o1", "S", day(1), day(11), "")}, nil,
			[]Activity{usedBy("S", day(1), 1), usedBy("S", day(11)-1, 10), usedBy("S", day(11), 100), usedBy("S", day(21), 1000), usedBy("S", day(1)-1, 10000)},
			[]row{{"S", "", Null, Null, int64(2), int64(11000)},
				{"S", "o1", day(1), day(11), int64(2), int64(11)}, {"S", "o2", day(11), day(21), int64(1), int64(100)}}},
		{"of the record where no order has one",
			[][]any{{Subscriptions, "id", "S", "current_period_start", day(1), "current_period_end", day(11)}, order("o", "S", Null, day(11), "paid"), order("p", "S", day(2), day(2), "paid")}, nil,
			[]Activity{usedBy("S", day(2), 1), usedBy("S", day(12), 10)},
			[]row{{"S", "", Null, Null, int64(1), int64(10)}, {"S", "", day(1), day(11), int64(1), int64(1)}}},
		{"of the orders rather than the record",
			[][]any{{Subscriptions, "id", "S", "current_period_start", day(1), "current_period_end", day(11)}, order("o", "S", day(5), day(9), "paid")}, nil,
			[]Activity{usedBy("S", day(2), 1), usedBy("S", day(6), 10)},
			[]row{{"S", "", Null, Null, int64(1), int64(1)}, {"S", "o", day(5), day(9), int64(1), int64(10)}}},
		{"of no canceled order, and none that ends as it starts",
			[][]any{order("a", "S", day(1), day(11), "canceled"), order("b", "S", day(1), day(11), "refunded"), order("c", "S", day(3), day(3), "paid"), order("d", "S", day(4), day(2), "paid")}, nil,
			[]Activity{usedBy("S", day(3), 1)},
			[]row{{"S", "b", day(1), day(11), int64(1), int64(1)}}},
		{"overlapping, the one that starts last",
			[][]any{order("a", "S", day(1), day(31), ""), order("b", "S", day(5), day(11), ""), order("c", "S", day(8), day(9), ""), order("d", "S", day(5), day(20), "")}, nil,
			[]Activity{usedBy("S", day(2), 1), usedBy("S", day(6), 10), usedBy("S", day(8), 100), usedBy("S", day(10), 1000), usedBy("S", day(11), 10000), usedBy("S", day(25), 100000)},
			[]row{{"S", "a", day(1), day(31), int64(2), int64(100001)}, {"S", "b", day(5), day(11), int64(2), int64(1010)},
				{"S", "d", day(5), day(20), int64(1), int64(10000)}, {"S", "c", day(8), day(9), int64(1), int64(100)}}},
		{"of the order where no subscription is named", [][]any{order("o", "", day(1), day(11), "paid")}, nil,
			[]Activity{used(day(2), 1, map[Field]string{FieldOrder: "o"}), used(day(12), 10, map[Field]string{FieldOrder: "o"}), used(day(2), 100, nil)},
			[]row{{"", "", Null, Null, int64(2), int64(110)}, {"", "o", day(1), day(11), int64(1), int64(1)}}},
		{"of the subscription though an order is named", [][]any{order("o", "S", day(1), day(11), "paid"), order("p", "S", day(11), day(21), "paid")},
			map[string]string{"order_id": "o"},
			[]Activity{used(day(12), 1, map[Field]string{FieldOrder: "o", FieldSubscription: "S"}), used(day(13), 10, map[Field]string{FieldOrder: "p", FieldSubscription: "S"})},
			[]row{{"S", "p", day(11), day(21), int64(1), int64(1)}}},
		{"from and to", [][]any{order("o", "S", day(1), day(11), "paid")}, map[string]string{"from": FormatTime(day(2)), "to": FormatTime(day(5))},
			[]Activity{usedBy("S", day(1), 1), usedBy("S", day(2), 10), usedBy("S", day(5), 100)},
			[]row{{"S", "", day(2), day(5), int64(1), int64(10)}}},
		{"from alone", [][]any{order("o", "S", day(1), day(11), "paid")}, map[string]string{"from": FormatTime(day(2))},
			[]Activity{usedBy("S", day(1), 1), usedBy("S", day(12), 10)},
			[]row{{"S", "", day(2), Null, int64(1), int64(10)}}},
		{"to alone", nil, map[string]string{"to": FormatTime(day(5))},
			[]Activity{usedBy("S", day(1), 1), usedBy("", day(2), 10), usedBy("S", day(12), 100)},
			[]row{{"", "", Null, day(5), int64(1), int64(10)}, {"S", "", Null, day(5), int64(1), int64(1)}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rows := build(t, newStocked(test.used, test.records...), SubscriptionSettlement, test.filters)
			if got := pick(t, SubscriptionSettlement, test.filters, rows, "usage", settled...); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
		})
	}
}

func TestSettlementShowsLateAndAdjusted(t *testing.T) {
	late := func(a Activity, received int64) Activity {
		a.ReceivedAt = received
		return a
	}
	adjusted := func(a Activity) Activity {
		a.Text[FieldAction] = "usage.adjusted"
		return a
	}
	source := newStocked([]Activity{
		late(usedBy("S", day(2), 1), day(11)-1),
		late(usedBy("S", day(2), 10), day(11)),
		adjusted(usedBy("S", day(3), -100)),
		adjusted(late(usedBy("S", day(3), 1000), day(20))),
		late(usedBy("S", day(15), 10000), day(40)), // in no period
	}, order("o", "S", day(1), day(11), "paid"))
	names := []string{"period_order_id", "events", "amount", "adjusted_events", "adjusted_amount", "late_events", "late_amount"}
	for _, test := range []struct {
		filters map[string]string
		want    []row
	}{
		{nil, []row{
			{"", int64(1), int64(10000), int64(0), int64(0), int64(0), int64(0)},
			{"o", int64(4), int64(911), int64(2), int64(900), int64(2), int64(1010)}}},
		{map[string]string{"to": FormatTime(day(20))}, []row{
			{"", int64(5), int64(10911), int64(2), int64(900), int64(2), int64(11000)}}},
		{map[string]string{"from": FormatTime(day(1))}, []row{
			{"", int64(5), int64(10911), int64(2), int64(900), int64(0), int64(0)}}},
	} {
		rows := build(t, source, SubscriptionSettlement, test.filters)
		if got := pick(t, SubscriptionSettlement, test.filters, rows, "usage", names...); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: got %v, want %v", test.filters, got, test.want)
		}
	}
}

// Of a period that was over before the first activity was received, nothing
// could have come in time.
func TestSettlementOfHistoryIsNotLate(t *testing.T) {
	imported := func(a Activity, received int64) Activity {
		a.ReceivedAt = received
		return a
	}
	source := newStocked([]Activity{
		imported(usedBy("S", day(2), 1), day(11)),
		imported(usedBy("S", day(3), 10), day(12)),
		imported(usedBy("S", day(13), 100), day(22)),
	}, order("before", "S", day(1), day(11), "paid"), order("after", "S", day(11), day(21), "paid"))
	want := []row{{"before", int64(2), int64(0), int64(0)}, {"after", int64(1), int64(1), int64(100)}}
	rows := build(t, source, SubscriptionSettlement, nil)
	got := pick(t, SubscriptionSettlement, nil, rows, "usage", "period_order_id", "events", "late_events", "late_amount")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A grouping by subscription changes nothing: it is one already.
func TestSettlementGroupings(t *testing.T) {
	sections := func(groups string) (names []string) {
		f := parseFilters(t, SubscriptionSettlement, map[string]string{"group_by": groups})
		for _, c := range Sections(SubscriptionSettlement, f)[2].Columns {
			names = append(names, c.Name)
		}
		return names[:len(names)-6]
	}
	fixed := []string{"subscription_id", "period_order_id", "period_start", "period_end"}
	for groups, want := range map[string][]string{
		"subscription_id":                     nil,
		"order_id,subscription_id,product_id": {"order_id", "product_id"},
		"license_id,feature_code":             {"license_id", "feature_code"},
	} {
		if got := sections(groups); !slices.Equal(got, slices.Concat(fixed, want)) {
			t.Errorf("by %s: got the columns %v, want %v and %v", groups, got, fixed, want)
		}
	}
	if got := parseFilters(t, SubscriptionSettlement, nil).GroupBy; !slices.Equal(got, []string{"license_id", "feature_code"}) {
		t.Errorf("the default grouping is %v", got)
	}
}

// A calendar gives each instant the period that a walk through all finds.
func TestCalendar(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	for range 2_000 {
		var periods []period
		for i := range random.IntN(7) {
			start := random.Int64N(20)
			periods = append(periods, period{start, start + 1 + random.Int64N(12), string(rune('a' + i))})
		}
		random.Shuffle(len(periods), func(i, j int) { periods[i], periods[j] = periods[j], periods[i] })
		var n numbering[period]
		n.number(noPeriod)
		c := newCalendar(periods, n.number)
		for ms := int64(-1); ms < 35; ms++ {
			want := noPeriod
			for _, p := range periods {
				if p.start <= ms && ms < p.end && (want == noPeriod || p.start > want.start || p.start == want.start && p.order < want.order) {
					want = p
				}
			}
			if got := n.values[c.at(ms)]; got != want {
				t.Fatalf("%d lies in %v of %v, want %v", ms, got, periods, want)
			}
		}
	}
}
