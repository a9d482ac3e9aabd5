package report

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"
)

// Type is the type of a column's values.
type Type string

// The column types. Times are instants in UTC to the millisecond.
const (
	String  Type = "string"
	Integer Type = "integer"
	Time    Type = "time"
)

// Null stands for an absent integer or time. An absent string is "".
const Null int64 = math.MinInt64

// Column is a named, typed column of a section. Its name and type are part of
// the canonical form; Sum is not, for totals follow from kind and filters.
type Column struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
	Sum  bool   `json:"-"` // the section's totals carry the sum of this column
}

// Vector holds the values of one column for some rows: Text for a String
// column, Int for an Integer (the value) or a Time (milliseconds since
// 1970-01-01T00:00:00Z) column. The other one is empty.
type Vector struct {
	Text Coded
	Int  []int64
}

// Batch is a run of rows by column, one Vector per column of the section, all
// of the same length. A Batch is never changed after it was handed out, and is
// valid until the source that it came from is closed.
type Batch []Vector

// Len is the number of rows.
func (b Batch) Len() int {
	if len(b) == 0 {
		return 0
	}
	return max(b[0].Text.Len(), len(b[0].Int))
}

// Head gives the first rows, at most so many.
func (b Batch) Head(most int) Batch {
	if b.Len() <= most {
		return b
	}
	head := slices.Clone(b)
	for i := range head {
		v := &head[i]
		v.Text, v.Int = v.Text.Head(most), v.Int[:min(len(v.Int), most)]
	}
	return head
}

// Rows streams the rows of a section. After an error it ends.
type Rows = iter.Seq2[Batch, error]

// Section is a named table of a report.
type Section struct {
	Name    string
	Columns []Column
	// Key names the columns that tell the rows apart, in the order in which the
	// rows are sorted by them: ascending, what is absent first.
	Key  []string
	Rows Rows
}

// Document is a report: what was asked and what it says. Sections are sorted
// by name, as the canonical form needs them. A Document built from a [Source]
// may be read more than once; one that a decoder made is read once, its
// sections in order.
type Document struct {
	Kind     Kind
	Filters  Filters
	Sections []Section
}

// Totals holds, per section name, the number of rows ("rows") and the sum of
// each column that is marked Sum.
type Totals map[string]map[string]int64

// Rows is the number of rows in all sections.
func (t Totals) Rows() (n int64) {
	for _, section := range t {
		n += section["rows"]
	}
	return n
}

// Add counts a batch of section s into the totals. An absent value adds
// nothing. Errors: [ErrOverflow].
func (t Totals) Add(s *Section, batch Batch) error {
	sums := t[s.Name]
	if sums == nil {
		sums = map[string]int64{"rows": 0}
		for _, c := range s.Columns {
			if c.Sum {
				sums[c.Name] = 0
			}
		}
		t[s.Name] = sums
	}
	if batch.Len() == 0 {
		return nil
	}
	sums["rows"] += int64(batch.Len())
	for i, c := range s.Columns {
		if !c.Sum {
			continue
		}
		sum := sums[c.Name]
		for _, v := range batch[i].Int {
			var err error
			if sum, err = AddInt(sum, v); err != nil {
				return fmt.Errorf("section %s, column %s: %w", s.Name, c.Name, err)
			}
		}
		sums[c.Name] = sum
	}
	return nil
}

// AddInt adds two integers, an absent second one counting as nothing.
// Errors: [ErrOverflow].
func AddInt(sum, v int64) (int64, error) {
	if v == Null {
		return sum, nil
	}
	next := sum + v
	if (next > sum) != (v > 0) || next == Null {
		return 0, ErrOverflow
	}
	return next, nil
}

// Map gives a document whose rows pass through f on their way, for counting
// and progress. f must not change the batch.
func (d *Document) Map(f func(*Section, Batch) error) *Document {
	mapped := *d
	mapped.Sections = slices.Clone(d.Sections)
	for i := range mapped.Sections {
		section := &d.Sections[i]
		mapped.Sections[i].Rows = func(yield func(Batch, error) bool) {
			for batch, err := range section.Rows {
				if err == nil {
					err = f(section, batch)
				}
				if !yield(batch, err) || err != nil {
					return
				}
			}
		}
	}
	return &mapped
}

// timeLayout is the canonical form of an instant: RFC 3339, UTC, milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// FormatTime writes milliseconds since the epoch as RFC 3339 in UTC with three
// decimals, and [Null] as "".
func FormatTime(ms int64) string {
	if ms == Null {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(timeLayout)
}

// ParseTime reads exactly what [FormatTime] writes.
func ParseTime(text string) (int64, error) {
	var p TimeParser
	return p.Parse([]byte(text))
}

// Build computes the report of a kind over one consistent state. The rows are
// produced as they are read, so the source must stay open until then; ctx ends
// the reading early.
func Build(ctx context.Context, source Source, kind Kind, filters Filters) (*Document, error) {
	definition, ok := definitions[kind]
	if !ok {
		return nil, &FilterError{Field: "report_kind", Value: string(kind), Problem: "is not a report kind"}
	}
	document := &Document{Kind: kind, Filters: filters, Sections: Sections(kind, filters)}
	rows, err := definition.rows(ctx, source, filters)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", kind, err)
	}
	for i := range document.Sections {
		document.Sections[i].Rows = rows[document.Sections[i].Name]
	}
	return document, nil
}

// Sections gives the sections of a kind, sorted by name and without rows: the
// schema that a decoder needs where the file carries none.
func Sections(kind Kind, filters Filters) []Section {
	return definitions[kind].sections(filters)
}

// RequiredIDs lists the filters of which a live read of a kind must have at
// least one, nil for none. An export without them covers everything.
func RequiredIDs(kind Kind) []string { return slices.Clone(definitions[kind].liveBy) }

// definition is what a kind brings: the filters it takes, its schema, its rows.
type definition struct {
	filters  []string // names beyond the common ones
	groupBy  []string // the default grouping, nil where the kind has none
	liveBy   []string // a live read names one of these ids, an export needn't
	sections func(Filters) []Section
	rows     func(context.Context, Source, Filters) (map[string]Rows, error)
}

// definitions has an entry per kind; each kind's file defines its own.
var definitions = map[Kind]definition{
	UsageSummary:           usageSummary,
	UsageLedger:            usageLedger,
	LicenseAudit:           licenseAudit,
	CustomerSummary:        customerSummary,
	SubscriptionSettlement: subscriptionSettlement,
}
