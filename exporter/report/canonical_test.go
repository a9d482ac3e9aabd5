package report

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gowebpki/jcs"
)

// smallDocument has an absent and a present value of each type.
func smallDocument(t testing.TB) *Document {
	t.Helper()
	d := &Document{Kind: UsageSummary, Filters: parseFilters(t, UsageSummary, map[string]string{"bucket": "1h", "group_by": "customer_id"})}
	d.Sections = Sections(d.Kind, d.Filters)
	d.Sections[0].Rows = rowsOf(d.Sections[0].Columns, []row{
		{Null, "", int64(2), Null},
		{int64(1767225600000), "caf\u00e9 \"\n", int64(1), int64(-MaxAmount - 5)},
	}, 1)
	return d
}

const smallFile = `{"columns":{"usage":[{"name":"bucket_start","type":"time"},{"name":"customer_id","type":"string"},` +
	`{"name":"events","type":"integer"},{"name":"amount","type":"integer"}]},"filters":{"bucket":"1h","group_by":["customer_id"]},` +
	`"report_kind":"usage-summary","rows":{"usage":[` +
	`{"amount":null,"bucket_start":null,"customer_id":null,"events":2},` +
	`{"amount":"-9007199254740996","bucket_start":"2026-01-01T00:00:00.000Z","customer_id":"café \"\n","events":1}]},` +
	`"schema":"licensekit.report/1","totals":{"usage":{"amount":"-9007199254740996","events":3,"rows":2}}}`

func TestWriteCanonical(t *testing.T) {
	if got := string(writeCanonical(t, smallDocument(t))); got != smallFile {
		t.Errorf("wrote %s\nwant  %s", got, smallFile)
	}
}

func TestReadUndoesWrite(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		d := randomDocument(t, random)
		want, _ := readAll(d)
		file := writeCanonical(t, d)
		if again, err := jcs.Transform(file); err != nil || !bytes.Equal(again, file) {
			t.Fatalf("not in RFC 8785 form: %s\nwant %s, %v", file, again, err)
		}
		decoded, err := ReadCanonical(bytes.NewReader(file))
		if err != nil {
			t.Fatalf("read %s: %v", file, err)
		}
		if decoded.Kind != d.Kind || !reflect.DeepEqual(decoded.Filters, d.Filters) {
			t.Errorf("read %s %+v, want %s %+v", decoded.Kind, decoded.Filters, d.Kind, d.Filters)
		}
		if got, err := readAll(decoded); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("read %q, %v; want %q", got, err, want)
		}
	}
}

// reencode reads a file and writes what it says.
func reencode(r io.Reader) ([]byte, error) {
	d, err := ReadCanonical(r)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	_, err = WriteCanonical(&file, d)
	return file.Bytes(), err
}

func TestReadInPieces(t *testing.T) {
	got, err := reencode(iotest.OneByteReader(strings.NewReader(smallFile)))
	if err != nil || string(got) != smallFile {
		t.Errorf("read byte by byte and written: %s, %v; want %s", got, err, smallFile)
	}
	broken := errors.New("broken")
	half := io.MultiReader(strings.NewReader(smallFile[:500]), iotest.ErrReader(broken))
	if _, err := reencode(half); !errors.Is(err, broken) {
		t.Errorf("read from a source that breaks down: %v, want %v", err, broken)
	}
}

// Each flip of a bit, in each byte, is refused, or makes another document.
func TestEveryFlip(t *testing.T) {
	want := sha256.Sum256([]byte(smallFile))
	accepted := 0
	for i := range len(smallFile) {
		for bit := range 8 {
			file := []byte(smallFile)
			file[i] ^= 1 << bit
			again, err := reencode(bytes.NewReader(file))
			if err != nil {
				continue
			}
			accepted++
			if !bytes.Equal(again, file) || sha256.Sum256(again) == want {
				t.Errorf("byte %d, bit %d: accepted %s, which is written %s", i, bit, file, again)
			}
		}
	}
	if accepted == 0 {
		t.Error("no flip gives another sound document; a letter of the customer's id should")
	}
}

func TestEveryTruncation(t *testing.T) {
	for i := range len(smallFile) {
		if _, err := reencode(strings.NewReader(smallFile[:i])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the first %d bytes: %v, want an unexpected end", i, err)
		}
	}
}

func TestReadRefusals(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"space", `"events":2`, `"events": 2`, `"" is not a 64-bit integer`},
		{"data behind", `"rows":2}}}`, `"rows":2}}}` + "\n", "data after the end"},
		{"wrong total", `"events":3,`, `"events":4,`, `want "},\"schema\"`},
		{"wrong row count", `"rows":2}`, `"rows":3}`, "want"},
		{"empty string", `"customer_id":null`, `"customer_id":""`, "column customer_id: \"\" where an absent value is null"},
		{"needless escape", "caf\u00e9", `caf\u00e9`, "not in canonical form"},
		{"upper-case escape", `\n`, `\u000A`, "not in canonical form"},
		{"bare control", `\n`, "\n", "invalid character '\\n'"},
		{"bare control, no escapes", "\"caf\u00e9 \\\"\\n\"", "\"caf\n\"", "bare control character 0x0a"},
		{"lone surrogate", `\n`, `\ud800`, "not in canonical form"},
		{"Latin-1", "caf\u00e9", "caf\xe9", "not valid UTF-8"},
		{"short time", "00:00.000Z", "00:00Z", "column bucket_start: time"},
		{"minus zero", `"events":2`, `"events":-0`, "column events: integer -0 is not in canonical form"},
		{"leading zero", `"events":2`, `"events":02`, "not in canonical form"},
		{"fraction", `"events":2`, `"events":2.0`, "found"},
		{"exponent", `"events":2`, `"events":2e0`, "found"},
		{"small integer as text", `"events":2`, `"events":"2"`, "not in canonical form"},
		{"big integer as number", `{"amount":"-9007199254740996"`, `{"amount":-9007199254740996`, "not in canonical form"},
		{"the null value", `{"amount":null`, `{"amount":"-9223372036854775808"`, "not in canonical form"},
		{"too many digits", `"events":2`, `"events":99999999999999999999`, "more than 19 digits"},
		{"unknown kind", "usage-summary", "usage-summery", "report_kind"},
		{"unknown filter", `"bucket":"1h",`, `"bucket":"1h","color":"red",`, "is not a filter"},
		{"filter that is not normal", `"bucket":"1h",`, `"bucket":"1h","time_zone":"UTC",`, "not in canonical form"},
		{"other columns", `{"name":"bucket_start","type":"time"}`, `{"name":"bucket_start","type":"string"}`, "not in canonical form"},
		{"member twice", `"report_kind":`, `"report_kind":"usage-ledger","report_kind":`, "twice"},
		{"member order", `{"amount":null,"bucket_start":null`, `{"bucket_start":null,"amount":null`, "want"},
		{"trailing comma", `"events":1}]`, `"events":1},]`, "want"},
		{"other schema", "report/1", "report/2", "want"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := strings.Replace(smallFile, test.old, test.new, 1)
			if file == smallFile {
				t.Fatalf("%q does not occur", test.old)
			}
			_, err := reencode(strings.NewReader(file))
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "canonical JSON, byte ") {
				t.Errorf("got %v, want an error with %q and its place", err, test.want)
			}
		})
	}
}

func TestWriteRefusesBadText(t *testing.T) {
	d := smallDocument(t)
	d.Sections[0].Rows = rowsOf(d.Sections[0].Columns, []row{{Null, "caf\xe9", int64(1), Null}}, 1)
	if _, err := WriteCanonical(io.Discard, d); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("write Latin-1 text: %v, want an error about UTF-8", err)
	}
}

func FuzzReadCanonical(f *testing.F) {
	f.Add([]byte(smallFile))
	random := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		f.Add(writeCanonical(f, randomDocument(f, random)))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if again, err := reencode(bytes.NewReader(file)); err == nil && !bytes.Equal(again, file) {
			t.Errorf("accepted %q, which is written %q", file, again)
		}
	})
}

func TestAppendTime(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	times := []int64{firstMS, lastMS, 0, -1, 951782399999, 951782400000, -2203891200000, 4107542400000}
	for range 50_000 {
		times = append(times, firstMS+random.Int64N(lastMS-firstMS+1))
	}
	var parser TimeParser
	for i, ms := range times {
		if i%3 > 0 { // and a few of one day
			ms = min(times[i-i%3]+random.Int64N(2*msPerDay), lastMS)
		}
		want := time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
		if got := string(AppendTime(nil, ms)); got != want || FormatTime(ms) != want {
			t.Fatalf("%d ms: AppendTime %s, FormatTime %s, want %s", ms, got, FormatTime(ms), want)
		}
		if back, err := ParseTime(want); err != nil || back != ms {
			t.Fatalf("ParseTime(%s) = %d, %v; want %d", want, back, err, ms)
		}
		if back, err := parser.Parse([]byte(want)); err != nil || back != ms {
			t.Fatalf("TimeParser: %s is %d, %v; want %d", want, back, err, ms)
		}
	}
}

// What is one byte off is refused, or read as package time reads it.
func TestTimeParserOneByteOff(t *testing.T) {
	const text = "2024-02-29T23:59:59.999Z"
	var parser TimeParser
	for at := range len(text) {
		for c := range 256 {
			changed := []byte(text)
			changed[at] = byte(c)
			want, err := time.Parse(timeLayout, string(changed))
			ok := err == nil && want.Format(timeLayout) == string(changed)
			if got, err := parser.Parse(changed); (err == nil) != ok || ok && got != want.UnixMilli() {
				t.Errorf("%q: got %d, %v; want %v, %t", changed, got, err, want, ok)
			}
			if got, err := parser.Parse([]byte(text)); err != nil || got != 1709251199999 {
				t.Fatalf("%q after %q: got %d, %v", text, changed, got, err)
			}
		}
	}
}

func TestParseTimeRefusals(t *testing.T) {
	var warm TimeParser
	if _, err := warm.Parse([]byte("2026-01-01T00:00:00.000Z")); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"", "2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.0000Z", "2026-01-01T00:00:00,000Z", "2026-01-01t00:00:00.000z",
		"2026-01-01T00:00:00.000+00:00", "2026-01-01T24:00:00.000Z", "2026-01-01T23:59:60.000Z", "2026-02-29T00:00:00.000Z", " 2026-01-01T00:00:00.000Z",
		"2026-1-1T0:00:00.000Z", "10000-01-01T00:00:00.000Z", "-001-01-01T00:00:00.000Z",
	} {
		if ms, err := ParseTime(text); err == nil {
			t.Errorf("ParseTime(%q) = %d, want an error", text, ms)
		}
		if ms, err := warm.Parse([]byte(text)); err == nil {
			t.Errorf("TimeParser: %q is %d, want an error", text, ms)
		}
	}
}
