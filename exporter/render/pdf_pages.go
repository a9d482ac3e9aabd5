package render

import (
	"fmt"
	"io"

	"licensekit/exporter/render/pdffile"
	"licensekit/exporter/render/typeset"
)

// The few colours of a document.
var (
	ink      = pdffile.Color{R: 0x1B, G: 0x25, B: 0x30}
	quiet    = pdffile.Color{R: 0x5E, G: 0x6B, B: 0x78}
	accent   = pdffile.Color{R: 0x0F, G: 0x5C, B: 0x6E}
	zebra    = pdffile.Color{R: 0xF5, G: 0xF7, B: 0xF9}
	hairline = pdffile.Color{R: 0xC4, G: 0xCC, B: 0xD3}
)

// Margins of a page, in points.
const (
	sideMargin   = 48.0
	tableMargin  = 36.0 // at the sides of tables, which need the room
	topMargin    = 44.0
	bottomMargin = 50.0
)

// paperSize gives the width and height of upright paper, in points.
func paperSize(p Paper) (width, height float64, err error) {
	switch p {
	case A4, "":
		return 595.28, 841.89, nil
	case Letter:
		return 612, 792, nil
	}
	return 0, 0, fmt.Errorf("paper %q is not known; there are %s and %s", p, A4, Letter)
}

// pages writes a document page by page.
type pages struct {
	file   *pdffile.File
	set    *typeset.Setter
	info   Info
	survey *survey
	canvas pdffile.Canvas
	short  float64 // the paper's edges
	long   float64
	width  float64 // of the page at hand
	height float64
	y      float64 // where the next thing goes

	open bool // there is a page at hand

	tree, fonts  pdffile.Ref
	branches     []pdffile.Ref // of the tree of pages
	done         []finishedPage
	summaryPages int // how many pages come before the tables
	bookmarks    []bookmark
	record       bool // keep what is written in said
	said         []string
}

// finishedPage is a page that lacks its foot: how many pages there are is only
// known at the end.
type finishedPage struct {
	page, foot    pdffile.Ref
	width, height float64
}

type bookmark struct {
	title string
	page  int // index of done
	top   float64
}

func newPages(w io.Writer, set *typeset.Setter, s *survey, info Info) (*pages, error) {
	short, long, err := paperSize(info.Paper)
	if err != nil {
		return nil, err
	}
	p := &pages{file: pdffile.New(w), set: set, info: info, survey: s, short: short, long: long}
	p.tree, p.fonts = p.file.Announce(), p.file.Announce()
	return p, nil
}

// begin opens a page, whose paper stands or lies on its side.
func (p *pages) begin(wide bool) {
	p.width, p.height = p.short, p.long
	if wide {
		p.width, p.height = p.long, p.short
	}
	p.canvas.Begin(p.height)
	p.y, p.open = topMargin, true
}

// pagesPerBranch keeps the tree of pages shallow and its nodes small, so that
// readers find a page among thousands.
const pagesPerBranch = 64

// end writes the page.
func (p *pages) end() error {
	p.open = false
	if len(p.done)%pagesPerBranch == 0 {
		p.branches = append(p.branches, p.file.Announce())
	}
	content := p.file.Announce()
	p.file.AddStream(content, "", p.canvas.Bytes())
	page, foot := p.file.Announce(), p.file.Announce()
	p.file.Add(page, "<</Type/Page/Parent %v/MediaBox[0 0 %.2f %.2f]/Resources<</Font %v>>/Contents[%v %v]>>",
		p.branches[len(p.branches)-1], p.width, p.height, p.fonts, content, foot)
	p.done = append(p.done, finishedPage{page, foot, p.width, p.height})
	return p.file.Err()
}

// bottom is where a page's body ends.
func (p *pages) bottom() float64 { return p.height - bottomMargin }

// text writes one line and gives its width.
func (p *pages) text(x, y, size float64, style typeset.Style, color pdffile.Color, text string) float64 {
	l := p.set.Line(style, p.set.Display(style, text))
	p.canvas.Text(x, y, size, l, color)
	p.say(style, text)
	return float64(l.Width) * size / 1000
}

// textRight writes one line that ends at x.
func (p *pages) textRight(x, y, size float64, style typeset.Style, color pdffile.Color, text string) {
	l := p.set.Line(style, p.set.Display(style, text))
	p.canvas.Text(x-float64(l.Width)*size/1000, y, size, l, color)
	p.say(style, text)
}

// paragraph writes a text in lines of at most this width, the first with its
// baseline at y, and gives the baseline below the last.
func (p *pages) paragraph(x, y, width, size float64, style typeset.Style, color pdffile.Color, text string) float64 {
	for _, l := range p.set.Lines(style, text, inFont(width, size)) {
		p.canvas.Text(x, y, size, l, color)
		y += size * lineSpacing
	}
	p.say(style, text)
	return y
}

// inFont turns points into thousandths of a font size.
func inFont(points, size float64) int { return int(points * 1000 / size) }

// lineSpacing is from baseline to baseline, as a multiple of the font size.
const lineSpacing = 1.3

func (p *pages) say(style typeset.Style, text string) {
	if p.record {
		p.said = append(p.said, p.set.Display(style, text))
	}
}

// mark sets a bookmark here.
func (p *pages) mark(title string) {
	p.bookmarks = append(p.bookmarks, bookmark{title, len(p.done), p.height - p.y + 20})
}
