package render

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"licensekit/exporter/report"
)

// pdfInfo is what the PDFs of the tests say of themselves.
var pdfInfo = Info{
	ExportID: "rptx_ob55cno5f2qrz4hgo6nxopb3re",
	FrozenAt: 1_767_225_600_123, // 2026-01-01
	Instance: "test instance, דוגמה",
	KeyID:    "sha256:0d5c1b6b6f3b2f9a4c7e8d1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d",
}

// canonical gives a document's canonical form, and pdfInfo with it.
func canonical(t testing.TB, d *report.Document) ([]byte, Info) {
	t.Helper()
	var data bytes.Buffer
	if _, err := report.WriteCanonical(&data, d); err != nil {
		t.Fatal(err)
	}
	info := pdfInfo
	info.Digest = report.DigestOf(data.Bytes())
	info.Canonical = io.NewSectionReader(bytes.NewReader(data.Bytes()), 0, int64(data.Len()))
	return data.Bytes(), info
}

// encodedPDF encodes a document the way an export does.
func encodedPDF(t testing.TB, d *report.Document) (file []byte, info Info) {
	t.Helper()
	_, info = canonical(t, d)
	var out bytes.Buffer
	if err := pdfFormat.Encode(t.Context(), &out, d, info); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), info
}

// tool runs a program of poppler-utils or qpdf. It may be missing on a
// developer's machine, and not where CI is set.
func tool(t testing.TB, stdin []byte, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// hostileTexts are names that are hard to show.
var hostileTexts = []string{
	"😀 Smile", "{nb} of {nb}", "\u202Eevil\u202C", "שלום 123 עולם (abc) def", "abc שלום 123 def",
	"مرحبا ١٢٣ 456 سلام", "e\u0301a\u0308o\u0302\u0323 n\u0303", "a\u0301\u0301\u0301b",
	"日本語のテキスト、한국어 텍스트, 中文文本", "שָׁלוֹם עֲלֵיכֶם", "مُحَمَّد عَلِيّ", "ﬁnance ﬂow", "नमस्ते ไทย",
	"\u00AD\u200B\uFEFF", "  two  spaces  ", "tab\there\nnew", "Ǆ ẞ ﷺ ﷽ ₿ € № ½", "Ĳ ŉ ſt", "\u0301start", "(((\\)",
	"a\u00A0b\u3000c", "می\u200Cخواهم", "\u200Dx\u200C", "العربية English 12.5% עברית", "[U+1F600]", "ա ბ", "𝔘𝔫𝔦",
	strings.Repeat("x", 1024), strings.Repeat("語", 341), strings.Repeat("😀", 256), strings.Repeat("שלום ", 110),
}

// hostileLedger has the hostile texts in all columns, the long ones in two, and
// a row that is higher than a page.
func hostileLedger(t testing.TB) *report.Document {
	t.Helper()
	columns := ledger(t, nil).Sections[0].Columns
	var rows [][]any
	for i, name := range hostileTexts {
		row := make([]any, len(columns))
		for c, column := range columns {
			switch {
			case column.Type == report.Time:
				row[c] = int64(1_700_000_000_000 + i)
			case column.Type == report.Integer:
				row[c] = int64(i)*1_234_567 - 3000
			case column.Name == "id" || column.Name == "request_id":
				row[c] = name
			default:
				row[c] = hostileTexts[(i+c)%(len(hostileTexts)-4)]
			}
		}
		rows = append(rows, row)
	}
	huge := make([]any, len(columns))
	for c, column := range columns {
		huge[c] = int64(5)
		if column.Type == report.String {
			huge[c] = strings.Repeat("😀", 256)
		}
	}
	return ledger(t, append(rows, huge, rows[0]))
}
