package report

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
)

// With a memory a summary is what it is without one, while the ledger grows, from
// older states too, and whatever was forgotten or not kept.
func TestMemoryChangesNothing(t *testing.T) {
	defer func(summaries, groups, all int) { knownSummaries, knownGroups, knownInAll = summaries, groups, all }(knownSummaries, knownGroups, knownInAll)
	knownSummaries, knownGroups, knownInAll = 5, 40, 100
	random := rand.New(rand.NewPCG(7, 8))
	start := instant(t, "2026-03-27T00:00:00Z")
	all := randomActivities(random, 1_500, start)
	filters := make([]Filters, 9)
	for i := range filters {
		filters[i] = parseFilters(t, UsageSummary, randomFilters(random, UsageSummary, start))
	}
	var m Memory
	kept, large := 0, 0
	for range 600 {
		f, order := filters[random.IntN(len(filters))], []string{"", "amount", "events"}[random.IntN(3)]
		source := &memory{activities: all[:random.IntN(len(all)+1)], perBatch: 1 + random.IntN(100)}
		excerpt := Excerpt{Limit: 1 + random.IntN(50), Order: order}
		want, _, err := ReadLive(t.Context(), source, UsageSummary, f, excerpt)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := m.ReadLive(t.Context(), source, UsageSummary, f, excerpt)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v of %d activities: %v\ngot  %+v\nwant %+v", f, source.Sequence(), err, got, want)
		}
		if len(m.known) > knownSummaries || m.size() > knownInAll {
			t.Fatalf("%d groups in %d summaries are known, want at most %d in %d", m.size(), len(m.known), knownInAll, knownSummaries)
		}
		for _, s := range m.known {
			if s.groups != nil && s.asOf > 0 {
				kept++
			}
			if s.tooMany {
				large++
			}
		}
	}
	if kept == 0 || large == 0 {
		t.Errorf("kept %d, too large %d, want some of both", kept, large)
	}
}

// counting counts the activities that a source hands out.
type counting struct {
	*memory
	rows int
}

func (c *counting) Activities(ctx context.Context, scan Scan) iter.Seq2[*Facts, error] {
	return func(yield func(*Facts, error) bool) {
		for facts, err := range c.memory.Activities(ctx, scan) {
			if facts != nil {
				c.rows += facts.Len()
			}
			if !yield(facts, err) {
				return
			}
		}
	}
}

// A second reading reads what is new, and one that failed leaves nothing behind.
func TestMemoryReadsWhatIsNew(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	all := randomActivities(random, 1_000, 0)
	for i := range all {
		all[i].Text[FieldAction] = "usage.consumed"
	}
	f := parseFilters(t, UsageSummary, map[string]string{"group_by": "action"})
	var m Memory
	for _, step := range []struct {
		activities, want int
		broken           bool
	}{{600, 600, false}, {600, 0, false}, {1_000, 0, true}, {1_000, 1_000, false}, {1_000, 0, false}} {
		source := &counting{memory: &memory{activities: all[:step.activities], perBatch: 100}}
		ctx, cancel := context.WithCancel(t.Context())
		if step.broken {
			cancel()
		}
		live, _, err := m.ReadLive(ctx, source, UsageSummary, f, Excerpt{Limit: 10})
		cancel()
		if step.broken {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a reading that is given up gives %v, want %v", err, context.Canceled)
			}
			continue
		}
		if err != nil || source.rows != step.want || live.Totals["usage"]["events"] != int64(step.activities) {
			t.Errorf("of %d activities %d were read, want %d; %v, %v", step.activities, source.rows, step.want, live, err)
		}
	}
}

// Several may read at the same time, each the state that it has.
func TestMemoryIsShared(t *testing.T) {
	all := randomActivities(rand.New(rand.NewPCG(11, 12)), 1_000, 0)
	f := parseFilters(t, UsageSummary, map[string]string{"group_by": "action,source"})
	var m Memory
	var readers sync.WaitGroup
	for reader := range 8 {
		readers.Go(func() {
			random := rand.New(rand.NewPCG(13, uint64(reader)))
			for range 40 {
				source := &memory{activities: all[:random.IntN(len(all)+1)], perBatch: 100}
				want, _, wantErr := ReadLive(t.Context(), source, UsageSummary, f, Excerpt{Limit: 100})
				got, _, err := m.ReadLive(t.Context(), source, UsageSummary, f, Excerpt{Limit: 100})
				if err != nil || wantErr != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("of %d activities: %v, %v\ngot  %+v\nwant %+v", source.Sequence(), err, wantErr, got, want)
				}
			}
		})
	}
	readers.Wait()
}
