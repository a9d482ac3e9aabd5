package report

import (
	"context"
	"slices"
)

// partEvents is about how many activities are grouped at a time where the
// groups are sorted by time first, which bounds the groups held in memory.
var partEvents int64 = 500_000

// groupedRows streams the groups of the activities that a match selects, in
// order. Each reading scans anew, into groups of its own. Where buckets come
// first, it goes through them part by part, so that memory does not grow with
// the time that is covered.
func groupedRows(ctx context.Context, source Source, match Match, grouping func() *groups) Rows {
	return func(yield func(Batch, error) bool) {
		parts, err := partition(ctx, source, match, grouping().dimensions[0])
		if err != nil {
			yield(nil, err)
			return
		}
		more := true
		for _, part := range parts {
			g := grouping()
			if err := scan(ctx, source, part, g); err != nil {
				yield(nil, err)
				return
			}
			g.rows(func(b Batch, err error) bool {
				more = yield(b, err)
				return more
			})
			if !more {
				return
			}
		}
	}
}

// partition cuts a match between buckets into parts of about partEvents each.
func partition(ctx context.Context, source Source, match Match, first dimension) ([]Match, error) {
	byTime, ok := first.(*bucketDimension)
	if !ok || source.Sequence() <= partEvents {
		return []Match{match}, nil
	}
	counts := newGroups([]dimension{byTime}, events("events"))
	if err := scan(ctx, source, match, counts); err != nil {
		return nil, err
	}
	ranks := counts.rank(0, byTime)
	perBucket := counts.measures[0].totals
	ids := make([]uint32, counts.size) // groups by rank
	for id, rank := range ranks.of {
		ids[rank] = uint32(id)
	}
	var parts []Match
	held := int64(0)
	for rank, id := range ids {
		if n := perBucket[id]; rank == 0 || held+n > partEvents {
			start := Instant(byTime.values[ranks.values[rank]])
			if len(parts) > 0 {
				parts[len(parts)-1].To = &start
			}
			part := match
			if len(parts) > 0 {
				part.From = &start
			}
			parts, held = append(parts, part), 0
		}
		held += perBucket[id]
	}
	return slices.Clip(parts), nil
}
