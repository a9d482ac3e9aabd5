package render

import (
	"bufio"
	"bytes"
	"fmt"
	"html"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func BenchmarkEncodePDF(b *testing.B) {
	for _, rows := range []int{100, 100_000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			_, info := canonical(b, syntheticLedger(b, rows))
			b.ReportAllocs()
			for b.Loop() {
				if err := pdfFormat.Encode(b.Context(), io.Discard, nil, info); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCheckPages(b *testing.B) {
	if pdfFormat.CheckPages == nil {
		b.Skip(ErrNoMuPDF)
	}
	for _, rows := range []int{100, 100_000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			file, info := encodedPDF(b, syntheticLedger(b, rows))
			b.SetBytes(int64(len(file)))
			for b.Loop() {
				if err := pdfFormat.CheckPages(b.Context(), bytes.NewReader(file), int64(len(file)), info); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The same table, printed by a browser that LICENSEKIT_CHROMIUM names. It
// takes minutes.
func TestPDFBesideChromium(t *testing.T) {
	browser := os.Getenv("LICENSEKIT_CHROMIUM")
	if browser == "" {
		t.Skip("LICENSEKIT_CHROMIUM does not name a browser")
	}
	const rows = 5_000 // Chromium 156 ends without a word, and without a file, at 20,000
	d := syntheticLedger(t, rows)
	_, info := canonical(t, d)
	start := time.Now()
	var file bytes.Buffer
	if err := pdfFormat.Encode(t.Context(), &file, nil, info); err != nil {
		t.Fatal(err)
	}
	ours := time.Since(start)

	dir := t.TempDir()
	page, printed := filepath.Join(dir, "ledger.html"), filepath.Join(dir, "ledger.pdf")
	writeHTML(t, page, newPDFTable(&d.Sections[0]))
	start = time.Now()
	out, err := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu",
		"--no-pdf-header-footer", "--print-to-pdf="+printed, "file://"+page).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", browser, err, out)
	}
	theirs := time.Since(start)
	if _, err := os.Stat(printed); err != nil {
		t.Fatalf("%s printed nothing: %v\n%s", browser, err, out)
	}
	t.Logf("%d rows: %v, the browser %v, %.0f times as long", rows, ours, theirs, theirs.Seconds()/ours.Seconds())
	if theirs < 20*ours {
		t.Errorf("the browser takes %v and this %v: want a twentieth", theirs, ours)
	}
}

// writeHTML writes a section as a page with one table.
func writeHTML(t *testing.T, path string, table *pdfTable) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	defer w.Flush()
	fmt.Fprint(w, `<meta charset=utf-8><style>@page{size:A4 landscape;margin:12mm}body{font:7px sans-serif}`+
		`table{border-collapse:collapse;width:100%}td{border-bottom:1px solid #ddd}</style><table><thead><tr>`)
	for _, c := range table.columns {
		fmt.Fprintf(w, "<th>%s", c.label)
	}
	fmt.Fprint(w, "<tbody>")
	for batch, err := range table.section.Rows {
		if err != nil {
			t.Fatal(err)
		}
		for i := range batch.Len() {
			fmt.Fprint(w, "<tr>")
			for _, text := range table.texts(batch, i) {
				fmt.Fprintf(w, "<td>%s", html.EscapeString(text))
			}
		}
	}
}
