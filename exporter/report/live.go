package report

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Live is a page of a report as it is now, for those who look. An export of
// the same filters at the same sequence holds the same rows, and all of them.
type Live struct {
	Kind    Kind                        `json:"report_kind"`
	Filters Filters                     `json:"filters"`
	AsOf    int64                       `json:"as_of"` // the source's sequence
	Columns map[string][]Column         `json:"columns"`
	Rows    map[string][]map[string]any `json:"rows"`
	Totals  Totals                      `json:"totals,omitempty"`  // of the whole report; absent where Rows is a page of a list
	Omitted map[string]int64            `json:"omitted,omitempty"` // rows beyond the limit, per section
}

// Excerpt says which rows of a report are kept.
type Excerpt struct {
	Limit  int    // of each section
	Before int64  // of the usage ledger, only lower sequences; 0 for all
	Order  string // the column of which the rows that have the most come first; "" for the report's own order
}

// ReadLive computes a report and keeps the first rows of each section, up to
// the limit. The usage ledger is a list: it is read newest first, and next is
// where the following page goes on, 0 at the end. Errors: *[FilterError].
func ReadLive(ctx context.Context, source Source, kind Kind, filters Filters, excerpt Excerpt) (live *Live, next int64, err error) {
	return (*Memory)(nil).ReadLive(ctx, source, kind, filters, excerpt)
}

// ReadLive is [ReadLive] with what the memory knows.
func (m *Memory) ReadLive(ctx context.Context, source Source, kind Kind, filters Filters, excerpt Excerpt) (live *Live, next int64, err error) {
	live = &Live{
		Kind: kind, Filters: filters, AsOf: source.Sequence(),
		Columns: map[string][]Column{}, Rows: map[string][]map[string]any{},
	}
	if kind == UsageLedger {
		match := filters.Match()
		match.Usage, match.Below = true, excerpt.Before
		live.Columns["usage"] = ledgerColumns
		live.Rows["usage"], next, err = page(ctx, source, match, ledgerColumns, excerpt.Limit)
		return live, next, err
	}
	document, err := Build(ctx, source, kind, filters)
	if err != nil {
		return nil, 0, err
	}
	if m != nil && kind == UsageSummary {
		s := &document.Sections[0]
		if s.Rows, err = m.summary(ctx, source, filters, s.Rows); err != nil {
			return nil, 0, err
		}
	}
	live.Totals = Totals{}
	for i := range document.Sections {
		if err := live.read(&document.Sections[i], excerpt); err != nil {
			return nil, 0, err
		}
	}
	return live, 0, nil
}

func (l *Live) read(s *Section, excerpt Excerpt) error {
	if err := l.Totals.Add(s, nil); err != nil {
		return err
	}
	keep, err := excerpt.of(s)
	if err != nil {
		return err
	}
	for batch, err := range s.Rows {
		if err == nil {
			err = l.Totals.Add(s, batch)
		}
		if err != nil {
			return err
		}
		keep.add(batch)
	}
	rows := keep.sorted()
	l.Columns[s.Name], l.Rows[s.Name] = s.Columns, rows
	if omitted := l.Totals[s.Name]["rows"] - int64(len(rows)); omitted > 0 {
		if l.Omitted == nil {
			l.Omitted = map[string]int64{}
		}
		l.Omitted[s.Name] = omitted
	}
	return nil
}

// feedColumns are what the activity feed shows: those of the ledger, when an
// activity came in, and its metadata.
var feedColumns = slices.Concat(ledgerColumns[:3],
	[]Column{{Name: "received_at", Type: Time}}, ledgerColumns[3:],
	[]Column{{Name: "metadata", Type: String}})

// Feed reads activities of every action, newest first, up to limit. next is
// the Below of the following page, 0 at the end.
func Feed(ctx context.Context, source Source, match Match, limit int) (activities []map[string]any, next int64, err error) {
	activities, next, err = page(ctx, source, match, feedColumns, limit)
	for _, activity := range activities {
		if text, ok := activity["metadata"].(string); ok {
			activity["metadata"] = json.RawMessage(text)
		}
	}
	return activities, next, err
}

// page reads activities newest first.
func page(ctx context.Context, source Source, match Match, columns []Column, limit int) (rows []map[string]any, next int64, err error) {
	rows = []map[string]any{}
	scan := Scan{Match: match, Fields: AllFields, Order: BySequenceDesc}
	for batch, err := range activityRows(ctx, source, scan, columns) {
		if err != nil {
			return nil, 0, err
		}
		for row := range batch.Len() {
			if len(rows) == limit {
				return rows, next, nil
			}
			rows = append(rows, batch.Row(columns, row))
			next = batch[0].Int[row]
		}
	}
	return rows, 0, nil
}

// Row gives a row as a JSON object has it: by column name, times as
// [FormatTime] writes them, integers beyond ±(2^53-1) as strings of digits,
// and nil for absent values. Text is copied: the row outlives the batch.
func (b Batch) Row(columns []Column, row int) map[string]any {
	object := make(map[string]any, len(columns))
	for i, c := range columns {
		object[c.Name] = b[i].value(c.Type, row)
	}
	return object
}

func (v *Vector) value(typ Type, row int) any {
	if typ == String {
		if text := v.Text.At(row); text != "" {
			return strings.Clone(text)
		}
		return nil
	}
	switch n := v.Int[row]; {
	case n == Null:
		return nil
	case typ == Time:
		return FormatTime(n)
	case n > MaxAmount || n < -MaxAmount:
		return strconv.FormatInt(n, 10)
	default:
		return n
	}
}

// CheckLive refuses a live read of a kind that is about one thing without the
// id of that thing; only an export covers all of them. Errors: *[FilterError].
func CheckLive(kind Kind, f Filters) error {
	required := RequiredIDs(kind)
	for _, name := range required {
		if *f.text(name) != "" {
			return nil
		}
	}
	if required == nil {
		return nil
	}
	return &FilterError{Field: strings.Join(required, " or "), Problem: "is required; an export without it covers all"}
}

// MarshalJSON writes sums beyond ±(2^53-1) as strings of digits, as rows and
// the canonical form have them.
func (t Totals) MarshalJSON() ([]byte, error) {
	out := canonicalWriter{&Output{}}
	out.totals(t)
	return out.Buf, nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Totals) UnmarshalJSON(text []byte) error {
	var sections map[string]map[string]json.RawMessage
	if err := json.Unmarshal(text, &sections); err != nil {
		return err
	}
	*t = Totals{}
	for section, sums := range sections {
		(*t)[section] = map[string]int64{}
		for name, sum := range sums {
			n, err := strconv.ParseInt(strings.Trim(string(sum), `"`), 10, 64)
			if err != nil {
				return fmt.Errorf("total %s of section %s: %w", name, section, err)
			}
			(*t)[section][name] = n
		}
	}
	return nil
}
