//go:build cgo

package render

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"licensekit/exporter/render/mupdf"
	"licensekit/exporter/render/typeset"
	"licensekit/exporter/report"
)

var update = flag.Bool("update", false, "write the approved pictures anew")

func TestCheckPages(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	documents := []*report.Document{hostileLedger(t), ledger(t, nil)}
	for _, request := range requests {
		d := &report.Document{Kind: request.kind, Filters: filtersOf(t, request.kind, request.filters)}
		d.Sections = randomSections(random, report.Sections(d.Kind, d.Filters))
		documents = append(documents, d)
	}
	for i, d := range documents {
		file, info := encodedPDF(t, d)
		if err := pdfFormat.CheckPages(t.Context(), bytes.NewReader(file), int64(len(file)), info); err != nil {
			t.Errorf("document %d: %v", i, err)
		}
		info.ExportID += "x"
		if err := pdfFormat.CheckPages(t.Context(), bytes.NewReader(file), int64(len(file)), info); err == nil {
			t.Errorf("document %d: pages that name another export pass", i)
		}
	}
}

// What an earlier version froze stays genuine: its charts had the days of UTC.
func TestCheckPagesKnowsOlderCharts(t *testing.T) {
	for _, document := range []*report.Document{daily(t, "Asia/Kathmandu", 20), daily(t, "Europe/Berlin", 300)} {
		_, info := canonical(t, document)
		set := typeset.NewSetter()
		older, err := surveyInUTC(t.Context(), set, info.Canonical)
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if err := writeSurveyed(t.Context(), &file, set, older, info); err != nil {
			t.Fatal(err)
		}
		compare := func(info Info) error { return compareFile(t, file.Bytes(), info) }
		if err := compare(info); err != nil {
			t.Errorf("an older file: %v", err)
		}
		_, other := canonical(t, daily(t, document.Filters.TimeZone, 21))
		if err := compare(other); err == nil || errors.Is(err, mupdf.ErrUnread) {
			t.Errorf("an older file: %v for other data, want pages that say something else", err)
		}
		info.KeyID += "x"
		if err := compare(info); err == nil || !strings.Contains(err.Error(), "Amount by") {
			t.Errorf("an older file with another key: %v, want what the present version says there", err)
		}
	}
}

// compareFile compares the pages of a PDF with what they should say.
func compareFile(t *testing.T, file []byte, info Info) error {
	t.Helper()
	pages, err := mupdf.OpenTexts(t.Context(), bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	defer pages.Close()
	return comparePages(t.Context(), pages, info)
}

// Pages that say anything else than the data are found out.
func TestCheckPagesFindsOut(t *testing.T) {
	rows := honestRows()
	columns := ledger(t, nil).Sections[0].Columns
	at := func(name string) int {
		return slices.IndexFunc(columns, func(c report.Column) bool { return c.Name == name })
	}
	for name, change := range map[string]func(rows [][]any) [][]any{
		"a digit of an amount": func(rows [][]any) [][]any { rows[50][at("amount")] = int64(1_001); return rows },
		"a name":               func(rows [][]any) [][]any { rows[70][at("customer_id")] = "cust_2"; return rows },
		"a Hebrew name":        func(rows [][]any) [][]any { rows[71][at("customer_id")] = "שלם 17"; return rows },
		"a number beside one":  func(rows [][]any) [][]any { rows[71][at("customer_id")] = "שלום 71"; return rows },
		"a millisecond":        func(rows [][]any) [][]any { rows[0][at("occurred_at")] = int64(1_700_000_000_001); return rows },
		"two rows swapped":     func(rows [][]any) [][]any { rows[3], rows[4] = rows[4], rows[3]; return rows },
		"a row dropped":        func(rows [][]any) [][]any { return rows[:len(rows)-1] },
		"a row more":           func(rows [][]any) [][]any { return append(rows, rows[0]) },
		"a value moved on": func(rows [][]any) [][]any {
			rows[9][at("order_id")], rows[9][at("subscription_id")] = "s_1", "ub_1"
			return rows
		},
	} {
		changed := change(cloneRows(rows))
		shown, _ := canonical(t, ledger(t, changed))
		_, info := canonical(t, ledger(t, rows))
		lying := info
		lying.Canonical = newSection(shown)
		var file bytes.Buffer
		if err := pdfFormat.Encode(t.Context(), &file, nil, lying); err != nil {
			t.Fatal(err)
		}
		compare := func(info Info) error { return compareFile(t, file.Bytes(), info) }
		if err := compare(info); err == nil || errors.Is(err, mupdf.ErrUnread) {
			t.Errorf("%s: %v, want pages that say something else", name, err)
		}
		if err := compare(lying); err != nil {
			t.Errorf("%s: honest pages: %v", name, err)
		}
	}
}

func newSection(data []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
}

// honestRows are some pages of a ledger.
func honestRows() (rows [][]any) {
	customers := []string{"cust_1", "Łódzkie Mapy", "Δίκτυο Αιγαίου", "Волга", "שלום 17", "شركة الخليج", "建築設計", "한강 설계"}
	for i := range int64(120) {
		rows = append(rows, []any{
			i + 1, fmt.Sprintf("evt_%05d", i), 1_700_000_000_000 + i*86_400_000/2, "usage.consumed", "runtime", "prod_render",
			customers[i%int64(len(customers))], fmt.Sprintf("lic_%03d", i%9), "", "sub_1", "frame.render", i * i, fmt.Sprintf("req_%x", i*7919), "success", int64(200),
		})
	}
	rows[50][11], rows[71][6], rows[9][8], rows[9][9] = int64(1_000), "שלום 17", "s_1u", "b_1"
	return rows
}

func cloneRows(rows [][]any) [][]any {
	cloned := make([][]any, len(rows))
	for i := range rows {
		cloned[i] = slices.Clone(rows[i])
	}
	return cloned
}

// Pages look as they were approved. Look at a picture before you approve it.
func TestPictures(t *testing.T) {
	hostile, _ := encodedPDF(t, hostileLedger(t))
	plain, _ := encodedPDF(t, ledger(t, honestRows()))
	for name, picture := range map[string]struct {
		file []byte
		page int
	}{
		"summary": {plain, 0}, "ledger": {plain, 1}, "total": {plain, 4}, "hostile": {hostile, 1},
	} {
		drawn, err := Preview(t.Context(), bytes.NewReader(picture.file), int64(len(picture.file)), picture.page, 72)
		if err != nil {
			t.Fatal(err)
		}
		got := drawn.PNG
		path := filepath.Join("testdata", "pdf", name+".png")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := differing(t, got, want); n > 0 {
			t.Errorf("%s: %d pixels differ from the approved picture (-update writes it anew)", path, n)
		}
	}
}

// differing counts the pixels by which two pictures differ.
func differing(t *testing.T, a, b []byte) (n int) {
	t.Helper()
	var pictures [2]image.Image
	for i, text := range [][]byte{a, b} {
		var err error
		if pictures[i], err = png.Decode(bytes.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	bounds := pictures[0].Bounds()
	if bounds != pictures[1].Bounds() {
		return bounds.Dx() * bounds.Dy()
	}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if pictures[0].At(x, y) != pictures[1].At(x, y) {
				n++
			}
		}
	}
	return n
}

func TestPreviewKnowsItsLimits(t *testing.T) {
	file, _ := encodedPDF(t, ledger(t, nil))
	for _, c := range []struct {
		page int
		dpi  float64
		want string
	}{{-1, 72, ErrNoPage.Error()}, {2, 72, ErrNoPage.Error()}, {0, 0, "limit"}, {0, 1e9, "limit"}} {
		_, err := Preview(t.Context(), bytes.NewReader(file), int64(len(file)), c.page, c.dpi)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("preview of page %d at %v dpi: %v, want an error with %q", c.page, c.dpi, err, c.want)
		}
	}
}
