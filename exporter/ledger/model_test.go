package ledger

import (
	"context"
	"slices"
	"strings"
	"testing"

	"licensekit/exporter/report"
)

// model is the ledger as one would write it without caring for speed: it
// decides row by row and keeps everything in a slice.
type model struct {
	rows    []report.Activity
	byID    map[string]int
	records map[report.Object]map[string]report.Record
}

func newModel() *model {
	m := &model{byID: map[string]int{}, records: map[report.Object]map[string]report.Record{}}
	for _, object := range report.Objects {
		m.records[object] = map[string]report.Record{}
	}
	return m
}

func (m *model) clone() *model {
	c := newModel()
	c.rows = slices.Clone(m.rows)
	for id, at := range m.byID {
		c.byID[id] = at
	}
	for object, records := range m.records {
		for id, r := range records {
			c.records[object][id] = r
		}
	}
	return c
}

func (m *model) append(given report.Activity) Outcome {
	id := given.Text[report.FieldID]
	if id == "" {
		return Outcome{Status: Rejected, Field: "id", Code: CodeRequired}
	}
	if given.Amount != report.Null && (given.Amount > report.MaxAmount || given.Amount < -report.MaxAmount) {
		return Outcome{Status: Rejected, Field: "amount", Code: CodeOutOfRange}
	}
	if at, known := m.byID[id]; known {
		stored := m.rows[at]
		said := stored
		for f := range said.Text {
			if stored.Inferred.Has(report.Field(f)) {
				said.Text[f] = ""
			}
		}
		said.Sequence, said.ReceivedAt, said.Inferred = 0, 0, 0
		given.Sequence, given.ReceivedAt, given.Inferred = 0, 0, 0
		if said == given {
			return Outcome{Status: Duplicate, Sequence: stored.Sequence}
		}
		return Outcome{Status: Conflict, Sequence: stored.Sequence}
	}
	stored, ok := m.infer(given)
	if !ok {
		return Outcome{Status: Rejected, Field: "product_id", Code: CodeLinkMismatch}
	}
	stored.Sequence, stored.ReceivedAt = int64(len(m.rows))+1, clock.UnixMilli()
	m.byID[id] = len(m.rows)
	m.rows = append(m.rows, stored)
	return Outcome{Status: Accepted, Sequence: stored.Sequence}
}

var followed = []struct {
	object report.Object
	field  report.Field
	brings []report.Field
}{
	{report.Licenses, report.FieldLicense, []report.Field{report.FieldProduct, report.FieldCustomer, report.FieldOrder, report.FieldSubscription}},
	{report.Orders, report.FieldOrder, []report.Field{report.FieldProduct, report.FieldCustomer, report.FieldSubscription}},
	{report.Subscriptions, report.FieldSubscription, []report.Field{report.FieldProduct, report.FieldCustomer}},
}

// resolve gives a record's link, its own or that of what it links to.
func (m *model) resolve(object report.Object, id string, want report.Field) string {
	r, known := m.records[object][id]
	if !known {
		return ""
	}
	if own := r.Text(want.String()); own != "" {
		return own
	}
	order := r.Text("order_id")
	if object == report.Licenses {
		if found := m.resolve(report.Orders, order, want); found != "" {
			return found
		}
	}
	if object == report.Subscriptions {
		return ""
	}
	subscription := r.Text("subscription_id")
	if subscription == "" && object == report.Licenses {
		subscription = m.resolve(report.Orders, order, report.FieldSubscription)
	}
	return m.resolve(report.Subscriptions, subscription, want)
}

func (m *model) infer(given report.Activity) (report.Activity, bool) {
	stored := given
	stored.Inferred = 0
	for _, step := range followed {
		for _, field := range step.brings {
			if stored.Text[field] != "" {
				continue
			}
			if found := m.resolve(step.object, stored.Text[step.field], field); found != "" {
				stored.Text[field] = found
				stored.Inferred |= report.SetOf(field)
			}
		}
	}
	for _, step := range followed {
		product := m.resolve(step.object, given.Text[step.field], report.FieldProduct)
		if product != "" && product != stored.Text[report.FieldProduct] {
			return stored, false
		}
	}
	return stored, true
}

func matches(m report.Match, a report.Activity) bool {
	for f, want := range m.Equal {
		if want != "" && a.Text[f] != want {
			return false
		}
	}
	return (m.From == nil || a.OccurredAt >= int64(*m.From)) &&
		(m.To == nil || a.OccurredAt < int64(*m.To)) &&
		(!m.Usage || strings.HasPrefix(a.Text[report.FieldAction], report.UsagePrefix)) &&
		(m.Below == 0 || a.Sequence < m.Below) && a.Sequence > m.Above &&
		(m.Status == 0 || a.StatusCode == m.Status)
}

// scan gives what Activities should, as single rows.
func (m *model) scan(s report.Scan) []report.Activity {
	out := make([]report.Activity, 0, len(m.rows))
	for _, a := range m.rows {
		if !matches(s.Match, a) {
			continue
		}
		for f := range a.Text {
			if !s.Fields.Has(report.Field(f)) {
				a.Text[f] = ""
			}
		}
		a.Inferred = 0 // batches don't carry it
		out = append(out, a)
	}
	switch s.Order {
	case report.BySequenceDesc:
		slices.Reverse(out)
	case report.ByTime:
		slices.SortStableFunc(out, func(a, b report.Activity) int { return int(a.OccurredAt - b.OccurredAt) })
	}
	return out
}

// collect reads a stream row by row, after it has ended: batches must have
// stayed as they were.
func collect(t *testing.T, s report.Source, scan report.Scan) []report.Activity {
	t.Helper()
	var batches []*report.Facts
	for facts, err := range s.Activities(context.Background(), scan) {
		if err != nil {
			t.Fatalf("scan %+v: %v", scan, err)
		}
		if facts.Len() == 0 || facts.Len() > BlockRows {
			t.Fatalf("scan %+v: a batch of %d rows", scan, facts.Len())
		}
		batches = append(batches, facts)
	}
	out := make([]report.Activity, 0, s.Sequence())
	for _, facts := range batches {
		for i := range facts.Len() {
			out = append(out, rowOf(facts, i, scan.Fields))
		}
	}
	return out
}

func rowOf(facts *report.Facts, i int, fields report.FieldSet) report.Activity {
	a := report.Activity{
		Sequence: facts.Sequence[i], OccurredAt: facts.OccurredAt[i], ReceivedAt: facts.ReceivedAt[i],
		Amount: facts.Amount[i], StatusCode: facts.StatusCode[i],
	}
	for f := range a.Text {
		if fields.Has(report.Field(f)) {
			a.Text[f] = facts.Text[f].At(i)
		}
	}
	return a
}

// sameRows compares row by row, for a readable failure.
func sameRows(t *testing.T, what any, got, want []report.Activity) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%+v: row %d\n got %+v\nwant %+v", what, i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%+v: got %d rows, want %d", what, len(got), len(want))
	}
}
