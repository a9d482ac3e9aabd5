package render

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"licensekit/exporter/report"
)

func TestParse(t *testing.T) {
	for _, name := range Names() {
		if got := mustParse(t, name).Name; got != name {
			t.Errorf("Parse(%q) gives %q", name, got)
		}
	}
	_, err := Parse("yaml")
	var refused *report.FilterError
	if !errors.As(err, &refused) || refused.Field != "format" || !strings.Contains(err.Error(), strings.Join(Names(), ", ")) {
		t.Errorf("Parse(yaml): %v; want a FilterError for format that names %q", err, Names())
	}
	if _, err := Parse(""); err == nil {
		t.Error("Parse of the empty name succeeds")
	}
}

func TestDecodeUndoesEncode(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range Names() {
		format := mustParse(t, name)
		for _, request := range requests {
			filters := filtersOf(t, request.kind, request.filters)
			for range 20 {
				d := &report.Document{Kind: request.kind, Filters: filters}
				d.Sections = randomSections(random, report.Sections(request.kind, filters))
				checkRoundTrip(t, format, d)
			}
		}
	}
}

func checkRoundTrip(t *testing.T, format Format, d *report.Document) {
	t.Helper()
	want, _ := tables(d)
	file := encode(t, format, d)
	decoded, err := decode(format, file, d.Kind, d.Filters)
	if err != nil {
		t.Fatalf("%s: decode %q: %v", format.Name, file, err)
	}
	got, err := tables(decoded)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: decode %q = %s, %v; want %s", format.Name, file, show(got), err, show(want))
	}
	if !reflect.DeepEqual(decoded.Filters, d.Filters) || decoded.Kind != d.Kind {
		t.Fatalf("%s: decoded %s %+v, want %s %+v", format.Name, decoded.Kind, decoded.Filters, d.Kind, d.Filters)
	}
	again, err := decode(format, file, d.Kind, d.Filters)
	if err != nil {
		t.Fatal(err)
	}
	if second := encode(t, format, again); !bytes.Equal(second, file) {
		t.Fatalf("%s: encoded again: %q, want %q", format.Name, second, file)
	}
}

func TestDecodeJSONChecksTheRequest(t *testing.T) {
	format := mustParse(t, "json")
	d := ledger(t, nil)
	file := encode(t, format, d)
	other := filtersOf(t, d.Kind, map[string]string{"customer_id": "c"})
	if _, err := decode(format, file, d.Kind, other); err == nil || !strings.Contains(err.Error(), `filters are {}, want {"customer_id":"c"}`) {
		t.Errorf("decode with other filters: %v", err)
	}
	summary := filtersOf(t, report.UsageSummary, nil)
	if _, err := decode(format, file, report.UsageSummary, summary); err == nil || !strings.Contains(err.Error(), "want usage-summary") {
		t.Errorf("decode as another kind: %v", err)
	}
}

func TestDecodeRefusesUnknownKind(t *testing.T) {
	for _, name := range Names() {
		if _, err := decode(mustParse(t, name), []byte("x\r\n"), "no-such-kind", report.Filters{}); err == nil {
			t.Errorf("%s: decode of an unknown kind succeeds", name)
		}
	}
}

// What the document, the context or the writer fail with comes back.
func TestEncodeFails(t *testing.T) {
	broken := errors.New("broken")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	for _, name := range Names() {
		format := mustParse(t, name)
		row := randomRow(rand.New(rand.NewPCG(1, 1)), report.Sections(report.UsageLedger, report.Filters{})[0].Columns)
		if err := format.Encode(ended, io.Discard, ledger(t, [][]any{row}), Info{}); !errors.Is(err, broken) {
			t.Errorf("%s: encode with an ended context: %v, want %v", name, err, broken)
		}
		if err := format.Encode(t.Context(), failingWriter{broken}, ledger(t, nil), Info{}); !errors.Is(err, broken) {
			t.Errorf("%s: encode to a failing writer: %v, want %v", name, err, broken)
		}
		d := ledger(t, nil)
		d.Sections[0].Rows = func(yield func(report.Batch, error) bool) { yield(nil, broken) }
		if err := format.Encode(t.Context(), io.Discard, d, Info{}); !errors.Is(err, broken) {
			t.Errorf("%s: encode of failing rows: %v, want %v", name, err, broken)
		}
		row[3] = "caf\xe9"
		if err := format.Encode(t.Context(), io.Discard, ledger(t, [][]any{row}), Info{}); err == nil || !strings.Contains(err.Error(), "UTF-8") {
			t.Errorf("%s: encode of Latin-1 text: %v, want an error about UTF-8", name, err)
		}
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// ledger is a usage-ledger without filters.
func ledger(t testing.TB, rows [][]any) *report.Document {
	t.Helper()
	d := &report.Document{Kind: report.UsageLedger, Filters: filtersOf(t, report.UsageLedger, nil)}
	d.Sections = report.Sections(d.Kind, d.Filters)
	d.Sections[0].Rows = rowsOf(d.Sections[0].Columns, rows, 100)
	return d
}

// All encoders at once give what each gives alone. The race detector watches
// that none of them writes to the batches they share.
func TestEncodersShareBatches(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	columns := report.Sections(report.UsageLedger, report.Filters{})[0].Columns
	rows := make([][]any, 3_000)
	for i := range rows {
		rows[i] = randomRow(random, columns)
	}
	d := ledger(t, rows)
	files := make([]bytes.Buffer, len(formats))
	var readers []func(*report.Document) error
	for i, format := range formats {
		readers = append(readers, func(d *report.Document) error {
			return format.Encode(t.Context(), &files[i], d, Info{})
		})
	}
	if err := report.Fork(t.Context(), d, readers...); err != nil {
		t.Fatal(err)
	}
	for i, format := range formats {
		if got, want := files[i].Bytes(), encode(t, format, d); !bytes.Equal(got, want) {
			t.Errorf("%s: beside the others %d bytes, alone %d, or not the same ones", format.Name, len(got), len(want))
		}
	}
	if got, _ := tables(d); !slices.EqualFunc(got[0].rows, rows, func(a, b []any) bool { return slices.Equal(a, b) }) {
		t.Error("the rows changed")
	}
}
