package render

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"licensekit/exporter/report"
)

// table is a section held in memory, row by row; a value is a string or int64.
type table struct {
	name string
	rows [][]any
}

// rowsOf streams rows in batches of a few.
func rowsOf(columns []report.Column, rows [][]any, perBatch int) report.Rows {
	return func(yield func(report.Batch, error) bool) {
		for left := rows; len(left) > 0; {
			n := min(perBatch, len(left))
			batch, texts := make(report.Batch, len(columns)), make([][]string, len(columns))
			for _, row := range left[:n] {
				for i, value := range row {
					if text, ok := value.(string); ok {
						texts[i] = append(texts[i], text)
					} else {
						batch[i].Int = append(batch[i].Int, value.(int64))
					}
				}
			}
			for i := range batch {
				batch[i].Text.Values = report.ListTexts(texts[i]...)
			}
			if left = left[n:]; !yield(batch, nil) {
				return
			}
		}
	}
}

// tables reads a document whole.
func tables(d *report.Document) (read []table, err error) {
	for _, s := range d.Sections {
		t := table{name: s.Name}
		for batch, err := range s.Rows {
			if err != nil {
				return nil, err
			}
			for row := range batch.Len() {
				values := make([]any, len(batch))
				for i := range batch {
					if s.Columns[i].Type == report.String {
						values[i] = batch[i].Text.At(row)
					} else {
						values[i] = batch[i].Int[row]
					}
				}
				t.rows = append(t.rows, values)
			}
		}
		read = append(read, t)
	}
	return read, nil
}

// pieces are what hostile text is made of.
var pieces = []string{
	"=", "+", "-", "@", "\t", "\r", "\n", "\r\n", "'", "''", `"`, ",", ";", " ", "\ufeff", "\x00", "\x1b", "\u0085",
	"\\", "\u2028", "<&>", "_x0041_", "null", "-0", "1e5", "0x1F", "TRUE", "2026-01-01T00:00:00.000Z", "{nb}",
	"é", "e\u0301", "日本", "שלום", "\u202e", "\U0001F600", "\uFFFD", "\uFFFF", "plain", "cust_000042",
}

func randomText(random *rand.Rand) (text string) {
	for range random.IntN(4) {
		text += pieces[random.IntN(len(pieces))]
	}
	return text
}

const lastInstant = 253402300799999 // 9999-12-31T23:59:59.999Z

func randomValue(random *rand.Rand, typ report.Type) any {
	edges := []int64{report.Null, 0, 1, -1, 1<<53 - 1, 1 << 53, -1 << 53, math.MaxInt64, math.MinInt64 + 1}
	switch {
	case typ == report.String:
		return randomText(random)
	case typ == report.Time && random.IntN(4) == 0:
		return report.Null
	case typ == report.Time:
		return random.Int64N(2*lastInstant/10) - 1<<40
	case random.IntN(2) == 0:
		return edges[random.IntN(len(edges))]
	}
	return random.Int64N(2_000_000) - 1_000_000
}

func randomRow(random *rand.Rand, columns []report.Column) []any {
	row := make([]any, len(columns))
	for i, c := range columns {
		row[i] = randomValue(random, c.Type)
		if c.Sum && row[i] != report.Null { // so that totals stay in range
			row[i] = random.Int64N(2_000_000) - 1_000_000
		}
	}
	return row
}

func randomSections(random *rand.Rand, sections []report.Section) []report.Section {
	for i, s := range sections {
		rows := make([][]any, random.IntN(7))
		for r := range rows {
			rows[r] = randomRow(random, s.Columns)
		}
		sections[i].Rows = rowsOf(s.Columns, rows, 1+random.IntN(3))
	}
	return sections
}

// requests are reports of each kind, with filters that change the columns.
var requests = []struct {
	kind    report.Kind
	filters map[string]string
}{
	{report.UsageLedger, nil},
	{report.UsageLedger, map[string]string{"customer_id": `a "<b>", c`, "from": "2026-01-01T00:00:00Z", "action": "usage.consumed"}},
	{report.UsageSummary, nil},
	{report.UsageSummary, map[string]string{"group_by": "customer_id", "bucket": "1d", "time_zone": "Europe/Berlin"}},
}

func filtersOf(t testing.TB, kind report.Kind, values map[string]string) report.Filters {
	t.Helper()
	filters, err := report.ParseFilters(kind, values)
	if err != nil {
		t.Fatal(err)
	}
	return filters
}

func mustParse(t testing.TB, name string) Format {
	t.Helper()
	format, err := Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return format
}

func encode(t testing.TB, f Format, d *report.Document) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := f.Encode(t.Context(), &file, d, Info{}); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func decode(f Format, file []byte, kind report.Kind, filters report.Filters) (*report.Document, error) {
	return f.Decode(bytes.NewReader(file), int64(len(file)), kind, filters)
}

func show(tables []table) string { return fmt.Sprintf("%q", tables) }
