package report

import (
	"cmp"
	"slices"
	"strings"
)

// calendar says which period holds an instant. A nil calendar has none.
type calendar struct {
	starts []int64  // sorted; each span reaches to the next start
	codes  []uint32 // the number of the period that each span belongs to
}

// newCalendar settles where periods overlap. Walking through time, the periods
// that have begun lie in a stack, the one that starts last on top.
func newCalendar(periods []period, number func(period) uint32) *calendar {
	periods = slices.SortedFunc(slices.Values(periods), func(p, q period) int {
		return cmp.Or(cmp.Compare(p.start, q.start), strings.Compare(q.order, p.order))
	})
	var edges []int64
	for _, p := range periods {
		edges = append(edges, p.start, p.end)
	}
	slices.Sort(edges)
	c, stack := &calendar{}, []period{noPeriod}
	for _, edge := range slices.Compact(edges) {
		for ; len(periods) > 0 && periods[0].start == edge; periods = periods[1:] {
			stack = append(stack, periods[0])
		}
		top := len(stack) - 1
		for ; top > 0 && stack[top].end <= edge; top-- {
		}
		stack = stack[:top+1]
		c.starts, c.codes = append(c.starts, edge), append(c.codes, number(stack[top]))
	}
	return c
}

// at gives the number of the period that an instant lies in; that of noPeriod
// is 0.
func (c *calendar) at(ms int64) uint32 {
	if c == nil {
		return 0
	}
	i, exact := slices.BinarySearch(c.starts, ms)
	if !exact {
		i--
	}
	if i < 0 {
		return 0
	}
	return c.codes[i]
}
