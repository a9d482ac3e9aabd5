package ledger

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"go.etcd.io/bbolt"
)

// withIndex runs f on the index of a ledger in a write transaction.
func withIndex(t *testing.T, l *Ledger, f func(tx *bbolt.Tx, x *index) error) {
	t.Helper()
	err := l.db.Update(func(tx *bbolt.Tx) error {
		s, err := openShelf(tx)
		if err != nil {
			return err
		}
		if err := f(tx, s.index); err != nil {
			return err
		}
		return s.save()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// lookUp finds the sequences of some hashes, in order.
func lookUp(t *testing.T, x *index, hashes []uint64) map[uint64][]uint64 {
	t.Helper()
	hashes = slices.Compact(slices.Sorted(slices.Values(hashes)))
	queries := make([]entry, len(hashes))
	for i, h := range hashes {
		queries[i] = entry{h, h}
	}
	found := map[uint64][]uint64{}
	if err := x.find(queries, func(query, sequence uint64) { found[query] = append(found[query], sequence) }); err != nil {
		t.Fatal(err)
	}
	for _, sequences := range found {
		slices.Sort(sequences)
	}
	return found
}

func compareLookUps(t *testing.T, got, want map[uint64][]uint64, asked []uint64) {
	t.Helper()
	for _, h := range asked {
		if !slices.Equal(got[h], want[h]) {
			t.Fatalf("hash %x: got %v, want %v", h, got[h], want[h])
		}
	}
}

func TestIndexFindsWhatItHolds(t *testing.T) {
	for name, draw := range map[string]func(*rand.Rand) uint64{
		"random hashes": func(r *rand.Rand) uint64 { return r.Uint64() },
		"few hashes":    func(r *rand.Rand) uint64 { return r.Uint64N(300) << 55 },
		"extreme hashes": func(r *rand.Rand) uint64 {
			return []uint64{0, 1, math.MaxUint64 - 1, math.MaxUint64, 1 << 63}[r.IntN(5)]
		},
	} {
		t.Run(name, func(t *testing.T) {
			random, l := rand.New(rand.NewPCG(4, 2)), newLedger(t)
			want, all, sequence := map[uint64][]uint64{}, []uint64{}, uint64(0)
			for round := range 30 {
				added := make([]entry, 1+random.IntN([]int{3, 500, 12_000}[round%3]))
				for i := range added {
					sequence++
					h := draw(random)
					added[i] = entry{h, sequence}
					want[h] = append(want[h], sequence)
					all = append(all, h)
				}
				withIndex(t, l, func(tx *bbolt.Tx, x *index) error {
					return x.add(tx, sortByKey(added, make([]entry, len(added))))
				})
				asked := []uint64{draw(random), all[random.IntN(len(all))], all[random.IntN(len(all))]}
				if round%10 == 9 && name == "random hashes" {
					asked = append(asked, all...)
				}
				withIndex(t, l, func(_ *bbolt.Tx, x *index) error {
					compareLookUps(t, lookUp(t, x, asked), want, asked)
					return nil
				})
			}
		})
	}
}

func TestRunsAreMergedAndNothingIsLost(t *testing.T) {
	random, l := rand.New(rand.NewPCG(4, 2)), newLedger(t)
	most, merging, sequence := 0, 0, uint64(0)
	for range 60 {
		added := make([]entry, directRun)
		for i := range added {
			sequence++
			added[i] = entry{random.Uint64(), sequence}
		}
		withIndex(t, l, func(tx *bbolt.Tx, x *index) error {
			err := x.add(tx, sortByKey(added, make([]entry, len(added))))
			most = max(most, len(x.known))
			if slices.ContainsFunc(x.known, func(r run) bool { return r.into != 0 }) {
				merging++
			}
			return err
		})
	}
	if most > 3*fanOut || merging == 0 {
		t.Errorf("up to %d runs at once, merging after %d commits: want at most %d, and some", most, merging, 3*fanOut)
	}
	withIndex(t, l, func(_ *bbolt.Tx, x *index) error {
		seen, total := make([]bool, sequence+1), 0
		for _, r := range x.known {
			entries, _, err := x.checkRun(context.Background(), r.number)
			if err != nil || entries != r.entries {
				return fmt.Errorf("run %d: %d entries, not %d: %w", r.number, entries, r.entries, err)
			}
			moved, err := x.take(r.number, math.MaxUint64, nil)
			if err != nil {
				return err
			}
			for _, e := range moved {
				if seen[e.value] {
					t.Fatalf("sequence %d stands twice", e.value)
				}
				seen[e.value] = true
				total++
			}
		}
		if total != int(sequence) {
			t.Errorf("got %d entries, want %d", total, sequence)
		}
		return nil
	})
}

func TestSortByKeyIsStable(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 9))
	for _, limit := range []uint64{1, 3, 300, 1 << 40, math.MaxUint64} {
		entries := make([]entry, 5000)
		for i := range entries {
			entries[i] = entry{random.Uint64N(limit), uint64(i)}
		}
		want := slices.Clone(entries)
		slices.SortStableFunc(want, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
		if got := sortByKey(entries, make([]entry, len(entries))); !slices.Equal(got, want) {
			t.Errorf("limit %d: not in order", limit)
		}
	}
}

// Entries that mostly grow, with some that come late, and ties among them.
func TestSortByKeyWithLateEntries(t *testing.T) {
	random := rand.New(rand.NewPCG(10, 10))
	for round := range 300 {
		entries := make([]entry, random.IntN(400))
		often := random.IntN(20) + 1
		for i := range entries {
			key := uint64(i / 3)
			if random.IntN(often) == 0 {
				key = random.Uint64N(key + 1)
			}
			entries[i] = entry{key, uint64(i)}
		}
		if len(entries) > 0 && round%5 == 0 {
			entries[0].key = math.MaxUint64 // all others are late
		}
		want := slices.Clone(entries)
		slices.SortStableFunc(want, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
		if got := sortByKey(entries, make([]entry, len(entries))); !slices.Equal(got, want) {
			t.Fatalf("round %d: got %v, want %v", round, got, want)
		}
	}
}
