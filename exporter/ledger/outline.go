package ledger

import (
	"iter"
	"slices"
	"sort"
)

// outline is what the header of a block says, so that a scan of some hours need
// not touch every block: the headers lie a block apart in the file, and each
// costs a page of it.
type outline struct {
	first, last int64 // sequences
	low, high   int64 // the least and greatest occurred_at
}

// outlines gives those of the snapshot's blocks, but the tail. A committed block
// never changes, and others only follow it: what one snapshot has read holds in
// all others, as far as they reach.
func (s *Snapshot) outlines() ([]outline, error) {
	sealed := s.shelf.sealed()
	var known []outline
	if list := s.ledger.outlines.Load(); list != nil {
		known = *list
	}
	end := int64(0)
	if len(known) > 0 {
		end = known[len(known)-1].last
	}
	if end >= sealed {
		return known[:sort.Search(len(known), func(i int) bool { return known[i].last > sealed })], nil
	}
	list := slices.Clip(known) // others append to it too
	cursor := s.shelf.facts.Cursor()
	for key, value := cursor.Seek(number(end + 1)); key != nil; key, value = cursor.Next() {
		b, err := openStored(key, value)
		if err != nil {
			return nil, err
		}
		list = append(list, outline{b.first, b.first + int64(b.rows) - 1, b.low, b.high})
	}
	s.ledger.outlines.Store(&list) // a shorter one may take its place, and grow again
	return list, nil
}

// within streams the blocks, and the tail, that may hold what a matcher wants.
func (s *Snapshot) within(m *matcher) iter.Seq2[*block, error] {
	if m.From == nil && m.To == nil {
		return s.blocks(m.Above)
	}
	return func(yield func(*block, error) bool) {
		known, err := s.outlines()
		if err != nil {
			yield(nil, err)
			return
		}
		for _, o := range known {
			if o.last <= m.Above || m.outside(o.low, o.high) {
				continue
			}
			b, err := s.shelf.blockOf(o.first)
			if !yield(b, err) || err != nil {
				return
			}
		}
		if tail, err := s.tailBlock(); tail != nil || err != nil {
			yield(tail, err)
		}
	}
}
