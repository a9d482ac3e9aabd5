package tilelog

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// mending is what is to become of a log that is not as its checkpoint says, or
// not as far as something else says.
type mending struct {
	log    *Log
	leaves *leaves
	size   int64 // that the log is known to have had
	head   Head  // that it is to have
	tiles  *rebuilt
	signed bool // head was signed for this, and not known
}

// mustMend tells whether the log is to be looked into, given what came of
// reading its newest leaf.
func (l *Log) mustMend(err error) bool {
	switch {
	case l.recall == nil:
		return false
	case l.recall.Ours != nil && l.hasTiles():
		return true
	case err != nil:
		return l.recall.Size > 0 || len(l.ownHeads()) > 0 || len(l.newestRecalled()) > 0
	}
	return !l.covered()
}

func (l *Log) hasTiles() bool {
	names, err := l.disk.list("tile")
	return err == nil && len(names) > 0
}

// mend makes the log as long as it is known to have been, or as can be. cause is
// why the log as it is can't be read, nil if it can. Only of a copy less is made
// than what is known.
func (l *Log) mend(cause error) error {
	m := &mending{log: l, leaves: l.newLeaves()}
	if err := m.plan(cause); err != nil {
		return errors.Join(cause, err)
	}
	// Whatever is refused is refused before anything is changed.
	l.head.Store(&m.head)
	l.disk.over = m.tiles.data
	err := l.fitsAnchor()
	l.disk.over = nil
	if err != nil {
		return err
	}
	return m.carryOut()
}

func (m *mending) plan(cause error) error {
	l := m.log
	heads := append(l.ownHeads(), l.newestRecalled()...)
	sortHeads(heads)
	m.size = l.recall.Size
	if len(heads) > 0 {
		m.size = max(m.size, heads[0].Size)
	}
	had := m.leaves.reach(m.size)
	if copied := l.recall.Ours != nil; copied {
		heads = append(heads, l.recalledWithin(had)...)
		empty, err := l.emptyHead()
		if err != nil {
			return err
		}
		heads = append(heads, empty)
		sortHeads(heads)
	} else if had < m.size {
		heads = nil // what is there stays as it is
	}
	if err := m.choose(heads, had); err != nil {
		if cause == nil {
			m.head, m.tiles = l.Head(), &rebuilt{}
			return nil
		}
		return err
	}
	if had < m.size || len(heads) > 0 && m.head.Size < heads[0].Size {
		return nil
	}
	return m.extend(had)
}

// choose takes the newest checkpoint whose leaves are there.
func (m *mending) choose(heads []Head, had int64) error {
	err := errors.New("there is none")
	for _, head := range heads {
		if head.Size > had {
			continue
		}
		for _, m.leaves.recallFirst = range []bool{false, true} {
			if err = m.lay(head); err == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: %d leaves can be had, and no checkpoint for them: %w", ErrMismatch, had, err)
}

// lay makes the tiles of a checkpoint the ones that the log is to have.
func (m *mending) lay(head Head) (err error) {
	m.leaves.taken = map[int64]bool{}
	if m.tiles, err = m.leaves.rebuild(head.Size); err == nil {
		err = m.log.disk.fits(m.tiles, head.Checkpoint)
	}
	m.head = head
	return err
}

// extend adds the leaves that no checkpoint shows, and which are known
// nevertheless to be the log's.
func (m *mending) extend(had int64) error {
	l := m.log
	disk := disk{root: l.disk.root, over: m.tiles.data}
	tree := &growing{base: disk.hashes(m.head.Checkpoint), fresh: map[int64]tlog.Hash{}}
	next := Checkpoint{Origin: l.Origin(), Size: m.head.Size}
	for ; next.Size < had; next.Size++ {
		leaf, err := m.leaves.leaf(next.Size)
		if err != nil {
			return err
		}
		if next.Size >= l.recall.Size && (l.recall.Ours == nil || !l.recall.Ours(next.Size, leaf)) {
			break
		}
		if err := tree.add(next.Size, leaf); err != nil {
			return err
		}
	}
	if next.Size == m.head.Size {
		return nil
	}
	var err error
	if next.Root, err = tlog.TreeHash(next.Size, tree); err != nil {
		return err
	}
	head, err := l.sign(next)
	if err != nil {
		return err
	}
	m.signed = true
	return m.lay(head)
}

// carryOut writes, in an order in which a crash leaves either the old state, to
// be mended again, or the new one.
func (m *mending) carryOut() error {
	l := m.log
	found, before := int64(-1), []byte(nil)
	if head, err := l.readHead(); err == nil {
		found, before = head.Size, head.Signed
	}
	wrote, err := m.leaves.keep(m.tiles)
	if err != nil {
		return err
	}
	noted, err := m.settle()
	if err != nil {
		return err
	}
	if !bytes.Equal(before, m.head.Signed) {
		wrote = true
		if err := l.disk.publish(checkpointName, m.head.write); err != nil {
			return err
		}
	}
	if wrote || noted {
		l.mended = &Mended{
			Found: found, Size: m.head.Size, PutBack: slices.Sorted(maps.Keys(m.leaves.taken)), Signed: m.signed, Known: max(m.size, m.head.Size), Changed: wrote,
		}
	}
	if err := l.readNewest(); err != nil {
		return err
	}
	return l.meetAnchor()
}

// settle finds out whether leaves are lacking, and notes that, durably, before
// the checkpoint that shows it is replaced. It tells whether it is news. Where
// none is lacking, what is beyond the last is removed.
func (m *mending) settle() (noted bool, err error) {
	l := m.log
	if l.recall.Ours != nil {
		m.size = max(m.size, l.beyond())
	}
	ahead := l.contradicted(append(l.ownHeads(), l.newestRecalled()...))
	if m.head.Size >= m.size && ahead == nil {
		return false, errors.Join(l.disk.remove(aheadName), l.sweepAll(m.head.Size))
	}
	if ahead == nil {
		l.behind = fmt.Errorf("%w: it has %d, and had %d at least", ErrBehind, m.head.Size, m.size)
		return false, nil
	}
	l.behind = fmt.Errorf("%w: it has %d, and does not continue the checkpoint of size %d", ErrBehind, m.head.Size, ahead.Size)
	if kept, err := l.disk.readSmall(aheadName); err == nil && bytes.Equal(kept, ahead.Signed) {
		return false, nil
	}
	return true, l.disk.publish(aheadName, ahead.write)
}
