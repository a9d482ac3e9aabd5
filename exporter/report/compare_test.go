package report

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// slowCompare finds the differences by looking every row up.
func slowCompare(t *testing.T, before, after *Document) (found []string) {
	t.Helper()
	sides := [2]map[string][]row{}
	for i, d := range []*Document{before, after} {
		var err error
		if sides[i], err = readAll(d); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range before.Sections {
		keyed := [2]map[string]row{{}, {}}
		for i := range sides {
			for _, r := range sides[i][s.Name] {
				keyed[i][keyOf(s, r)] = r
			}
		}
		for key, r := range keyed[0] {
			if other, ok := keyed[1][key]; !ok {
				found = append(found, s.Name+" removed "+key)
			} else if !reflect.DeepEqual(r, other) {
				found = append(found, s.Name+" changed "+key)
			}
		}
		for key := range keyed[1] {
			if _, ok := keyed[0][key]; !ok {
				found = append(found, s.Name+" added "+key)
			}
		}
	}
	slices.Sort(found)
	return found
}

func keyOf(s Section, r row) string {
	var parts []string
	for _, name := range s.Key {
		i := slices.IndexFunc(s.Columns, func(c Column) bool { return c.Name == name })
		parts = append(parts, fmt.Sprint(r[i]))
	}
	return strings.Join(parts, "|")
}

// keyOfRow is keyOf for a row as a difference has it.
func keyOfRow(s Section, r map[string]any) string {
	var parts []string
	for _, name := range s.Key {
		i := slices.IndexFunc(s.Columns, func(c Column) bool { return c.Name == name })
		switch value := r[name]; {
		case value == nil && s.Columns[i].Type == String:
			parts = append(parts, "")
		case value == nil:
			parts = append(parts, fmt.Sprint(Null))
		case s.Columns[i].Type == Time:
			ms, _ := ParseTime(value.(string))
			parts = append(parts, fmt.Sprint(ms))
		default:
			parts = append(parts, fmt.Sprint(value))
		}
	}
	return strings.Join(parts, "|")
}

// Reports of every kind, of two states of the data: the merge finds what looking
// up each row does, and so the sections are sorted by their keys.
func TestCompareMatchesSlowReference(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	start := instant(t, "2026-03-27T00:00:00Z")
	counts := map[Change]int64{}
	for range 60 {
		sources := []*stocked{randomStocked(random, start), randomStocked(random, start)}
		for _, name := range KindNames() {
			kind := Kind(name)
			values := randomFilters(random, kind, start)
			var sides []*Document
			for _, source := range sources {
				d, err := Build(t.Context(), source, kind, parseFilters(t, kind, values))
				if err != nil {
					t.Fatal(err)
				}
				sides = append(sides, d)
			}
			var got []string
			c, err := Compare(sides[0], sides[1], func(d Difference) error {
				i := slices.IndexFunc(sides[0].Sections, func(s Section) bool { return s.Name == d.Section })
				r := d.Before
				if r == nil {
					r = d.After
				}
				if (d.Before == nil) != (d.Change == Added) || (d.After == nil) != (d.Change == Removed) {
					t.Errorf("%s: %+v has the wrong sides", kind, d)
				}
				counts[d.Change]++
				got = append(got, d.Section+" "+string(d.Change)+" "+keyOfRow(sides[0].Sections[i], r))
				return nil
			})
			if err != nil {
				t.Fatalf("%s %q: %v", kind, values, err)
			}
			slices.Sort(got)
			if want := slowCompare(t, sides[0], sides[1]); !slices.Equal(got, want) {
				t.Fatalf("%s %q:\ngot  %q\nwant %q", kind, values, got, want)
			}
			if c.Differences() != int64(len(got)) {
				t.Errorf("%s %q: %d differences counted of %d", kind, values, c.Differences(), len(got))
			}
			for section, s := range c.Sections {
				if before := s.Removed + s.Changed + s.Unchanged; before != c.TotalsBefore[section]["rows"] {
					t.Errorf("%s %q, %s: %+v, but %d rows before", kind, values, section, s, c.TotalsBefore[section]["rows"])
				}
			}
		}
	}
	for _, change := range []Change{Added, Removed, Changed} {
		if counts[change] < 500 {
			t.Errorf("%d rows were %s, too few to mean much", counts[change], change)
		}
	}
}

func TestCompareRefuses(t *testing.T) {
	random := rand.New(rand.NewPCG(23, 24))
	source := randomStocked(random, instant(t, "2026-03-27T00:00:00Z"))
	make := func(kind Kind, values map[string]string) *Document {
		d, err := Build(t.Context(), source, kind, parseFilters(t, kind, values))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	nothing := func(Difference) error { return nil }
	var refused *IncomparableError
	if _, err := Compare(make(UsageLedger, nil), make(UsageSummary, nil), nothing); !errors.As(err, &refused) || refused.Problem != "one is a usage-ledger, the other a usage-summary" {
		t.Errorf("two kinds: error %v, want an IncomparableError", err)
	}
	grouped := make(UsageSummary, map[string]string{"group_by": "customer_id"})
	if _, err := Compare(make(UsageSummary, nil), grouped, nothing); !errors.As(err, &refused) || refused.Problem != "one is grouped by product_id, feature_code, the other by customer_id" {
		t.Errorf("two groupings: error %v, want an IncomparableError", err)
	}
	enough := errors.New("enough")
	empty := make(UsageLedger, map[string]string{"customer_id": "nobody"})
	if _, err := Compare(make(UsageLedger, nil), empty, func(Difference) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a reader that has enough: error %v, want its own", err)
	}
	unsorted := make(UsageLedger, nil)
	rows := unsorted.Sections[0].Rows
	unsorted.Sections[0].Rows = func(yield func(Batch, error) bool) {
		rows(yield)
		rows(yield)
	}
	if _, err := Compare(unsorted, make(UsageLedger, nil), nothing); err == nil || !strings.Contains(err.Error(), "not sorted by occurred_at, sequence") {
		t.Errorf("rows twice: error %v, want one about their order", err)
	}
}
