package report

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
)

// memory is a Source over a slice of activities, sorted by sequence.
type memory struct {
	activities []Activity
	perBatch   int
	plain      bool // text without codes
}

func (m *memory) Sequence() int64 {
	if len(m.activities) == 0 {
		return 0
	}
	return m.activities[len(m.activities)-1].Sequence
}

func (m *memory) Record(o Object, id string) (Record, error) {
	return Record{}, fmt.Errorf("%s %s: %w", o, id, fs.ErrNotExist)
}

func (m *memory) Records(context.Context, Object, Match) iter.Seq2[Record, error] {
	return func(func(Record, error) bool) {}
}

func (m *memory) Activities(ctx context.Context, scan Scan) iter.Seq2[*Facts, error] {
	return func(yield func(*Facts, error) bool) {
		for batch := range slices.Chunk(m.selected(scan), m.perBatch) {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if !yield(m.facts(batch, scan.Fields), nil) {
				return
			}
		}
	}
}

func (m *memory) selected(scan Scan) (selected []Activity) {
	for _, a := range m.activities {
		if matches(scan.Match, a) {
			selected = append(selected, a)
		}
	}
	switch scan.Order {
	case BySequenceDesc:
		slices.Reverse(selected)
	case ByTime:
		slices.SortStableFunc(selected, func(a, b Activity) int { return cmp.Compare(a.OccurredAt, b.OccurredAt) })
	}
	return selected
}

func matches(m Match, a Activity) bool {
	if m.From != nil && a.OccurredAt < int64(*m.From) || m.To != nil && a.OccurredAt >= int64(*m.To) ||
		m.Usage && !strings.HasPrefix(a.Text[FieldAction], UsagePrefix) ||
		m.Below != 0 && a.Sequence >= m.Below || a.Sequence <= m.Above || m.Status != 0 && a.StatusCode != m.Status {
		return false
	}
	for i, want := range m.Equal {
		if want != "" && a.Text[i] != want {
			return false
		}
	}
	return true
}

// facts puts activities in columns. Its dictionaries hold a value that no
// activity has, as one of a whole file would.
func (m *memory) facts(activities []Activity, fields FieldSet) *Facts {
	facts := &Facts{}
	var values [NumFields][]string
	codes := [NumFields]map[string]uint32{}
	for _, a := range activities {
		facts.Sequence = append(facts.Sequence, a.Sequence)
		facts.OccurredAt = append(facts.OccurredAt, a.OccurredAt)
		facts.ReceivedAt = append(facts.ReceivedAt, a.ReceivedAt)
		facts.Amount = append(facts.Amount, a.Amount)
		facts.StatusCode = append(facts.StatusCode, a.StatusCode)
		for i, value := range a.Text {
			if !fields.Has(Field(i)) {
				continue
			}
			column := &facts.Text[i]
			if m.plain {
				values[i] = append(values[i], value)
				continue
			}
			if codes[i] == nil {
				codes[i], values[i] = map[string]uint32{"unused": 0}, []string{"unused"}
			}
			code, ok := codes[i][value]
			if !ok {
				code = uint32(len(values[i]))
				codes[i][value], values[i] = code, append(values[i], value)
			}
			column.Codes = append(column.Codes, code)
		}
	}
	for i := range facts.Text {
		facts.Text[i].Values = ListTexts(values[i]...)
	}
	return facts
}

// randomActivities fall into the days around both clock changes in Berlin.
func randomActivities(random *rand.Rand, n int, start int64) []Activity {
	activities := make([]Activity, n)
	actions := []string{"usage.consumed", "usage.adjusted", "license.issued", "usages.none"}
	for i := range activities {
		a := Activity{Sequence: int64(i + 1), OccurredAt: start + random.Int64N(20)*6*msPerHour + random.Int64N(2)*random.Int64N(msPerHour)}
		a.Amount, a.StatusCode = random.Int64N(2_000_001)-1_000_000, Null
		if random.IntN(5) == 0 {
			a.Amount, a.StatusCode = Null, 200
		}
		for field := range a.Text {
			if random.IntN(4) > 0 {
				a.Text[field] = fmt.Sprintf("%s %d", Field(field), random.IntN(3))
			}
		}
		a.Text[FieldID] = fmt.Sprint("evt_", i)
		a.Text[FieldAction] = actions[random.IntN(len(actions))]
		activities[i] = a
	}
	return activities
}
