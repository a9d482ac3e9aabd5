package ledger

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"licensekit/exporter/report"
)

// Snapshot is one consistent state of the ledger. It may be read by several
// goroutines at once, and by none after the View that gave it has ended.
type Snapshot struct {
	ledger *Ledger
	shelf  *shelf
}

var _ report.Source = (*Snapshot)(nil)

// Sequence is the highest sequence, and so the number of activities.
func (s *Snapshot) Sequence() int64 { return int64(s.shelf.state.Last) }

// Count is the number of records of an object. It costs no reading.
func (s *Snapshot) Count(object report.Object) int64 {
	if at := slices.Index(report.Objects, object); at >= 0 {
		return int64(s.shelf.state.Records[at])
	}
	return 0
}

// Record gives one record. Errors: fs.ErrNotExist.
func (s *Snapshot) Record(object report.Object, id string) (report.Record, error) {
	if s.shelf.records[object] == nil || id == "" {
		return report.Record{}, fmt.Errorf("record %q of %s: %w", id, object, fs.ErrNotExist)
	}
	r, err := s.shelf.record(object, id)
	if err == nil && r.ID() == "" {
		err = fmt.Errorf("record %q of %s: %w", id, object, fs.ErrNotExist)
	}
	return r, err
}

// Records streams the records of an object in the order of their ids, without
// those that have other ids than the match has [report.Match.Asked] for.
func (s *Snapshot) Records(ctx context.Context, object report.Object, match report.Match) iter.Seq2[report.Record, error] {
	return func(yield func(report.Record, error) bool) {
		bucket := s.shelf.records[object]
		if bucket == nil {
			yield(report.Record{}, fmt.Errorf("%q is not an object that has records", object))
			return
		}
		asked, cursor := match.Asked(object), bucket.Cursor()
		for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
			if len(asked) > 0 && hasOthers(value, asked) {
				if err := ctx.Err(); err != nil {
					yield(report.Record{}, err)
					return
				}
				continue
			}
			r, err := decodeRecord(object, value)
			if err == nil && r.ID() != string(key) {
				err = fmt.Errorf("the record's id is %q", r.ID())
			}
			if err != nil {
				err = damage(recordBucket(object), key, err)
			}
			if err == nil {
				err = ctx.Err()
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Activities streams what a scan selects, in batches of at most [BlockRows].
// Their text lies in the database's pages. Long scans are read by a goroutine
// of their own, a few batches ahead of the consumer, which has ended when the
// stream has.
func (s *Snapshot) Activities(ctx context.Context, scan report.Scan) iter.Seq2[*report.Facts, error] {
	stream := s.bySequence
	switch scan.Order {
	case report.BySequenceDesc:
		stream = s.bySequenceDesc
	case report.ByTime:
		stream = s.byTime
	}
	checked := func(yield func(*report.Facts, error) bool) {
		for facts, err := range stream(matcher{scan.Match}, scan.Fields) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(nil, fmt.Errorf("read activities: %w", err))
				return
			}
			if !yield(facts, nil) {
				return
			}
		}
	}
	if scan.Order == report.BySequenceDesc || s.Sequence() <= 4*BlockRows {
		return checked
	}
	return ahead(checked)
}

// lookahead is how many batches wait for the consumer.
const lookahead = 2

// ahead runs a stream in a goroutine of its own.
func ahead[T any](stream iter.Seq2[T, error]) iter.Seq2[T, error] {
	type item struct {
		value T
		err   error
	}
	return func(yield func(T, error) bool) {
		items, stop := make(chan item, lookahead), make(chan struct{})
		go func() {
			defer close(items)
			for value, err := range stream {
				select {
				case items <- item{value, err}:
				case <-stop:
					return
				}
			}
		}()
		defer func() {
			close(stop)
			for range items { // until the goroutine has closed it
			}
		}()
		for i := range items {
			if !yield(i.value, i.err) {
				return
			}
		}
	}
}

// tailBlock gives the tail as a block, nil if it is empty. Sequences are never
// given twice, so a tail with the same first and last one is the same.
func (s *Snapshot) tailBlock() (*block, error) {
	count, last := int64(s.shelf.state.Tail), s.Sequence()
	if count == 0 {
		return nil, nil
	}
	if known := s.ledger.tail.Load(); known != nil && known.first == last-count+1 {
		if b, err := openBlock(known.data); err == nil && b.first+int64(b.rows)-1 == last {
			return b, nil
		}
	}
	rows, err := readTail(s.shelf.tail, count, last)
	if err != nil {
		return nil, err
	}
	made := &sealedBlock{rows[0].Sequence, newEncoder().encode(rows[0].Sequence, storedRows(rows))}
	s.ledger.tail.Store(made)
	return openBlock(made.data)
}

// blocks streams the blocks in order, the tail as the last one, from that on
// which holds what is above a sequence. Only their headers are read.
func (s *Snapshot) blocks(above int64) iter.Seq2[*block, error] {
	return func(yield func(*block, error) bool) {
		cursor := s.shelf.facts.Cursor()
		key, value := cursor.First()
		if above > 0 {
			key, value = seekBlock(cursor, above+1)
		}
		for ; key != nil; key, value = cursor.Next() {
			b, err := openStored(key, value)
			if !yield(b, err) || err != nil {
				return
			}
		}
		if tail, err := s.tailBlock(); tail != nil || err != nil {
			yield(tail, err)
		}
	}
}

// blocksDown streams the blocks that hold sequences below a limit, last first.
func (s *Snapshot) blocksDown(below int64) iter.Seq2[*block, error] {
	return func(yield func(*block, error) bool) {
		if below > s.shelf.sealed()+1 {
			tail, err := s.tailBlock()
			if tail != nil || err != nil {
				if !yield(tail, err) || err != nil {
					return
				}
			}
		}
		cursor := s.shelf.facts.Cursor()
		for key, value := seekBlock(cursor, below-1); key != nil; key, value = cursor.Prev() {
			b, err := openStored(key, value)
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

func (s *Snapshot) bySequence(m matcher, fields report.FieldSet) iter.Seq2[*report.Facts, error] {
	return func(yield func(*report.Facts, error) bool) {
		var shared constants
		for b, err := range s.within(&m) {
			if err != nil {
				yield(nil, err)
				return
			}
			if m.Below > 0 && b.first >= m.Below {
				return
			}
			facts, err := m.read(b, fields, &shared)
			if err != nil {
				err = s.damagedBlock(b, err)
			}
			if facts == nil && err == nil {
				continue
			}
			if !yield(facts, err) || err != nil {
				return
			}
		}
	}
}

// feedRows is how much of a block a feed reads at once: it rarely wants more
// than a page.
const feedRows = 512

func (s *Snapshot) bySequenceDesc(m matcher, fields report.FieldSet) iter.Seq2[*report.Facts, error] {
	below := m.Below
	if below <= 0 || below > s.Sequence() {
		below = s.Sequence() + 1
	}
	return func(yield func(*report.Facts, error) bool) {
		for b, err := range s.blocksDown(below) {
			if err != nil {
				yield(nil, err)
				return
			}
			rows, err := m.rows(b)
			if err != nil {
				yield(nil, s.damagedBlock(b, err))
				return
			}
			slices.Reverse(rows)
			for page := range slices.Chunk(rows, feedRows) {
				facts, err := pick(b, page, fields)
				if err != nil {
					err = s.damagedBlock(b, err)
				}
				if !yield(facts, err) || err != nil {
					return
				}
			}
		}
	}
}

// damagedBlock names a block in an error.
func (s *Snapshot) damagedBlock(b *block, err error) error {
	if b.first > s.shelf.sealed() {
		return damage(bucketTail, number(b.first), err)
	}
	return damage(bucketFacts, number(b.first), err)
}
