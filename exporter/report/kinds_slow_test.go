package report

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The kinds as one would write them without caring for speed: everything is a
// list that is walked as often as it takes.

// matching are the activities, of every action unless keep says otherwise, that
// the filters select.
func (s *stocked) matching(f Filters, keep func(Activity) bool) (some []Activity) {
	for _, a := range s.activities {
		if matches(f.Match(), a) && (keep == nil || keep(a)) {
			some = append(some, a)
		}
	}
	return some
}

func slowIsUsage(a Activity) bool { return strings.HasPrefix(a.Text[FieldAction], "usage.") }

func slowCount(activities []Activity, keep func(Activity) bool) (events, amount int64) {
	for _, a := range activities {
		if keep != nil && !keep(a) {
			continue
		}
		events++
		if a.Amount != Null {
			amount += a.Amount
		}
	}
	return events, amount
}

func slowTimes(activities []Activity) (first, last int64) {
	if len(activities) == 0 {
		return Null, Null
	}
	byTime := func(a, b Activity) int { return cmp.Compare(a.OccurredAt, b.OccurredAt) }
	return slices.MinFunc(activities, byTime).OccurredAt, slices.MaxFunc(activities, byTime).OccurredAt
}

// slowGroups has a row per key: the key, then what measure says of its activities.
func slowGroups(activities []Activity, key func(Activity) row, measure func([]Activity) row) (rows []row) {
	members, keys := map[string][]Activity{}, map[string]row{}
	for _, a := range activities {
		k := key(a)
		name := fmt.Sprintf("%#v", k)
		members[name], keys[name] = append(members[name], a), k
	}
	for name, k := range keys {
		rows = append(rows, append(slices.Clone(k), measure(members[name])...))
	}
	slices.SortFunc(rows, compareRows)
	return rows
}

// slowLink follows a link of a record, its own or those behind it.
func (s *stocked) slowLink(o Object, id, link string) string {
	r, ok := s.records[o][id]
	if !ok {
		return ""
	}
	if own := r.Text(link); own != "" || o == Subscriptions {
		return own
	}
	if found := s.slowLink(Orders, r.Text("order_id"), link); o == Licenses && found != "" {
		return found
	}
	subscription := r.Text("subscription_id")
	if subscription == "" && o == Licenses {
		subscription = s.slowLink(Orders, r.Text("order_id"), "subscription_id")
	}
	return s.slowLink(Subscriptions, subscription, link)
}

// slowHas tells whether an object's records can have an id, and which a record
// has.
func (s *stocked) slowHas(r Record, name string) (string, bool) {
	if name == idFields[r.Object].String() {
		return r.ID(), true
	}
	for _, p := range r.Object.Properties() {
		if p.Name == name && p.Link != "" {
			return s.slowLink(r.Object, r.ID(), name), true
		}
	}
	return "", false
}

func (s *stocked) slowSelects(f Filters, r Record) bool {
	for name, want := range map[string]string{
		"product_id": f.ProductID, "customer_id": f.CustomerID, "license_id": f.LicenseID,
		"order_id": f.OrderID, "subscription_id": f.SubscriptionID,
	} {
		if got, can := s.slowHas(r, name); want != "" && (!can || got != want) {
			return false
		}
	}
	return true
}

// slowListed are the ids of an object that a report lists.
func (s *stocked) slowListed(f Filters, o Object, linking bool) []string {
	listed := map[string]bool{}
	for id, r := range s.records[o] {
		listed[id] = s.slowSelects(f, r)
	}
	for _, a := range s.matching(f, nil) {
		listed[a.Text[idFields[o]]] = true
	}
	for _, other := range Objects {
		for _, r := range s.records[other] {
			id, can := s.slowHas(r, idFields[o].String())
			if linking && can && other != o && s.slowSelects(f, r) {
				listed[id] = true
			}
		}
	}
	return slices.DeleteFunc(sortedKeys(listed), func(id string) bool { return id == "" || !listed[id] })
}

// slowRow is what a section says of a record itself.
func (s *stocked) slowRow(o Object, id string, names []string) (values row) {
	r, ok := s.records[o][id]
	if !ok {
		r = NewRecord(o)
		r.Set("id", id)
	}
	for _, name := range names {
		p := o.Properties()[slices.IndexFunc(o.Properties(), func(p Property) bool { return p.Name == name })]
		is, known := r.Bool(name)
		switch {
		case p.Type == TimeProperty:
			values = append(values, r.Int(name))
		case known:
			values = append(values, fmt.Sprint(is))
		case p.Link != "":
			values = append(values, s.slowLink(o, id, name))
		default:
			values = append(values, r.Text(name))
		}
	}
	return values
}

func (s *stocked) slowActivity(f Filters, o Object, id string) row {
	named := s.matching(f, func(a Activity) bool { return a.Text[idFields[o]] == id })
	events, amount := slowCount(named, slowIsUsage)
	first, last := slowTimes(named)
	return row{events, amount, first, last}
}

func (s *stocked) slowRecords(f Filters, o Object, names []string, linking, measured bool) (rows []row) {
	for _, id := range s.slowListed(f, o, linking) {
		values := s.slowRow(o, id, names)
		if measured {
			values = append(values, s.slowActivity(f, o, id)...)
		}
		rows = append(rows, values)
	}
	return rows
}

func (s *stocked) slowAudit(f Filters) map[string][]row {
	var timeline []row
	all := s.matching(f, nil)
	slices.SortStableFunc(all, func(a, b Activity) int { return cmp.Compare(a.OccurredAt, b.OccurredAt) })
	for _, a := range all {
		t := a.Text
		timeline = append(timeline, row{a.Sequence, t[FieldID], a.OccurredAt, t[FieldAction], t[FieldSource], t[FieldLicense],
			t[FieldFeature], a.Amount, t[FieldRequest], t[FieldResultClass], a.StatusCode})
	}
	return map[string][]row{
		"activities": timeline,
		"licenses":   s.slowRecords(f, Licenses, licenseProperties, false, true),
		"usage": slowGroups(s.matching(f, slowIsUsage),
			func(a Activity) row { return row{a.Text[FieldLicense], a.Text[FieldFeature]} },
			func(members []Activity) row {
				events, amount := slowCount(members, nil)
				first, last := slowTimes(members)
				return row{events, amount, first, last}
			}),
	}
}

func (s *stocked) slowCustomers(f Filters) map[string][]row {
	sections := map[string][]row{
		"licenses":      s.slowRecords(f, Licenses, licenseProperties, true, true),
		"orders":        s.slowRecords(f, Orders, orderProperties, true, false),
		"subscriptions": s.slowRecords(f, Subscriptions, subscriptionProperties, true, false),
		"usage": slowGroups(s.matching(f, slowIsUsage),
			func(a Activity) row {
				return row{a.Text[FieldCustomer], a.Text[FieldProduct], a.Text[FieldFeature]}
			},
			func(members []Activity) row {
				events, amount := slowCount(members, nil)
				return row{events, amount}
			}),
	}
	for _, id := range s.slowListed(f, Customers, true) {
		values := s.slowRow(Customers, id, []string{"id", "name", "code", "email"})
		for _, held := range []struct {
			section string
			column  int
		}{{"licenses", 3}, {"orders", 2}, {"subscriptions", 2}} {
			n := int64(0)
			for _, r := range sections[held.section] {
				if r[held.column] == id {
					n++
				}
			}
			values = append(values, n)
		}
		sections["customers"] = append(sections["customers"], append(values, s.slowActivity(f, Customers, id)...))
	}
	return sections
}

// slowPeriod looks through all orders for the period of an activity.
func (s *stocked) slowPeriod(f Filters, a Activity) (start, end int64, order string) {
	if f.From != nil || f.To != nil {
		start, end = Null, Null
		if f.From != nil {
			start = int64(*f.From)
		}
		if f.To != nil {
			end = int64(*f.To)
		}
		return start, end, ""
	}
	start, end = Null, Null
	subscription, any := a.Text[FieldSubscription], false
	for _, id := range sortedKeys(s.records[Orders]) {
		r := s.records[Orders][id]
		from, to := r.Int("period_start"), r.Int("period_end")
		mine := subscription != "" && r.Text("subscription_id") == subscription || subscription == "" && id == a.Text[FieldOrder]
		if !mine || r.Text("status") == "canceled" || from == Null || to <= from {
			continue
		}
		any = true
		if from <= a.OccurredAt && a.OccurredAt < to && (order == "" || from > start) {
			start, end, order = from, to, id
		}
	}
	if r, ok := s.records[Subscriptions][subscription]; ok && !any {
		from, to := r.Int("current_period_start"), r.Int("current_period_end")
		if from != Null && from <= a.OccurredAt && a.OccurredAt < to {
			start, end = from, to
		}
	}
	return start, end, order
}

func (s *stocked) slowSettlement(f Filters) map[string][]row {
	rows := slowGroups(s.matching(f, slowIsUsage),
		func(a Activity) row {
			start, end, order := s.slowPeriod(f, a)
			key := row{a.Text[FieldSubscription], start, end, order} // as the rows are sorted
			for _, name := range f.GroupBy {
				if name != "subscription_id" {
					key = append(key, a.Text[slices.Index(fieldNames[:], name)])
				}
			}
			return key
		},
		func(members []Activity) row {
			events, amount := slowCount(members, nil)
			adjusted, adjustedAmount := slowCount(members, func(a Activity) bool { return a.Text[FieldAction] == "usage.adjusted" })
			late, lateAmount := slowCount(members, func(a Activity) bool {
				_, end, _ := s.slowPeriod(f, a)
				return end != Null && end > s.activities[0].ReceivedAt && a.ReceivedAt >= end
			})
			return row{events, amount, adjusted, adjustedAmount, late, lateAmount}
		})
	for _, r := range rows { // as the columns stand
		r[1], r[2], r[3] = r[3], r[1], r[2]
	}
	return map[string][]row{
		"orders":        s.slowRecords(f, Orders, orderProperties, true, false),
		"subscriptions": s.slowRecords(f, Subscriptions, subscriptionProperties, true, true),
		"usage":         rows,
	}
}

var recordKinds = map[Kind]func(*stocked, Filters) map[string][]row{
	LicenseAudit: (*stocked).slowAudit, CustomerSummary: (*stocked).slowCustomers, SubscriptionSettlement: (*stocked).slowSettlement,
}

// randomRecordFilters are those of randomFilters, and a grouping.
func randomRecordFilters(random *rand.Rand, kind Kind, start int64) map[string]string {
	values := randomFilters(random, kind, start)
	if kind == SubscriptionSettlement && random.IntN(2) == 0 {
		var names []string
		for _, i := range random.Perm(len(groupings))[:1+random.IntN(3)] {
			names = append(names, groupings[i])
		}
		values["group_by"] = strings.Join(names, ",")
	}
	return values
}

func TestRecordKindsMatchSlowReference(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	start := instant(t, "2026-03-27T00:00:00Z")
	found := map[string]int{}
	for range 120 {
		source := randomStocked(random, start)
		for kind, slow := range recordKinds {
			values := randomRecordFilters(random, kind, start)
			f := parseFilters(t, kind, values)
			want := slow(source, f)
			d, err := Build(t.Context(), source, kind, f)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // a built document may be read again
				got, err := readAll(d)
				if err != nil {
					t.Fatalf("%s %q: %v", kind, values, err)
				}
				for _, section := range d.Sections {
					rows := want[section.Name]
					found[string(kind)+" "+section.Name] += len(rows)
					if !reflect.DeepEqual(got[section.Name], rows) {
						t.Fatalf("%s %q, section %s:\ngot  %v\nwant %v", kind, values, section.Name, got[section.Name], rows)
					}
				}
			}
		}
	}
	if len(found) != 3+5+3 {
		t.Errorf("compared %d sections: %v", len(found), found)
	}
	for section, rows := range found {
		if rows < 500 {
			t.Errorf("%s had %d rows in all, too few to mean much", section, rows)
		}
	}
}

// Each section stands on its own: reading them in any order gives the same.
func TestRecordKindsReadInAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	source := randomStocked(random, instant(t, "2026-03-27T00:00:00Z"))
	for kind := range recordKinds {
		want := build(t, source, kind, nil)
		d, err := Build(t.Context(), source, kind, parseFilters(t, kind, nil))
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(d.Sections)
		if got, err := readAll(d); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s, last section first: %v\ngot  %v\nwant %v", kind, err, got, want)
		}
	}
}

// With the same filters all kinds speak of the same usage, and within a kind
// the sections agree.
func TestAllKindsReconcile(t *testing.T) {
	random := rand.New(rand.NewPCG(15, 16))
	start := instant(t, "2026-03-27T00:00:00Z")
	compared := int64(0)
	for range 90 {
		source := randomStocked(random, start)
		values := randomFilters(random, CustomerSummary, start)
		ledger := totalsOf(t, source, UsageLedger, values)
		compared += ledger["rows"]
		for _, kind := range []Kind{UsageSummary, LicenseAudit, CustomerSummary, SubscriptionSettlement} {
			usage := totalsOf(t, source, kind, values)
			if usage["events"] != ledger["rows"] || usage["amount"] != ledger["amount"] {
				t.Errorf("%s %q: %v, the ledger has %v", kind, values, usage, ledger)
			}
		}
		checkTimeline(t, source, values, ledger)
		for kind, by := range map[Kind]struct{ section, id string }{
			LicenseAudit:           {"licenses", "license_id"},
			CustomerSummary:        {"customers", "customer_id"},
			SubscriptionSettlement: {"subscriptions", "subscription_id"},
		} {
			rows := build(t, source, kind, values)
			var events, amount int64
			for _, r := range pick(t, kind, values, rows, by.section, "usage_events", "usage_amount") {
				events, amount = events+r[0].(int64), amount+r[1].(int64)
			}
			for _, r := range pick(t, kind, values, rows, "usage", by.id, "events", "amount") {
				if r[0] == "" {
					events, amount = events+r[1].(int64), amount+r[2].(int64)
				}
			}
			if events != ledger["rows"] || amount != ledger["amount"] {
				t.Errorf("%s %q: %s and usage without have %d events, %d in amount; the ledger has %v", kind, values, by.section, events, amount, ledger)
			}
		}
	}
	if compared < 1_000 {
		t.Errorf("%d activities were compared, too few to mean much", compared)
	}
}

// checkTimeline adds up the usage in the timeline of a license audit.
func checkTimeline(t *testing.T, source *stocked, values map[string]string, ledger map[string]int64) {
	t.Helper()
	var events, amount int64
	for _, r := range pick(t, LicenseAudit, values, build(t, source, LicenseAudit, values), "activities", "action", "amount") {
		if strings.HasPrefix(r[0].(string), "usage.") {
			events++
			if r[1] != Null {
				amount += r[1].(int64)
			}
		}
	}
	if events != ledger["rows"] || amount != ledger["amount"] {
		t.Errorf("%q: the timeline has %d events of usage, %d in amount; the ledger has %v", values, events, amount, ledger)
	}
}
