package report

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"testing"
)

// stocked is a Source with records.
type stocked struct {
	*memory
	records map[Object]map[string]Record
}

func (s *stocked) Record(o Object, id string) (Record, error) {
	r, ok := s.records[o][id]
	if !ok {
		return Record{}, fmt.Errorf("%s %s: %w", o, id, fs.ErrNotExist)
	}
	return r, nil
}

// Records leaves out what it may.
func (s *stocked) Records(ctx context.Context, o Object, match Match) iter.Seq2[Record, error] {
	others := func(r Record) bool {
		for name, want := range match.Asked(o) {
			if got := r.Text(name); got != "" && got != want {
				return true
			}
		}
		return false
	}
	return func(yield func(Record, error) bool) {
		for _, id := range sortedKeys(s.records[o]) {
			if err := ctx.Err(); err != nil {
				yield(Record{}, err)
				return
			}
			if r := s.records[o][id]; !others(r) && !yield(r, nil) {
				return
			}
		}
	}
}

func (s *stocked) put(r Record) {
	if s.records[r.Object] == nil {
		s.records[r.Object] = map[string]Record{}
	}
	s.records[r.Object][r.ID()] = r
}

// newStocked has these activities, as they come, and records that are written
// as their object and then names and values.
func newStocked(activities []Activity, records ...[]any) *stocked {
	for i := range activities {
		activities[i].Sequence = int64(i + 1)
		activities[i].Text[FieldID] = fmt.Sprint("evt_", i)
	}
	s := &stocked{&memory{activities: activities, perBatch: 3}, map[Object]map[string]Record{}}
	for _, properties := range records {
		r := NewRecord(properties[0].(Object))
		for i := 1; i < len(properties); i += 2 {
			r.Set(properties[i].(string), properties[i+1])
		}
		s.put(r)
	}
	return s
}

// used is an activity that uses something.
func used(at, amount int64, fields map[Field]string) Activity {
	a := Activity{OccurredAt: at, ReceivedAt: at, Amount: amount, StatusCode: Null}
	a.Text[FieldAction] = "usage.consumed"
	for field, text := range fields {
		a.Text[field] = text
	}
	return a
}

// randomStocked has activities and records that name some of each other and
// some that are not there, and agree only by chance.
func randomStocked(random *rand.Rand, start int64) *stocked {
	s := &stocked{&memory{perBatch: 1 + random.IntN(60), plain: random.IntN(2) == 0}, map[Object]map[string]Record{}}
	s.activities = randomActivities(random, random.IntN(200), start)
	for i := range s.activities {
		s.activities[i].ReceivedAt = s.activities[i].OccurredAt + random.Int64N(3*msPerDay)
	}
	for _, o := range Objects {
		for id := range 5 {
			if random.IntN(3) > 0 {
				s.put(randomRecord(random, o, fmt.Sprint(idFields[o], " ", id), start))
			}
		}
	}
	return s
}

func randomRecord(random *rand.Rand, o Object, id string, start int64) Record {
	r := NewRecord(o)
	for _, p := range o.Properties() {
		if random.IntN(3) == 0 {
			continue
		}
		switch {
		case p.Link != "":
			r.Set(p.Name, fmt.Sprint(p.Name, " ", random.IntN(4)))
		case len(p.OneOf) > 0:
			r.Set(p.Name, p.OneOf[random.IntN(len(p.OneOf))])
		case p.Type == TimeProperty:
			r.Set(p.Name, start+random.Int64N(10)*msPerDay/2)
		case p.Type == BooleanProperty:
			r.Set(p.Name, random.IntN(2) == 0)
		case p.Type == IntegerProperty:
			r.Set(p.Name, random.Int64N(10))
		default:
			r.Set(p.Name, fmt.Sprint(p.Name, " of ", id))
		}
	}
	r.Set("id", id)
	return r
}

// build reads the report of a kind whole.
func build(t testing.TB, source Source, kind Kind, filters map[string]string) map[string][]row {
	t.Helper()
	d, err := Build(t.Context(), source, kind, parseFilters(t, kind, filters))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := readAll(d)
	if err != nil {
		t.Fatalf("%s %q: %v", kind, filters, err)
	}
	return rows
}

// pick gives some columns of a section's rows, by their names.
func pick(t testing.TB, kind Kind, filters map[string]string, rows map[string][]row, section string, names ...string) (picked []row) {
	t.Helper()
	for _, s := range Sections(kind, parseFilters(t, kind, filters)) {
		if s.Name != section {
			continue
		}
		for _, values := range rows[section] {
			var some row
			for _, name := range names {
				found := false
				for i, c := range s.Columns {
					if c.Name == name {
						some, found = append(some, values[i]), true
					}
				}
				if !found {
					t.Fatalf("%s has no column %s in %s", kind, name, section)
				}
			}
			picked = append(picked, some)
		}
	}
	return picked
}

// More selected records than are remembered are listed all the same.
func TestManySelectedRecords(t *testing.T) {
	s := newStocked([]Activity{used(1, 5, map[Field]string{FieldProduct: "p", FieldLicense: "nobody's"})})
	for i := range fewRecords + 3 {
		r := NewRecord(Licenses)
		r.Set("id", fmt.Sprintf("L%05d", i))
		r.Set("product_id", [...]string{"p", "q"}[i/(fewRecords+2)])
		s.put(r)
	}
	for product, want := range map[string]int{"p": fewRecords + 3, "q": 1} { // with the one that the activity names
		for _, kind := range []Kind{CustomerSummary, LicenseAudit} {
			values := map[string]string{"product_id": product}
			rows := pick(t, kind, values, build(t, s, kind, values), "licenses", "id")
			if len(rows) != want {
				t.Errorf("%s of %s has %d licenses, want %d", kind, product, len(rows), want)
			}
		}
	}
}
