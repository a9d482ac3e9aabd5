package intake

import (
	"context"
	"slices"
	"strings"
	"testing"

	"licensekit/exporter/ledger"
	"licensekit/exporter/report"
)

// memory is a ledger that forgets: it decides rows by their ids, and by nothing
// else.
type memory struct {
	activities map[string]report.Activity
	records    map[string]report.Record
	order      []string // ids as they were accepted
	calls      int
	fail       func(calls int) error // asked before each batch, if not nil
}

func newMemory() *memory {
	return &memory{activities: map[string]report.Activity{}, records: map[string]report.Record{}}
}

func (m *memory) called() error {
	m.calls++
	if m.fail != nil {
		return m.fail(m.calls)
	}
	return nil
}

func (m *memory) Append(ctx context.Context, rows []report.Activity) ([]ledger.Outcome, error) {
	if err := m.called(); err != nil {
		return nil, err
	}
	var outcomes []ledger.Outcome
	for _, a := range rows {
		id := a.Text[report.FieldID]
		status := ledger.Accepted
		if known, ok := m.activities[id]; ok && known == a {
			status = ledger.Duplicate
		} else if ok {
			status = ledger.Conflict
		} else {
			m.activities[id] = a
			m.order = append(m.order, id)
		}
		outcomes = append(outcomes, ledger.Outcome{Status: status})
	}
	return outcomes, ctx.Err()
}

func (m *memory) Put(ctx context.Context, records []report.Record) ([]ledger.Outcome, error) {
	if err := m.called(); err != nil {
		return nil, err
	}
	var outcomes []ledger.Outcome
	for _, r := range records {
		status := ledger.Accepted
		if known, ok := m.records[r.ID()]; ok && known.Equal(r) {
			status = ledger.Duplicate
		}
		m.records[r.ID()] = r
		outcomes = append(outcomes, ledger.Outcome{Status: status})
	}
	return outcomes, ctx.Err()
}

// read reads a text into a new memory.
func read(t testing.TB, text string, o Options) (*memory, Result, error) {
	t.Helper()
	m := newMemory()
	if o.Object == "" {
		o.Object = Activities
	}
	if o.Format == XLSX {
		o.Tmp = t.TempDir()
	}
	result, err := Read(t.Context(), strings.NewReader(text), o, m, nil)
	return m, result, err
}

// checkErrors compares errors by line, field and code, and a phrase that the
// message must hold.
func checkErrors(t *testing.T, got, want []RowError) {
	t.Helper()
	same := slices.EqualFunc(got, want, func(g, w RowError) bool {
		return g.Line == w.Line && g.Element == w.Element && g.Field == w.Field && g.Code == w.Code && strings.Contains(g.Message, w.Message)
	})
	if !same {
		t.Errorf("errors\n got %+v\nwant %+v", got, want)
	}
}

func checkCounts(t *testing.T, got Result, accepted, duplicates, conflicts, rejected int64) {
	t.Helper()
	want := Result{Accepted: accepted, Duplicates: duplicates, Conflicts: conflicts, Rejected: rejected}
	if got.Accepted != accepted || got.Duplicates != duplicates || got.Conflicts != conflicts || got.Rejected != rejected {
		t.Errorf("got %+v, want the counts of %+v", got, want)
	}
}
