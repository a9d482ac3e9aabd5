package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// wanted says of one activity whether usage with these filters includes it.
func wanted(f Filters, a Activity) bool {
	equal := func(want, got string) bool { return want == "" || want == got }
	return strings.HasPrefix(a.Text[FieldAction], "usage.") &&
		(f.From == nil || a.OccurredAt >= int64(*f.From)) && (f.To == nil || a.OccurredAt < int64(*f.To)) &&
		equal(f.ProductID, a.Text[FieldProduct]) && equal(f.CustomerID, a.Text[FieldCustomer]) &&
		equal(f.LicenseID, a.Text[FieldLicense]) && equal(f.OrderID, a.Text[FieldOrder]) &&
		equal(f.SubscriptionID, a.Text[FieldSubscription]) && equal(f.FeatureCode, a.Text[FieldFeature]) &&
		equal(f.Action, a.Text[FieldAction])
}

// slowLedger is the usage-ledger, row by row.
func slowLedger(f Filters, activities []Activity) (rows []row) {
	activities = slices.Clone(activities)
	slices.SortFunc(activities, func(a, b Activity) int {
		return cmp.Or(cmp.Compare(a.OccurredAt, b.OccurredAt), cmp.Compare(a.Sequence, b.Sequence))
	})
	for _, a := range activities {
		if wanted(f, a) {
			t := a.Text
			rows = append(rows, row{a.Sequence, t[FieldID], a.OccurredAt, t[FieldAction], t[FieldSource], t[FieldProduct], t[FieldCustomer],
				t[FieldLicense], t[FieldOrder], t[FieldSubscription], t[FieldFeature], a.Amount, t[FieldRequest], t[FieldResultClass], a.StatusCode})
		}
	}
	return rows
}

// slowSummary is the usage-summary: a group's key is its row without the sums.
func slowSummary(f Filters, activities []Activity) (rows []row) {
	groups := map[string]int{}
	for _, a := range activities {
		if !wanted(f, a) {
			continue
		}
		key := slowKey(f, a)
		at, ok := groups[fmt.Sprintf("%#v", key)]
		if !ok {
			at = len(rows)
			groups[fmt.Sprintf("%#v", key)] = at
			rows = append(rows, append(key, int64(0), int64(0)))
		}
		events, amount := len(key), len(key)+1
		rows[at][events] = rows[at][events].(int64) + 1
		if a.Amount != Null {
			rows[at][amount] = rows[at][amount].(int64) + a.Amount
		}
	}
	slices.SortFunc(rows, compareRows)
	return rows
}

func slowKey(f Filters, a Activity) (key row) {
	at := time.UnixMilli(a.OccurredAt)
	switch f.Bucket {
	case "1h":
		key = append(key, at.Truncate(time.Hour).UnixMilli())
	case "1d": // in zones whose midnights are all there
		location, _ := time.LoadLocation(f.TimeZone)
		year, month, day := at.In(location).Date()
		key = append(key, time.Date(year, month, day, 0, 0, 0, 0, location).UnixMilli())
	}
	for _, name := range f.GroupBy {
		key = append(key, a.Text[slices.Index(fieldNames[:], name)])
	}
	return key
}

func compareRows(a, b row) int {
	for i := range a {
		if n, ok := a[i].(int64); ok {
			if c := cmp.Compare(n, b[i].(int64)); c != 0 {
				return c
			}
		} else if c := cmp.Compare(a[i].(string), b[i].(string)); c != 0 {
			return c
		}
	}
	return 0
}

// randomFilters sets each filter now and then.
func randomFilters(random *rand.Rand, kind Kind, start int64) map[string]string {
	values := map[string]string{}
	for _, name := range FilterNames(kind) {
		if random.IntN(6) > 0 {
			continue
		}
		switch name {
		case "from":
			values[name] = FormatTime(start + random.Int64N(2)*msPerDay)
		case "to":
			values[name] = FormatTime(start + (2+random.Int64N(3))*msPerDay)
		case "action":
			values[name] = "usage.consumed"
		case "group_by", "bucket", "time_zone": // below
		default:
			values[name] = fmt.Sprintf("%s %d", name, random.IntN(3))
		}
	}
	if kind != UsageSummary {
		return values
	}
	if random.IntN(3) > 0 {
		order := random.Perm(len(groupings))[:1+random.IntN(4)]
		var names []string
		for _, i := range order {
			names = append(names, groupings[i])
		}
		values["group_by"] = strings.Join(names, ",")
	}
	if bucket := []string{"", "1h", "1d"}[random.IntN(3)]; bucket != "" {
		values["bucket"] = bucket
	}
	if zone := []string{"", "UTC", "Europe/Berlin", "Asia/Kathmandu"}[random.IntN(4)]; zone != "" {
		values["time_zone"] = zone
	}
	return values
}

// TestUsageInPartsMatchesSlowReference groups a handful of facts at a time, as
// large ledgers are.
func TestUsageInPartsMatchesSlowReference(t *testing.T) {
	defer func(before int64) { partEvents = before }(partEvents)
	partEvents = 15
	TestUsageMatchesSlowReference(t)
}

func TestUsageMatchesSlowReference(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	found := 0
	for round := range 90 {
		start := instant(t, []string{"2026-03-27T00:00:00Z", "2026-10-23T00:00:00Z", "1969-12-30T00:00:00Z"}[round%3])
		source := &memory{activities: randomActivities(random, random.IntN(400), start), perBatch: 1 + random.IntN(100), plain: round%2 == 0}
		slowly := map[Kind]func(Filters, []Activity) []row{UsageLedger: slowLedger, UsageSummary: slowSummary}
		for _, kind := range []Kind{UsageLedger, UsageSummary} { // in this order, so that every run has the same filters
			slow := slowly[kind]
			values := randomFilters(random, kind, start)
			f := parseFilters(t, kind, values)
			d, err := Build(t.Context(), source, kind, f)
			if err != nil {
				t.Fatal(err)
			}
			want := slow(f, source.activities)
			found += len(want)
			for range 2 { // a built document may be read again
				if got, err := readAll(d); err != nil || !reflect.DeepEqual(got["usage"], want) {
					t.Fatalf("%s %q: %v\ngot  %v\nwant %v", kind, values, err, got["usage"], want)
				}
			}
		}
	}
	if found < 5_000 {
		t.Errorf("the reports had %d rows in all, too few to mean much", found)
	}
}

// Equal filters give equal sums in both kinds, however the summary groups.
func TestSummaryReconcilesWithLedger(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	start := instant(t, "2026-03-27T00:00:00Z")
	source := &memory{activities: randomActivities(random, 2_000, start), perBatch: 100}
	for range 50 {
		values := randomFilters(random, UsageLedger, start)
		delete(values, "action")
		ledger := totalsOf(t, source, UsageLedger, values)
		for _, groups := range []string{"product_id", "customer_id,action,source", "feature_code,license_id"} {
			values["group_by"], values["bucket"] = groups, "1d"
			summary := totalsOf(t, source, UsageSummary, values)
			if ledger["rows"] != summary["events"] || ledger["amount"] != summary["amount"] {
				t.Errorf("%q: the ledger has %v, the summary %v", values, ledger, summary)
			}
		}
	}
}

func totalsOf(t *testing.T, source Source, kind Kind, values map[string]string) map[string]int64 {
	t.Helper()

	known := map[string]string{}
	for _, name := range FilterNames(kind) {
		if value, ok := values[name]; ok {
			known[name] = value
		}
	}
	f := parseFilters(t, kind, known)
	d, err := Build(t.Context(), source, kind, f)
	if err != nil {
		t.Fatal(err)
	}
	totals, err := WriteCanonical(io.Discard, d)
	if err != nil {
		t.Fatal(err)
	}
	return totals["usage"]
}

func TestUsageOverflows(t *testing.T) {
	activities := randomActivities(rand.New(rand.NewPCG(5, 6)), 1_100, 0)
	for i := range activities {
		activities[i].Amount, activities[i].Text[FieldAction] = MaxAmount, "usage.consumed"
	}
	for _, kind := range []Kind{UsageLedger, UsageSummary} {
		f := parseFilters(t, kind, nil)
		d, err := Build(t.Context(), &memory{activities: activities, perBatch: 100}, kind, f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := WriteCanonical(io.Discard, d); !errors.Is(err, ErrOverflow) {
			t.Errorf("%s of 1,100 times 2^53-1: %v, want ErrOverflow", kind, err)
		}
	}
}

func TestBuildHeedsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	source := &memory{activities: randomActivities(rand.New(rand.NewPCG(7, 8)), 100, 0), perBatch: 10}
	for _, kind := range []Kind{UsageLedger, UsageSummary} {
		d, err := Build(ctx, source, kind, parseFilters(t, kind, nil))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(d); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with an ended context: %v, want %v", kind, err, context.Canceled)
		}
	}
	var refused *FilterError
	if _, err := Build(t.Context(), source, "no-such-kind", Filters{}); !errors.As(err, &refused) {
		t.Errorf("build an unknown kind: %v, want a FilterError", err)
	}
}

// serial is a dimension in which each fact has a value of its own.
type serial struct{ next uint32 }

func (s *serial) columns() []Column         { return nil }
func (s *serial) key() []string             { return nil }
func (s *serial) fields() FieldSet          { return 0 }
func (s *serial) compare(a, b uint32) int   { return cmp.Compare(a, b) }
func (s *serial) add(*Builder, int, uint32) {}
func (s *serial) number(_ *Facts, codes []uint32) {
	for i := range codes {
		codes[i] = s.next
		s.next++
	}
}

func TestTooManyGroups(t *testing.T) {
	g := newGroups([]dimension{&serial{}})
	facts := &Facts{Sequence: make([]int64, MaxGroups), Amount: make([]int64, MaxGroups)}
	if err := g.add(facts); err != nil {
		t.Fatalf("%d groups: %v", MaxGroups, err)
	}
	one := &Facts{Sequence: make([]int64, 1), Amount: make([]int64, 1)}
	if err := g.add(one); !errors.Is(err, ErrTooManyGroups) {
		t.Errorf("one group more: %v, want ErrTooManyGroups", err)
	}
}

// Only values that facts have count as groups, however large a dictionary is.
func TestUnusedValuesAreNoGroups(t *testing.T) {
	values := make([]string, MaxGroups+2)
	values[MaxGroups+1] = "used"
	facts := &Facts{Sequence: []int64{1}, Amount: []int64{5}}
	facts.Text[FieldCustomer] = Coded{Values: ListTexts(values...), Codes: []uint32{MaxGroups + 1}}
	g := newGroups([]dimension{&textDimension{field: FieldCustomer}})
	if err := g.add(facts); err != nil || g.size != 1 {
		t.Errorf("one fact makes %d groups, %v; want 1", g.size, err)
	}
}
