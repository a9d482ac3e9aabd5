package ledger

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/report"
)

// session appends within one write transaction.
type session struct {
	own   *shelf
	below []*shelf // consulted, too, but never written to
	links *linkCache
	hash  func(string) uint64
	now   func() time.Time
}

// Tx implements [Transaction].
func (s *session) Tx() *bbolt.Tx { return s.own.tx }

// batch is the work on one call of Append, which decides each row as if the
// rows had come one by one: known ids first, then links, then rows before it
// in the batch.
type batch struct {
	rows     []report.Activity
	outcomes []Outcome
	inferred []report.FieldSet
	queries  []entry // hash of the id -> row, in order, of rows that are fit to be stored
	accepted []uint32
	echoes   []echo

	mismatches []mismatch
}

// mismatch is a row whose product is not that of a record that it names.
type mismatch struct {
	row     int
	field   report.Field // by which it names the record
	product string
}

// echo is a row with the id of an earlier row of the batch.
type echo struct{ row, of uint32 }

// Append implements [Appender].
func (s *session) Append(ctx context.Context, rows []report.Activity) ([]Outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := s.examine(rows)
	if err != nil {
		return nil, fmt.Errorf("follow the links of activities: %w", err)
	}
	for _, shelf := range append(s.below[:len(s.below):len(s.below)], s.own) {
		if err := b.compareStored(shelf); err != nil {
			return nil, fmt.Errorf("look for known activities: %w", err)
		}
	}
	b.rejectMismatches()
	b.compareWithin()
	b.number(int64(s.own.state.Last))
	if err := s.store(ctx, b); err != nil {
		return nil, fmt.Errorf("append activities: %w", err)
	}
	return b.outcomes, nil
}

// maxStored bounds a text so that a block of the longest ones stays a value
// that bbolt takes. Callers have stricter limits.
const maxStored = 16 << 10

// examine does what can be said of each row alone, in one pass over the rows:
// a batch is much larger than the processor's caches.
func (s *session) examine(rows []report.Activity) (*batch, error) {
	b := &batch{
		rows:     rows,
		outcomes: make([]Outcome, len(rows)),
		inferred: make([]report.FieldSet, len(rows)),
		queries:  make([]entry, 0, len(rows)),
	}
	if s.links.full() {
		s.links.clear()
	}
	for i := range rows {
		if !b.check(i) {
			continue
		}
		b.queries = append(b.queries, entry{s.hash(rows[i].Text[report.FieldID]), uint64(i)})
		if err := s.infer(b, i); err != nil {
			return nil, err
		}
	}
	b.queries = sortByKey(b.queries, make([]entry, len(b.queries)))
	return b, nil
}

// check rejects a row that can't be stored at all.
func (b *batch) check(row int) bool {
	a := &b.rows[row]
	switch {
	case a.Text[report.FieldID] == "":
		return b.reject(row, report.FieldID.String(), CodeRequired, "is missing")
	case a.Text[report.FieldAction] == "":
		return b.reject(row, report.FieldAction.String(), CodeRequired, "is missing")
	case a.OccurredAt == report.Null:
		return b.reject(row, "occurred_at", CodeRequired, "is missing")
	case a.Amount != report.Null && (a.Amount > report.MaxAmount || a.Amount < -report.MaxAmount):
		return b.reject(row, "amount", CodeOutOfRange, fmt.Sprintf("%d is beyond ±%d", a.Amount, int64(report.MaxAmount)))
	}
	for field := range a.Text {
		if len(a.Text[field]) > maxStored {
			return b.reject(row, report.Field(field).String(), CodeTooLong, fmt.Sprintf("is longer than %d bytes", maxStored))
		}
	}
	return true
}

// reject always gives false, for check to pass on.
func (b *batch) reject(row int, field, code, message string) bool {
	b.outcomes[row] = Outcome{Status: Rejected, Field: field, Code: code, Message: message}
	return false
}

// compareStored decides the rows whose id a shelf knows. Candidates are read
// in the order of their sequences, so that a batch which was sent again opens
// each block once.
func (b *batch) compareStored(s *shelf) error {
	var candidates []entry // sequence -> row
	err := s.index.find(b.queries, func(row, sequence uint64) {
		candidates = append(candidates, entry{sequence, row})
	})
	if err != nil {
		return err
	}
	candidates = sortByKey(candidates, make([]entry, len(candidates)))
	for _, c := range candidates {
		stored, err := s.activity(int64(c.key))
		if err != nil {
			return err
		}
		given := &b.rows[c.value]
		if given.Text[report.FieldID] == stored.Text[report.FieldID] {
			b.outcomes[c.value] = Outcome{Status: compare(given, &stored, stored.Inferred), Sequence: stored.Sequence}
		}
	}
	return nil
}

// rejectMismatches decides the rows that contradict a record, except those
// whose id is known: they had their say.
func (b *batch) rejectMismatches() {
	for _, m := range b.mismatches {
		if b.outcomes[m.row].Status == undecided {
			message := contradiction(m.product, m.field, b.rows[m.row].Text[m.field])
			b.reject(m.row, report.FieldProduct.String(), CodeLinkMismatch, message)
		}
	}
}

// compareWithin decides, for every hash, the rows that share an id with an
// earlier row of the batch. Sorting kept the order of the rows.
func (b *batch) compareWithin() {
	for from := 0; from < len(b.queries); {
		to := from + 1
		for to < len(b.queries) && b.queries[to].key == b.queries[from].key {
			to++
		}
		for i := from + 1; i < to; i++ {
			b.compareEarlier(uint32(b.queries[i].value), b.queries[from:i])
		}
		from = to
	}
}

// compareEarlier looks for the id of a row among earlier rows. A row that was
// rejected leaves its id free; one that is rejected for its links is a
// duplicate or a conflict all the same where the id is taken.
func (b *batch) compareEarlier(row uint32, earlier []entry) {
	if b.outcomes[row].Status == Duplicate || b.outcomes[row].Status == Conflict {
		return
	}
	for _, e := range earlier {
		first := &b.rows[e.value]
		if b.outcomes[e.value].Status == undecided && first.Text[report.FieldID] == b.rows[row].Text[report.FieldID] {
			b.outcomes[row] = Outcome{Status: compare(&b.rows[row], first, 0)}
			b.echoes = append(b.echoes, echo{row, uint32(e.value)})
			return
		}
	}
}

// compare tells a duplicate from a conflict by what the producer said of both:
// what was inferred for the known one doesn't count.
func compare(given, known *report.Activity, inferred report.FieldSet) Status {
	if given.OccurredAt != known.OccurredAt || given.Amount != known.Amount || given.StatusCode != known.StatusCode {
		return Conflict
	}
	for field, text := range given.Text {
		said := known.Text[field]
		if inferred.Has(report.Field(field)) {
			said = ""
		}
		if text != said {
			return Conflict
		}
	}
	return Duplicate
}

// number accepts what is still undecided.
func (b *batch) number(last int64) {
	for i := range b.outcomes {
		if b.outcomes[i].Status == undecided {
			last++
			b.outcomes[i] = Outcome{Status: Accepted, Sequence: last}
			b.accepted = append(b.accepted, uint32(i))
		}
	}
	for _, e := range b.echoes {
		b.outcomes[e.row].Sequence = b.outcomes[e.of].Sequence
	}
}

// store writes the accepted rows, their index entries and the state.
func (s *session) store(ctx context.Context, b *batch) error {
	if len(b.accepted) == 0 {
		return nil
	}
	received := s.now().UnixMilli()
	err := s.own.store(ctx, len(b.accepted), func(i int) row {
		at := b.accepted[i]
		return row{s.links.fill(&b.rows[at], b.inferred[at]), received, b.inferred[at]}
	})
	if err != nil {
		return err
	}
	entries := b.queries[:0]
	for _, q := range b.queries {
		if o := &b.outcomes[q.value]; o.Status == Accepted {
			entries = append(entries, entry{q.key, uint64(o.Sequence)})
		}
	}
	if err := s.own.index.add(s.own.tx, entries); err != nil {
		return err
	}
	return s.own.save()
}
