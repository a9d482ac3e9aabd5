package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// rows is a CSV file of some activities.
func rows(n int) string {
	var b strings.Builder
	b.WriteString(header)
	for i := range n {
		fmt.Fprintf(&b, "id-%06d,usage.consumed,2026-01-01T00:00:00Z,%d\n", i, i)
	}
	return b.String()
}

func TestBatchesKeepOrder(t *testing.T) {
	for _, limits := range []Limits{{}, {BatchRows: 1}, {BatchRows: 7}, {BatchBytes: 1}, {BatchBytes: 1000}} {
		var progress []string
		m := newMemory()
		text := rows(100)
		result, err := Read(t.Context(), iotest.HalfReader(strings.NewReader(text)), Options{Object: Activities, Format: CSV, Limits: limits}, m, func(bytes, rows int64) {
			progress = append(progress, fmt.Sprint(bytes, " ", rows))
		})
		if err != nil {
			t.Fatal(err)
		}
		checkCounts(t, result, 100, 0, 0, 0)
		for i, id := range m.order {
			if want := fmt.Sprintf("id-%06d", i); id != want || m.activities[id].Amount != int64(i) {
				t.Fatalf("limits %+v: row %d is %s with amount %d, want %s", limits, i, id, m.activities[id].Amount, want)
			}
		}
		if got, want := progress[len(progress)-1], fmt.Sprint(len(text), " 100"); got != want || len(progress) != m.calls {
			t.Errorf("limits %+v: last of %d calls of progress says %s; want %d calls, the last %s", limits, len(progress), got, m.calls, want)
		}
	}
}

// TestKeptStrings makes sure that what was handed to the sink is not changed
// by later batches.
func TestKeptStrings(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,action,occurred_at,feature_code\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "%d,b,2026-01-01T00:00:00Z,%s\n", i, strings.Repeat(fmt.Sprint(i%10), i%900))
	}
	m, _, err := read(t, b.String(), Options{Format: CSV, Limits: Limits{BatchRows: 100}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		got := m.activities[fmt.Sprint(i)]
		if want := strings.Repeat(fmt.Sprint(i%10), i%900); got.Text[8] != want {
			t.Fatalf("feature_code of row %d is %q, want %q", i, got.Text[8], want)
		}
	}
}

func TestSinkFails(t *testing.T) {
	broken := errors.New("disk full")
	m := newMemory()
	m.fail = func(calls int) error {
		if calls == 3 {
			return broken
		}
		return nil
	}
	result, err := Read(t.Context(), strings.NewReader(rows(1000)), Options{Object: Activities, Format: CSV, Limits: Limits{BatchRows: 10}}, m, nil)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "lines 22 to 31") {
		t.Errorf("got error %v, want one about lines 22 to 31 that wraps %v", err, broken)
	}
	checkCounts(t, result, 20, 0, 0, 0)
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := newMemory()
	m.fail = func(calls int) error {
		if calls == 2 {
			cancel()
		}
		return ctx.Err()
	}
	endless := io.MultiReader(strings.NewReader(header), &repeater{line: []byte("a,b,2026-01-01T00:00:00Z,1\n")})
	done := make(chan error)
	go func() {
		_, err := Read(ctx, endless, Options{Object: Activities, Format: CSV, Limits: Limits{BatchRows: 10}}, m, nil)
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v, want context.Canceled", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("reading goes on after the context ended")
	}
	_, err := Read(ctx, strings.NewReader(rows(1)), Options{Object: Activities, Format: CSV}, newMemory(), nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: got error %v, want context.Canceled", err)
	}
}

// repeater is a file without an end.
type repeater struct{ line []byte }

func (r *repeater) Read(p []byte) (int, error) { return copy(p, r.line), nil }

func TestSourceFails(t *testing.T) {
	broken := errors.New("cable cut")
	for _, format := range []Format{CSV, NDJSON, JSON, XLSX, CloudEvents} {
		_, err := Read(t.Context(), iotest.ErrReader(broken), Options{Object: Activities, Format: format}, newMemory(), nil)
		if !errors.Is(err, broken) {
			t.Errorf("%s: got error %v, want one that wraps %v", format, err, broken)
		}
	}
	_, err := Read(t.Context(), strings.NewReader(""), Options{Object: Activities, Format: "xml"}, newMemory(), nil)
	checkFileError(t, err, FileError{Field: "format", Code: CodeInvalidOption, Message: `"xml"`})
}

func TestFormatOf(t *testing.T) {
	for _, test := range []struct {
		contentType, name string
		want              Format
	}{
		{"text/csv; charset=utf-8", "", CSV},
		{"application/x-ndjson", "a.csv", NDJSON},
		{"application/json", "", JSON},
		{"application/cloudevents-batch+json", "", CloudEvents},
		{"application/cloudevents+json; charset=UTF-8", "", CloudEvents},
		{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "", XLSX},
		{"", "dir/A.CSV", CSV},
		{"application/octet-stream", "a.xlsx", XLSX},
		{"", "a.jsonl.gz", NDJSON},
		{"", "a.json", JSON},
		{"", "a.txt", ""},
		{"", "", ""},
		{"text/html", "a.csv", ""},
		{";", "a.csv", ""},
	} {
		got, err := FormatOf(test.contentType, test.name)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("format of %q, %q: got %q, %v; want %q", test.contentType, test.name, got, err, test.want)
		}
	}
}

func TestParseMapping(t *testing.T) {
	if got, err := ParseMapping("id=a=b"); got != (Mapping{"id", "a=b"}) || err != nil {
		t.Errorf("got %+v, %v; want id and a=b", got, err)
	}
	if got, err := ParseConstant("id=a=b"); got != (Constant{"id", "a=b"}) || err != nil {
		t.Errorf("got %+v, %v; want id and a=b", got, err)
	}
	for _, text := range []string{"", "id", "id=", "=x"} {
		if got, err := ParseMapping(text); err == nil {
			t.Errorf("mapping %q: got %+v, want an error", text, got)
		}
		if got, err := ParseConstant(text); err == nil {
			t.Errorf("constant %q: got %+v, want an error", text, got)
		}
	}
}
