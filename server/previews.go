package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"licensekit/exporter"
	"licensekit/exporter/render"
)

// previews draws pages of exports, one at a time, and keeps the newest ones.
type previews struct {
	exports *exporter.Exporter
	turn    chan struct{} // holds a value while a page is drawn

	mu    sync.Mutex
	kept  map[preview]render.Picture // guarded by mu, like order and bytes
	order []preview                  // oldest first
	bytes int
}

// preview names a page of an export, which never changes.
type preview struct {
	export exporter.ID
	page   int
}

// The bounds of previews.
const (
	maxKept     = 16 << 20 // bytes of pictures in memory
	previewTime = 20 * time.Second
)

func newPreviews(exports *exporter.Exporter) *previews {
	return &previews{exports: exports, turn: make(chan struct{}, 1), kept: map[preview]render.Picture{}}
}

// draw gives a page, counted from 1, as a PNG picture. MuPDF sees only files
// that this instance signed for.
func (p *previews) draw(ctx context.Context, id exporter.ID, page int) (picture render.Picture, err error) {
	wanted := preview{id, page}
	if picture = p.find(wanted); picture.PNG != nil {
		return picture, nil
	}
	timed, cancel := context.WithTimeout(ctx, previewTime)
	defer cancel()
	picture, err = p.drawInTurn(timed, id, page)
	if errors.Is(err, context.DeadlineExceeded) {
		err = &problem{status: 503, code: "UNAVAILABLE", message: "the page could not be drawn in time", detail: "pages are drawn one at a time", header: retryAfter(5), cause: err}
	}
	if err == nil {
		p.keep(wanted, picture)
	}
	return picture, err
}

func (p *previews) drawInTurn(ctx context.Context, id exporter.ID, page int) (picture render.Picture, err error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return picture, ctx.Err()
	}
	blob, export, err := p.exports.Vouched(ctx, id)
	if err != nil {
		return picture, err
	}
	defer blob.Close()
	if export.Format != "pdf" {
		return picture, &problem{status: 404, code: "NOT_FOUND", message: "the export has no pages", detail: "its format is " + export.Format}
	}
	picture, err = render.Preview(ctx, io.NewSectionReader(blob, 0, blob.Size()), blob.Size(), page-1, previewDPI)
	if errors.Is(err, render.ErrNoPage) {
		return picture, &problem{status: 404, code: "NOT_FOUND", message: "there is no such page", detail: err.Error()}
	}
	if errors.Is(err, render.ErrNoMuPDF) {
		return picture, &problem{status: 501, code: "NOT_IMPLEMENTED", message: "this build draws no pages", detail: err.Error()}
	}
	if err != nil {
		return picture, fmt.Errorf("draw page %d of %s: %w", page, id, err)
	}
	return picture, nil
}

func (p *previews) find(wanted preview) render.Picture {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept[wanted]
}

// keep remembers a picture and forgets the oldest ones beyond the bound.
func (p *previews) keep(drawn preview, picture render.Picture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, twice := p.kept[drawn]; twice {
		return
	}
	p.kept[drawn] = picture
	p.order = append(p.order, drawn)
	p.bytes += len(picture.PNG)
	for p.bytes > maxKept && len(p.order) > 1 {
		p.bytes -= len(p.kept[p.order[0]].PNG)
		delete(p.kept, p.order[0])
		p.order = p.order[1:]
	}
}
