package report

import (
	"container/heap"
	"slices"
)

// keeper keeps some of the rows that it is shown.
type keeper interface {
	add(Batch)
	sorted() []map[string]any // never nil
}

// of gives what keeps the rows of a section.
func (e Excerpt) of(s *Section) (keeper, error) {
	if e.Order == "" {
		return &foremost{columns: s.Columns, limit: e.Limit, rows: []map[string]any{}}, nil
	}
	by := slices.IndexFunc(s.Columns, func(c Column) bool { return c.Name == e.Order && c.Type == Integer })
	if by < 0 {
		return nil, &FilterError{Field: "order", Value: e.Order, Problem: "is no column of numbers"}
	}
	return &largest{columns: s.Columns, by: by, limit: e.Limit}, nil
}

// foremost keeps the first rows.
type foremost struct {
	columns []Column
	limit   int
	rows    []map[string]any
}

func (f *foremost) add(batch Batch) {
	for row := range min(batch.Len(), f.limit-len(f.rows)) {
		f.rows = append(f.rows, batch.Row(f.columns, row))
	}
}

func (f *foremost) sorted() []map[string]any { return f.rows }

// largest keeps the rows that have the most of a column, up to a limit.
// Of equal ones it keeps those that come first.
type largest struct {
	columns []Column
	by      int // the column
	limit   int
	rows    []ranked // a heap, the least on top
	seen    int
}

type ranked struct {
	value int64
	place int // in the order of the report
	row   map[string]any
}

func (l *largest) add(batch Batch) {
	for row, value := range batch[l.by].Int {
		l.seen++
		if value == Null {
			continue
		}
		if len(l.rows) == l.limit {
			if value <= l.rows[0].value {
				continue
			}
			heap.Pop(l)
		}
		heap.Push(l, ranked{value, l.seen, batch.Row(l.columns, row)})
	}
}

// sorted gives the rows, those with the most first.
func (l *largest) sorted() []map[string]any {
	slices.SortFunc(l.rows, func(a, b ranked) int {
		if a.less(b) {
			return 1
		}
		return -1
	})
	sorted := make([]map[string]any, len(l.rows))
	for i, r := range l.rows {
		sorted[i] = r.row
	}
	return sorted
}

// less tells which of two rows is dropped first.
func (r ranked) less(other ranked) bool {
	if r.value != other.value {
		return r.value < other.value
	}
	return r.place > other.place
}

func (l *largest) Len() int           { return len(l.rows) }
func (l *largest) Less(i, j int) bool { return l.rows[i].less(l.rows[j]) }
func (l *largest) Swap(i, j int)      { l.rows[i], l.rows[j] = l.rows[j], l.rows[i] }
func (l *largest) Push(r any)         { l.rows = append(l.rows, r.(ranked)) }
func (l *largest) Pop() any {
	last := l.rows[len(l.rows)-1]
	l.rows = l.rows[:len(l.rows)-1]
	return last
}
