package render

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"licensekit/exporter/report"
)

func TestPDFUndoesHostileText(t *testing.T) {
	checkRoundTrip(t, pdfFormat, hostileLedger(t))
}

// The attachment is the canonical form to the byte, and so the digest can be
// recomputed with stock tools.
func TestPDFAttachesTheCanonicalForm(t *testing.T) {
	d := hostileLedger(t)
	want, _ := canonical(t, d)
	file, _ := encodedPDF(t, d)
	dir := t.TempDir()
	path := filepath.Join(dir, "report.pdf")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, nil, "pdfdetach", "-saveall", "-o", dir, path)
	got, err := os.ReadFile(filepath.Join(dir, pdfAttachment))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("pdfdetach gives %d bytes, want the %d of the canonical form", len(got), len(want))
	}
}

func TestPDFIsTheSameEveryTime(t *testing.T) {
	first, info := encodedPDF(t, hostileLedger(t))
	for range 3 {
		if again, _ := encodedPDF(t, hostileLedger(t)); !bytes.Equal(again, first) {
			t.Fatalf("encoded again: %d bytes that differ from the first %d", len(again), len(first))
		}
	}
	info.Canonical = nil // and no matter who makes the canonical form
	var out bytes.Buffer
	if err := pdfFormat.Encode(t.Context(), &out, hostileLedger(t), info); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), first) {
		t.Error("without a canonical form at hand, the file differs")
	}
}

func TestPDFIsSoundForQPDF(t *testing.T) {
	file, _ := encodedPDF(t, hostileLedger(t))
	path := filepath.Join(t.TempDir(), "report.pdf")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	got := tool(t, nil, "qpdf", "--check", path)
	if !strings.Contains(got, "No syntax or stream encoding errors") {
		t.Errorf("qpdf --check: %s", got)
	}
}

func TestPDFSaysWhatItIs(t *testing.T) {
	file, info := encodedPDF(t, hostileLedger(t))
	got := tool(t, file, "pdfinfo", "-")
	for _, want := range []string{"Usage ledger " + info.ExportID, "Creator: +licensekit", "A4"} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("pdfinfo: want %s in\n%s", want, got)
		}
	}
	fonts := tool(t, file, "pdffonts", "-")
	lines := strings.Split(strings.TrimSpace(fonts), "\n")[2:]
	if len(lines) != 3 {
		t.Errorf("pdffonts: want 3 fonts:\n%s", fonts)
	}
	for _, line := range lines {
		if !regexp.MustCompile(`^[A-Z]{6}\+.* yes yes yes `).MatchString(line) {
			t.Errorf("a font is not an embedded subset with its text: %s", line)
		}
	}
}

// What a person would copy out of the file.
func TestPDFTextForPoppler(t *testing.T) {
	file, info := encodedPDF(t, hostileLedger(t))
	got := tool(t, file, "pdftotext", "-", "-")
	flat := strings.Join(strings.Fields(got), "")
	for _, want := range []string{
		"Usage ledger", "All recorded time", info.Digest.String(), info.KeyID, info.ExportID, "1 January 2026, 00:00:00.123 UTC",
		"{nb} of {nb}", "[U+1F600] Smile", "[U+202E]evil[U+202C]", "日本語のテキスト、한국어", "ﬁnance ﬂow", "Page 1 of ", "שלום",
	} {
		if !strings.Contains(flat, strings.Join(strings.Fields(want), "")) {
			t.Errorf("pdftotext does not give %q", want)
		}
	}
	if strings.ContainsRune(got, '\u202E') {
		t.Error("the text has a character that commands a direction")
	}
}

func TestPDFOnLetter(t *testing.T) {
	d := ledger(t, nil)
	_, info := canonical(t, d)
	info.Paper = Letter
	var out bytes.Buffer
	if err := pdfFormat.Encode(t.Context(), &out, d, info); err != nil {
		t.Fatal(err)
	}
	if got := tool(t, out.Bytes(), "pdfinfo", "-"); !strings.Contains(got, "612 x 792 pts (letter)") {
		t.Errorf("pdfinfo: want letter:\n%s", got)
	}
	info.Paper = "A0"
	if err := pdfFormat.Encode(t.Context(), io.Discard, d, info); err == nil || !strings.Contains(err.Error(), `"A0"`) {
		t.Errorf("encode on A0: %v, want an error that names it", err)
	}
}

func TestPDFRefusesTooManyRows(t *testing.T) {
	defer func(limit int64) { maxPDFRows = limit }(maxPDFRows)
	maxPDFRows = 20
	row := randomRow(rand.New(rand.NewPCG(1, 1)), ledger(t, nil).Sections[0].Columns)
	rows := make([][]any, 20)
	for i := range rows {
		rows[i] = row
	}
	if err := pdfFormat.Encode(t.Context(), io.Discard, ledger(t, rows), Info{}); err != nil {
		t.Errorf("encode of 20 rows: %v", err)
	}
	d := ledger(t, append(rows, row))
	_, info := canonical(t, d)
	for _, info := range []Info{info, {}} {
		err := pdfFormat.Encode(t.Context(), failingWriter{errors.New("it writes before it counts")}, d, info)
		var full *CapacityError
		if !errors.As(err, &full) || full.Instead != "csv" || full.Code() != "FORMAT_CAPACITY" {
			t.Errorf("encode of 21 rows: %v, want a CapacityError that names csv", err)
		}
	}
}

// A file that is damaged is refused, or its data is the same: the attachment
// is packed with a checksum.
func TestDecodePDFRefusesDamage(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	d := ledger(t, [][]any{randomRow(random, ledger(t, nil).Sections[0].Columns)})
	want, _ := tables(d)
	file, _ := encodedPDF(t, d)
	for range 300 {
		damaged := bytes.Clone(file)
		damaged[random.IntN(len(damaged))] ^= 1 << random.IntN(8)
		decoded, err := decode(pdfFormat, damaged, d.Kind, d.Filters)
		if err != nil {
			continue
		}
		if got, err := tables(decoded); err == nil && show(got) != show(want) {
			t.Fatalf("a damaged file decodes to %s, want %s", show(got), show(want))
		}
	}
	for _, cut := range []int{0, 1, 100, len(file) / 2} {
		if _, err := decode(pdfFormat, file[:cut], d.Kind, d.Filters); err == nil {
			t.Errorf("decode of the first %d bytes succeeds", cut)
		}
	}
}

func TestDecodePDFChecksTheRequest(t *testing.T) {
	d := ledger(t, nil)
	file, _ := encodedPDF(t, d)
	other := filtersOf(t, d.Kind, map[string]string{"customer_id": "c"})
	if _, err := decode(pdfFormat, file, d.Kind, other); err == nil || !strings.Contains(err.Error(), "filters are {}") {
		t.Errorf("decode with other filters: %v", err)
	}
	if _, err := decode(pdfFormat, file, report.UsageSummary, filtersOf(t, report.UsageSummary, nil)); err == nil {
		t.Error("decode as another kind succeeds")
	}
}

func TestGrouped(t *testing.T) {
	for v, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", -1: "-1", -999: "-999", -1000: "-1,000", 1234567: "1,234,567", 1<<63 - 1: "9,223,372,036,854,775,807",
	} {
		if got := grouped(v); got != want {
			t.Errorf("grouped(%d) = %s, want %s", v, got, want)
		}
	}
}

func TestPeriod(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"", "", "All recorded time"},
		{"2026-01-01T00:00:00Z", "", "From 1 January 2026, 00:00 UTC"},
		{"", "2026-01-01T00:00:00.250Z", "Before 1 January 2026, 00:00:00.250 UTC"},
		{"2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "1 January 2026 to 31 January 2026 (UTC)"},
		{"2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "1 January 2026 (UTC)"},
		{"2026-01-01T00:00:00Z", "2026-01-01T12:30:00Z", "1 January 2026, 00:00 UTC until before 1 January 2026, 12:30 UTC"},
	} {
		values := map[string]string{}
		if c.from != "" {
			values["from"] = c.from
		}
		if c.to != "" {
			values["to"] = c.to
		}
		if got := period(filtersOf(t, report.UsageLedger, values)); got != c.want {
			t.Errorf("period from %q to %q: %q, want %q", c.from, c.to, got, c.want)
		}
	}
}
