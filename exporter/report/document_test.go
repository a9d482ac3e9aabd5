package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// row is a row of a document: a string or an int64 per column.
type row []any

// rowsOf streams rows in batches of a few.
func rowsOf(columns []Column, rows []row, perBatch int) Rows {
	return func(yield func(Batch, error) bool) {
		b := NewBuilder(columns)
		for i, values := range rows {
			for column, value := range values {
				if text, ok := value.(string); ok {
					b.String(column, text)
				} else {
					b.Int(column, value.(int64))
				}
			}
			b.EndRow()
			if last := i == len(rows)-1; (b.Len() == perBatch || last) && !yield(b.Take(), nil) {
				return
			}
		}
	}
}

// readAll reads a document whole, by section.
func readAll(d *Document) (map[string][]row, error) {
	read := map[string][]row{}
	for _, s := range d.Sections {
		for batch, err := range s.Rows {
			if err != nil {
				return read, err
			}
			read[s.Name] = append(read[s.Name], rowsIn(s.Columns, batch)...)
		}
	}
	return read, nil
}

func rowsIn(columns []Column, batch Batch) (rows []row) {
	for i := range batch.Len() {
		var values row
		for column, c := range columns {
			if c.Type == String {
				values = append(values, batch[column].Text.At(i))
			} else {
				values = append(values, batch[column].Int[i])
			}
		}
		rows = append(rows, values)
	}
	return rows
}

// pieces are what hostile text is made of.
var pieces = []string{
	`"`, `\`, `\\`, `\u0041`, "/", "\b", "\t", "\n", "\f", "\r", "\x00", "\x1f", "\x7f", "\u0080", "\u2028", "<&>",
	`,"rows":{`, `}]},"schema"`, "null", "é", "e\u0301", "日本", "\u202e", "\U0001F600", "\uFFFD", "\uFFFF", "plain", " ",
}

func randomText(random *rand.Rand) (text string) {
	for range random.IntN(4) {
		text += pieces[random.IntN(len(pieces))]
	}
	return text
}

// The first and last instants of the years 0 and 9999.
const (
	firstMS = -62167219200000
	lastMS  = 253402300799999
)

func randomValue(random *rand.Rand, c Column) any {
	edges := []int64{0, -1, MaxAmount, MaxAmount + 1, -MaxAmount - 1, math.MaxInt64, Null + 1}
	switch {
	case c.Type == String:
		return randomText(random)
	case random.IntN(4) == 0:
		return Null
	case c.Type == Time:
		return firstMS + random.Int64N(lastMS-firstMS+1)
	case c.Sum:
		return random.Int64N(1<<60) - 1<<59
	}
	return edges[random.IntN(len(edges))]
}

// requests are reports with various columns.
var requests = []struct {
	kind    Kind
	filters map[string]string
}{
	{UsageLedger, nil},
	{UsageLedger, map[string]string{"customer_id": `a,"rows":{<é>\`, "from": "0000-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999Z"}},
	{UsageSummary, nil},
	{UsageSummary, map[string]string{"group_by": "customer_id,action", "bucket": "1d", "time_zone": "Europe/Berlin"}},
}

func parseFilters(t testing.TB, kind Kind, values map[string]string) Filters {
	t.Helper()
	f, err := ParseFilters(kind, values)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func randomDocument(t testing.TB, random *rand.Rand) *Document {
	t.Helper()
	request := requests[random.IntN(len(requests))]
	d := &Document{Kind: request.kind, Filters: parseFilters(t, request.kind, request.filters)}
	d.Sections = Sections(d.Kind, d.Filters)
	for i, s := range d.Sections {
		rows := make([]row, random.IntN(6))
		for r := range rows {
			for _, c := range s.Columns {
				rows[r] = append(rows[r], randomValue(random, c))
			}
		}
		d.Sections[i].Rows = rowsOf(s.Columns, rows, 1+random.IntN(3))
	}
	return d
}

func writeCanonical(t testing.TB, d *Document) []byte {
	t.Helper()
	var file bytes.Buffer
	if _, err := WriteCanonical(&file, d); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestAddInt(t *testing.T) {
	tests := []struct {
		sum, v, want int64
		err          error
	}{
		{5, Null, 5, nil}, {5, -7, -2, nil}, {5, 0, 5, nil},
		{math.MaxInt64 - 1, 1, math.MaxInt64, nil}, {math.MaxInt64, 1, 0, ErrOverflow},
		{math.MinInt64 + 2, -1, math.MinInt64 + 1, nil},
		{math.MinInt64 + 1, -1, 0, ErrOverflow}, // the sum would read as absent
		{math.MinInt64 + 1, -2, 0, ErrOverflow}, {math.MaxInt64, math.MinInt64 + 1, 0, nil},
	}
	for _, test := range tests {
		if got, err := AddInt(test.sum, test.v); got != test.want || !errors.Is(err, test.err) {
			t.Errorf("AddInt(%d, %d) = %d, %v; want %d, %v", test.sum, test.v, got, err, test.want, test.err)
		}
	}
}

func TestTotalsOverflow(t *testing.T) {
	d := &Document{Kind: UsageSummary, Filters: parseFilters(t, UsageSummary, nil)}
	d.Sections = Sections(d.Kind, d.Filters)
	d.Sections[0].Rows = rowsOf(d.Sections[0].Columns, []row{
		{"p", "a", int64(1), int64(math.MaxInt64)}, {"p", "b", int64(1), int64(1)}}, 1)
	if _, err := WriteCanonical(&bytes.Buffer{}, d); !errors.Is(err, ErrOverflow) {
		t.Errorf("write totals beyond int64: %v, want ErrOverflow", err)
	}
}

func TestDigest(t *testing.T) {
	const text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	d, err := ParseDigest(text)
	if err != nil || d.String() != text {
		t.Errorf("ParseDigest(%s) = %s, %v", text, d, err)
	}
	for _, bad := range []string{"", text[7:], text[:70], text + "0", "sha256:" + fmt.Sprintf("%064X", 0xABC), "sha512:" + text[7:], text[:70] + "g"} {
		if d, err := ParseDigest(bad); err == nil {
			t.Errorf("ParseDigest(%q) = %s, want an error", bad, d)
		}
	}
}

func TestTotalsAsJSON(t *testing.T) {
	want := Totals{"usage": {"rows": 2, "amount": 1 << 54, "events": -3}, "orders": {"rows": 0}}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), `{"orders":{"rows":0},"usage":{"amount":"18014398509481984","events":-3,"rows":2}}`; got != want {
		t.Errorf("totals are %s, want %s", got, want)
	}
	var got Totals
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read back %v, %v, want %v", got, err, want)
	}
	empty, err := json.Marshal(Totals{})
	if err != nil || string(empty) != "{}" {
		t.Errorf("no totals are %s, %v, want {}", empty, err)
	}
}
