//go:build linux

package faults

import (
	"fmt"
	"math/rand/v2"
)

// luck decides what a power cut leaves of that which was not synced.
type luck struct {
	random *rand.Rand
	names  choice
	data   choice
	sizes  choice
	chance float64 // that one of [some] is there
	upTo   int     // the change up to which [early] ones are there
	torn   int64   // bytes that get to the disk together
	junk   bool    // what was to be written is something else
}

// choice is which of the changes are on the disk.
type choice string

const (
	none  choice = "none"
	all   choice = "all"
	some  choice = "some"
	early choice = "early ones"
)

// newLuck draws one for what is not on the disk now.
func newLuck(random *rand.Rand, m *medium) *luck {
	choices := []choice{none, all, some, some, early}
	draw := func() choice { return choices[random.IntN(len(choices))] }
	l := &luck{
		random: random, names: draw(), data: draw(), sizes: draw(), chance: []float64{0.1, 0.5, 0.9}[random.IntN(3)],
		torn: []int64{sectorSize, pageSize}[random.IntN(2)], junk: random.IntN(4) == 0,
	}
	if random.IntN(4) == 0 { // as where all goes through one journal
		l.names, l.data, l.sizes = early, early, early
	}
	l.upTo = m.changes
	if n := len(m.names); n > 0 {
		l.upTo = m.names[random.IntN(n)].order
	}
	l.upTo -= random.IntN(8)
	return l
}

// keeps tells whether a change is there, or a part of it.
func (l *luck) keeps(which choice, c *change) bool {
	switch {
	case which == all:
		return true
	case which == some, which == early && c.order == l.upTo:
		return l.random.Float64() < l.chance
	case which == early:
		return c.order < l.upTo
	}
	return false
}

// String says what was decided.
func (l *luck) String() string {
	return fmt.Sprintf("names: %s, data: %s in pieces of %d, sizes: %s (chance %.1f)", l.names, l.data, l.torn, l.sizes, l.chance)
}
