package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"strconv"
	"testing"
	"time"

	"licensekit/exporter"
	"licensekit/exporter/render"
)

// Each page of a PDF is a picture, the same one each time; what is no page is
// not found.
func TestPreviewPages(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	x := s.ready(t, `{"report_kind":"usage-ledger","format":"pdf"}`)
	pages := exportsPath + "/" + x.ID + "/pages/"
	if _, err := render.Preview(t.Context(), bytes.NewReader(nil), 0, 0, previewDPI); errors.Is(err, render.ErrNoMuPDF) {
		s.get(t, pages+"1.png").want(t, 501, "NOT_IMPLEMENTED")
		spec.mu.Lock()
		defer spec.mu.Unlock()
		spec.exercised["previewReportExportPage"] = true // as far as this build can
		return
	}
	first := s.get(t, pages+"1.png").saying(t, "Content-Type", "image/png")
	picture, err := png.Decode(bytes.NewReader(first.body))
	if err != nil {
		t.Fatalf("page 1: %v", err)
	}
	if size := picture.Bounds().Size(); size.X < 500 || size.Y < 500 {
		t.Errorf("page 1 is %v large, want at least 500 pixels each way", size)
	}
	count, err := strconv.Atoi(first.header.Get("Page-Count"))
	if err != nil || count < 2 {
		t.Errorf("Page-Count %q, want a number above 1", first.header.Get("Page-Count"))
	}
	s.get(t, fmt.Sprintf("%s%d.png", pages, count)).saying(t, "Content-Type", "image/png")
	s.get(t, fmt.Sprintf("%s%d.png", pages, count+1)).want(t, 404, "NOT_FOUND")
	if again := s.get(t, pages+"1.png"); !bytes.Equal(again.body, first.body) {
		t.Error("page 1 is another picture the second time")
	}
	if second := s.get(t, pages+"2.png"); second.status != 200 || bytes.Equal(second.body, first.body) {
		t.Errorf("page 2 has status %d and is the first one: %v; want another picture", second.status, bytes.Equal(second.body, first.body))
	}
	for _, page := range []string{"0.png", "-1.png", "9999.png", "1", "1.pdf", "x.png", "9223372036854775808.png"} {
		s.get(t, pages+page).want(t, 404, "NOT_FOUND")
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if _, err := s.previews.draw(late, exporter.ID(x.ID), count-1); problemOf(err).status != 503 {
		t.Errorf("a page that is not drawn in time: %v, want status 503", err)
	}
	y := s.ready(t, jsonExport)
	s.get(t, exportsPath+"/"+y.ID+"/pages/1.png").want(t, 404, "NOT_FOUND").detail(t, "json")
}
