package ledger

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
)

// Runs are merged fanOut at a time into one of the next tier. An entry is thus
// rewritten once per tier, and a commit that adds a run of n moves mergeShare*n:
// more than comes in, so merging keeps up. It moves at most maxMerge, for all
// that a transaction writes is held in memory; a step of it is held twice more.
const (
	fanOut     = 8
	mergeShare = 3
	maxMerge   = 1 << 19
	stepSize   = 1 << 17
)

// tierOf is the size class of a run; a class spans a factor of fanOut.
func tierOf(entries int) uint64 { return uint64(bits.Len(uint(entries)/directRun) / 3) }

// merge moves entries until the budget is spent or nothing wants merging.
func (x *index) merge(budget int) error {
	if !x.wantsMerging() {
		return nil
	}
	for left := min(budget, maxMerge); left > 0; {
		target, sources := x.pending()
		if target == 0 {
			return nil
		}
		moved, err := x.step(target, sources, min(left, stepSize))
		if err != nil {
			return fmt.Errorf("merge the id index: %w", err)
		}
		left -= moved
	}
	return nil
}

func (x *index) wantsMerging() bool {
	if len(x.known) >= fanOut {
		return true
	}
	return slices.ContainsFunc(x.known, func(r run) bool { return r.into != 0 })
}

// pending picks the merge to go on with: that of the lowest tier, for those
// runs are the most numerous. It starts one where a tier is full. The target
// is 0 where nothing wants merging.
func (x *index) pending() (target uint64, sources []int) {
	targets := map[uint64]bool{}
	highest := uint64(0)
	for _, r := range x.known {
		targets[r.into] = true
		highest = max(highest, r.tier)
	}
	for tier := range highest + 1 {
		var idle []int
		for i, r := range x.known {
			switch {
			case r.tier != tier || targets[r.number]:
			case r.into != 0:
				return r.into, x.movingInto(r.into)
			default:
				idle = append(idle, i)
			}
		}
		if len(idle) >= fanOut {
			return x.start(idle[:fanOut]), idle[:fanOut]
		}
	}
	return 0, nil
}

func (x *index) movingInto(target uint64) (sources []int) {
	for i, r := range x.known {
		if r.into == target {
			sources = append(sources, i)
		}
	}
	return sources
}

// start makes the run that others will be merged into.
func (x *index) start(sources []int) uint64 {
	sum := uint64(0)
	for _, i := range sources {
		sum += x.known[i].entries
	}
	target := x.newRun(tierOf(int(sum))).number
	for _, i := range sources {
		x.known[i].into = target
	}
	return target
}

// step moves about budget entries, those with the lowest hashes left, from the
// sources to the target. All entries with a hash up to a bound move together,
// so the target stays in order.
func (x *index) step(target uint64, sources []int, budget int) (int, error) {
	bound, err := x.boundary(sources, budget)
	if err != nil {
		return 0, err
	}
	moved := x.moved[:0]
	for _, i := range sources {
		before := len(moved)
		if moved, err = x.take(x.known[i].number, bound, moved); err != nil {
			return 0, err
		}
		taken := uint64(len(moved) - before)
		if taken > x.known[i].entries {
			return 0, damage(bucketRuns, number(int64(x.known[i].number)), fmt.Errorf("more entries than the %d on record", x.known[i].entries))
		}
		x.known[i].entries -= taken
		if err := x.save(&x.known[i]); err != nil {
			return 0, err
		}
	}
	x.moved, x.scratch = moved, slices.Grow(x.scratch[:0], len(moved))
	moved = sortByKey(moved, x.scratch[:len(moved)])
	at := slices.IndexFunc(x.known, func(r run) bool { return r.number == target })
	if err := x.extend(&x.known[at], moved); err != nil {
		return 0, err
	}
	if err := x.save(&x.known[at]); err != nil {
		return 0, err
	}
	x.known = slices.DeleteFunc(x.known, func(r run) bool { return r.entries == 0 })
	return len(moved), nil
}

// boundary picks a hash up to which about budget entries lie, by walking the
// chunks of the largest source as far as its share of the budget goes.
func (x *index) boundary(sources []int, budget int) (uint64, error) {
	sum, largest := uint64(0), sources[0]
	for _, i := range sources {
		sum += x.known[i].entries
		if x.known[i].entries > x.known[largest].entries {
			largest = i
		}
	}
	from := &x.known[largest]
	walk := float64(budget) * float64(from.entries) / float64(sum)
	cursor := x.chunks.Cursor()
	key, _ := cursor.Seek(chunkKey(from.number, 0, 0))
	if !inRun(key, from.number) {
		return 0, damage(bucketRuns, number(int64(from.number)), fmt.Errorf("%d entries are missing", from.entries))
	}
	bound := lastHash(key)
	for ; walk > 0 && inRun(key, from.number); walk -= chunkEntries {
		bound = lastHash(key)
		key, _ = cursor.Next()
	}
	return bound, nil
}

// take removes a run's entries up to a hash and appends them to moved.
func (x *index) take(number, bound uint64, moved []entry) ([]entry, error) {
	var emptied [][]byte
	cursor := x.chunks.Cursor()
	key, value := cursor.Seek(chunkKey(number, 0, 0))
	for ; inRun(key, number); key, value = cursor.Next() {
		c, err := openChunk(value)
		if err != nil {
			return nil, damage(bucketChunks, key, err)
		}
		end := c.count
		if lastHash(key) > bound {
			for end = 0; end < c.count && c.hash(end) <= bound; {
				end++
			}
		}
		if moved, err = c.appendTo(moved, 0, end); err != nil {
			return nil, damage(bucketChunks, key, err)
		}
		if end < c.count {
			if err := x.trim(bytes.Clone(key), &c, end); err != nil {
				return nil, err
			}
			break
		}
		emptied = append(emptied, bytes.Clone(key))
	}
	for _, key := range emptied {
		if err := x.chunks.Delete(key); err != nil {
			return nil, fmt.Errorf("delete from bucket %s: %w", bucketChunks, err)
		}
	}
	return moved, nil
}

// trim leaves the entries of a chunk from a position on.
func (x *index) trim(key []byte, c *chunk, from int) error {
	if from == 0 {
		return nil
	}
	rest, err := c.appendTo(nil, from, c.count)
	if err != nil {
		return damage(bucketChunks, key, err)
	}
	if err := x.chunks.Put(key, encodeChunk(rest)); err != nil {
		return fmt.Errorf("store in bucket %s: %w", bucketChunks, err)
	}
	return nil
}
