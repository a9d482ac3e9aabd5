package report

import "strings"

// measure is what a grouping says of each group in one integer or time column:
// how many of its facts have a value, the values' sum, the least or the
// greatest of them.
type measure struct {
	column Column
	fields FieldSet // that when reads
	when   condition
	of     func(*Facts) []int64 // the values, Null for none
	fold   fold
	start  int64   // the total of a group without values
	totals []int64 // per group
	masked []int64 // scratch
}

// condition tells of each fact whether a measure counts it. What it returns is
// good until it is called again.
type condition func(*Facts) []bool

// fold adds the values of a batch to the totals of the facts' groups.
type fold func(totals []int64, groups []uint32, values []int64) error

func (m *measure) grow(size int) {
	for len(m.totals) < size {
		m.totals = append(m.totals, m.start)
	}
}

func (m *measure) add(facts *Facts, groups []uint32) error {
	if m.fold == nil {
		return nil
	}
	values := m.of(facts)
	if m.when != nil {
		values = m.mask(values, m.when(facts))
	}
	return m.fold(m.totals, groups, values)
}

// mask leaves the values where the condition holds.
func (m *measure) mask(values []int64, holds []bool) []int64 {
	m.masked = append(m.masked[:0], values...)
	for i, ok := range holds {
		if !ok {
			m.masked[i] = Null
		}
	}
	return m.masked
}

// total is what is known of a group; of one that no fact made, the start.
func (m *measure) total(group int) int64 {
	if group < 0 || group >= len(m.totals) {
		return m.start
	}
	return m.totals[group]
}

// events counts facts.
func events(column string) measure {
	return measure{
		column: Column{Name: column, Type: Integer, Sum: true},
		of:     func(f *Facts) []int64 { return f.Sequence },
		fold: func(totals []int64, groups []uint32, values []int64) error {
			for i, group := range groups {
				if values[i] != Null {
					totals[group]++
				}
			}
			return nil
		},
	}
}

// amount adds up amounts.
func amount(column string) measure {
	return measure{
		column: Column{Name: column, Type: Integer, Sum: true},
		of:     func(f *Facts) []int64 { return f.Amount },
		fold: func(totals []int64, groups []uint32, values []int64) (err error) {
			for i, group := range groups {
				if totals[group], err = AddInt(totals[group], values[i]); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// first is when the earliest of the facts occurred.
func first(column string) measure {
	return occurrence(column, func(totals []int64, groups []uint32, values []int64) error {
		for i, group := range groups {
			if v := values[i]; v != Null && (totals[group] == Null || v < totals[group]) {
				totals[group] = v
			}
		}
		return nil
	})
}

// last is when the latest of the facts occurred.
func last(column string) measure {
	return occurrence(column, func(totals []int64, groups []uint32, values []int64) error {
		for i, group := range groups {
			totals[group] = max(totals[group], values[i]) // Null is below all times
		}
		return nil
	})
}

func occurrence(column string, fold fold) measure {
	return measure{
		column: Column{Name: column, Type: Time},
		of:     func(f *Facts) []int64 { return f.OccurredAt },
		fold:   fold,
		start:  Null,
	}
}

// tally is counted by hand, not by facts.
func tally(column string) measure {
	return measure{column: Column{Name: column, Type: Integer, Sum: true}}
}

// where narrows a measure to the facts of a condition that reads some fields.
func (m measure) where(holds condition, fields FieldSet) measure {
	m.when, m.fields = holds, fields
	return m
}

// whereAction narrows a measure to the facts whose action passes a test.
func (m measure) whereAction(test func(string) bool) measure {
	var known, holds []bool
	return m.where(func(facts *Facts) []bool {
		actions := facts.Text[FieldAction]
		known = known[:0]
		for _, action := range actions.Values.Each() {
			known = append(known, test(action))
		}
		if actions.Codes == nil {
			return known
		}
		holds = holds[:0]
		for _, code := range actions.Codes {
			holds = append(holds, known[code])
		}
		return holds
	}, SetOf(FieldAction))
}

func isUsage(action string) bool { return strings.HasPrefix(action, UsagePrefix) }
