package ledger

import (
	"iter"
	"math/bits"

	"licensekit/exporter/report"
)

// Activities by (occurred_at, sequence), in flat memory: the span of time is
// cut into parts of at most partRows activities (4 MiB of keys and scratch,
// which a processor's cache holds), which are put in order one after the other.
// A histogram over the times finds the cuts; what is too full for a part is cut
// again, down to single milliseconds, and a millisecond that is still too full
// needs no sorting: it is streamed by sequence.
const (
	partRows = 1 << 17
	buckets  = 1 << 12
)

// span is a closed range of times: [low, high].
type span struct{ low, high int64 }

// source is a block that a reading by time may come back to. What was verified
// once is not verified again.
type source struct {
	first     int64
	data      []byte
	low, high int64
	verified  uint32
	index     uint32 // in the batch that was last gathered from it
}

// timeline reads by time.
type timeline struct {
	snapshot  *Snapshot
	match     matcher
	fields    report.FieldSet
	limit     int // activities in a part
	sources   []source
	cache     map[uint32]*block // by source
	keys      []entry           // of the part at hand: time since its start, source and row
	scratch   []entry
	gathering gathering
	sizes     [report.NumFields]int // of the texts of the last batch, in bytes
	yield     func(*report.Facts, error) bool
}

// cacheBlocks bounds how many blocks are kept open, at some 3 KiB each.
const cacheBlocks = 2048

func (s *Snapshot) byTime(m matcher, fields report.FieldSet) iter.Seq2[*report.Facts, error] {
	return func(yield func(*report.Facts, error) bool) {
		t := &timeline{snapshot: s, match: m, fields: fields, limit: s.ledger.part, cache: map[uint32]*block{}, yield: yield}
		whole, err := t.find()
		if err == nil && len(t.sources) > 0 {
			_, err = t.read(whole)
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// find lists the blocks that hold something wanted and the span of their times.
func (t *timeline) find() (whole span, err error) {
	for b, err := range t.snapshot.within(&t.match) {
		if err != nil {
			return whole, err
		}
		_, none, err := t.match.predicates(b)
		if err != nil {
			return whole, t.snapshot.damagedBlock(b, err)
		}
		if none {
			continue
		}
		if len(t.sources) == 0 {
			whole = span{b.low, b.high}
		}
		whole = span{min(whole.low, b.low), max(whole.high, b.high)}
		t.sources = append(t.sources, source{b.first, b.data, b.low, b.high, b.verified, 0})
	}
	return whole, nil
}

// open opens a source. All but the columns that were verified before are
// checked as they are used.
func (t *timeline) open(at uint32) (*block, error) {
	if b := t.cache[at]; b != nil {
		return b, nil
	}
	if len(t.cache) >= cacheBlocks {
		for known, b := range t.cache {
			t.sources[known].verified = b.verified
		}
		clear(t.cache)
	}
	b, err := openBlock(t.sources[at].data)
	if err != nil {
		return nil, err
	}
	b.verified = t.sources[at].verified
	t.cache[at] = b
	return b, nil
}

// visit calls f for every wanted activity in a span, by sequence, until it
// returns false.
func (t *timeline) visit(within span, f func(time int64, ref uint64) bool) error {
	for at := range t.sources {
		s := &t.sources[at]
		if s.high < within.low || s.low > within.high {
			continue
		}
		b, err := t.open(uint32(at))
		if err != nil {
			return damage(bucketFacts, number(s.first), err)
		}
		more, err := t.visitBlock(b, uint64(at)<<32, within, f)
		if err != nil {
			return t.snapshot.damagedBlock(b, err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

func (t *timeline) visitBlock(b *block, at uint64, within span, f func(time int64, ref uint64) bool) (more bool, err error) {
	rows, whole, err := t.match.selected(b)
	if err != nil {
		return false, err
	}
	times, err := b.integers(columnOccurred)
	if err != nil {
		return false, err
	}
	if whole {
		for row := range b.rows {
			if v := times.at(row); v >= within.low && v <= within.high && !f(v, at|uint64(row)) {
				return false, nil
			}
		}
		return true, nil
	}
	for _, row := range rows {
		if v := times.at(int(row)); v >= within.low && v <= within.high && !f(v, at|uint64(row)) {
			return false, nil
		}
	}
	return true, nil
}

// read streams a span; more is false when the consumer has had enough.
func (t *timeline) read(within span) (more bool, err error) {
	width := bucketWidth(within)
	counts := make([]int, buckets)
	err = t.visit(within, func(time int64, _ uint64) bool {
		counts[uint64(time-within.low)/width]++
		return true
	})
	if err != nil {
		return false, err
	}
	for from := 0; from < buckets; {
		part, sum, next := t.part(within, width, counts, from)
		from = next
		switch {
		case sum == 0:
			continue
		case sum <= t.limit:
			more, err = t.sorted(part, sum)
		case part.low == part.high:
			more, err = t.streamed(part)
		default:
			more, err = t.read(part)
		}
		if err != nil || !more {
			return more, err
		}
	}
	return true, nil
}

// bucketWidth is the span of a bucket in milliseconds, so that all buckets
// together cover the span.
func bucketWidth(s span) uint64 { return uint64(s.high-s.low)/buckets + 1 }

// part joins buckets from one on as long as they fit in a part; a bucket that
// doesn't is a part of its own.
func (t *timeline) part(within span, width uint64, counts []int, from int) (part span, sum, next int) {
	next = from
	for next < buckets && (next == from || sum+counts[next] <= t.limit) {
		sum += counts[next]
		next++
	}
	part.low = within.low + int64(uint64(from)*width)
	part.high = within.high
	if end := uint64(next) * width; next < buckets && end <= uint64(within.high-within.low) {
		part.high = within.low + int64(end) - 1
	}
	return part, sum, next
}

// sorted streams a part that fits in memory.
func (t *timeline) sorted(part span, count int) (more bool, err error) {
	if cap(t.keys) < count {
		size := 1 << bits.Len(uint(count-1))
		t.keys, t.scratch = make([]entry, 0, size), make([]entry, size)
	}
	keys := t.keys[:0]
	err = t.visit(part, func(time int64, ref uint64) bool {
		keys = append(keys, entry{uint64(time - part.low), ref})
		return true
	})
	if err != nil {
		return false, err
	}
	ordered := sortByKey(keys, t.scratch[:len(keys)])
	for len(ordered) > 0 {
		n := min(BlockRows, len(ordered))
		if more, err = t.emit(ordered[:n]); err != nil || !more {
			return more, err
		}
		ordered = ordered[n:]
	}
	return true, nil
}

// streamed streams a single millisecond: its order is that of the sequences.
func (t *timeline) streamed(part span) (more bool, err error) {
	keys := make([]entry, 0, BlockRows)
	more = true
	visitErr := t.visit(part, func(_ int64, ref uint64) bool {
		if keys = append(keys, entry{0, ref}); len(keys) == BlockRows {
			more, err = t.emit(keys)
			keys = keys[:0]
		}
		return more && err == nil
	})
	if err == nil {
		err = visitErr
	}
	if err != nil || !more || len(keys) == 0 {
		return more, err
	}
	return t.emit(keys)
}

// emit hands out the activities of some keys.
func (t *timeline) emit(keys []entry) (more bool, err error) {
	facts, err := t.gather(keys)
	if err != nil {
		return false, err
	}
	return t.yield(facts, nil), nil
}
