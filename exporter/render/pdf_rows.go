package render

import (
	"context"
	"io"

	"licensekit/exporter/render/pdffile"
	"licensekit/exporter/render/typeset"
	"licensekit/exporter/report"
)

// writePDF writes a file from the canonical form in info.
func writePDF(ctx context.Context, w io.Writer, info Info) error {
	set := typeset.NewSetter()
	s, err := surveyReport(ctx, set, info.Canonical)
	if err != nil {
		return err
	}
	return writeSurveyed(ctx, w, set, s, info)
}

func writeSurveyed(ctx context.Context, w io.Writer, set *typeset.Setter, s *survey, info Info) error {
	p, err := newPages(w, set, s, info)
	if err != nil {
		return err
	}
	if err := p.summary(); err != nil {
		return err
	}
	d, err := openCanonical(ctx, info.Canonical)
	if err != nil {
		return err
	}
	p.plan()
	for i := range d.Sections {
		if err := p.rows(s.tables[i], d.Sections[i].Rows); err != nil {
			return err
		}
	}
	if err := p.end(); err != nil {
		return err
	}
	return p.finish(io.NewSectionReader(info.Canonical, 0, info.Canonical.Size()))
}

// Measures of tables, in points; those of text are multiples of its size.
const (
	tableTop   = 52.0 // where the body of a table's page begins
	rowPadding = 3.6  // above and below a row's text, together
	leading    = 1.22
	ascent     = 0.91 // from a line's top to its baseline
)

// fewRows are so few that their table may lie on its side for the sake of its
// neighbours.
const fewRows = 30

// plan lays out the tables. Small ones follow the paper of the large, so that
// they share its pages.
func (p *pages) plan() {
	upright, sideways := p.short-2*tableMargin, p.long-2*tableMargin
	wide := false
	for _, t := range p.survey.tables {
		t.plan(p.set, p.survey.totals, upright, sideways)
		wide = wide || t.wide
	}
	for _, t := range p.survey.tables {
		if wide && !t.wide && p.survey.totals[t.section.Name]["rows"] <= fewRows {
			t.plan(p.set, p.survey.totals, 0, sideways)
		}
	}
}

// rows sets a section. It begins on the page where the one before ended, if
// there is room for some of its rows.
func (p *pages) rows(t *pdfTable, rows report.Rows) error {
	if p.open && (t.wide != (p.width > p.height) || p.y+140 > p.bottom()) {
		if err := p.end(); err != nil {
			return err
		}
	}
	if p.open {
		p.y += 26
	} else {
		p.tablePage(t.wide)
	}
	p.mark(label(t.section.Name))
	p.tableHead(t, false)
	empty := true
	for batch, err := range rows {
		if err != nil {
			return err
		}
		for i := range batch.Len() {
			empty = false
			if err := p.row(t, t.texts(batch, i)); err != nil {
				return err
			}
		}
	}
	if empty {
		p.y += 14
		p.text(tableMargin, p.y, 8.5, typeset.Regular, quiet, noRows)
		return nil
	}
	return p.totals(t)
}

const noRows = "No rows."

// tablePage begins a page of tables, with what runs along all of them.
func (p *pages) tablePage(wide bool) {
	p.begin(wide)
	left, right := runningHead(p.survey.document, p.info)
	const size = 7.5
	p.text(tableMargin, 32, size, typeset.Regular, quiet, left)
	p.textRight(p.width-tableMargin, 32, size, typeset.Regular, quiet, right)
	p.canvas.Rect(tableMargin, 38, p.width-2*tableMargin, 0.5, hairline)
	p.y = tableTop
}

// runningHead is what stands at the head of a table's page.
func runningHead(d *report.Document, info Info) (left, right string) {
	return heading(d.Kind) + " · " + period(d.Filters), info.ExportID
}

// tableTitle is what stands above a table, and again where it goes on.
func tableTitle(t *pdfTable, rows int64, again bool) string {
	if again {
		return label(t.section.Name) + ", continued"
	}
	return label(t.section.Name) + " · " + counted(rows, "row")
}

// tableHead sets a table's title and the labels of its columns.
func (p *pages) tableHead(t *pdfTable, again bool) {
	title, size := tableTitle(t, p.survey.totals[t.section.Name]["rows"], again), 12.0
	if again {
		size = 9
	}
	p.text(tableMargin, p.y+size, size, typeset.Bold, ink, title)
	p.y += size + 10
	labels := make([]string, len(t.columns))
	for i, c := range t.columns {
		labels[i] = c.label
	}
	height := t.set(p.set, typeset.Bold, labels)
	p.cells(t, accent)
	p.y += height + 1
	p.canvas.Rect(tableMargin, p.y, p.width-2*tableMargin, 0.8, accent)
	p.y += 0.8
	t.striped = false
}

// row sets a row. One that is higher than a page is set as a list.
func (p *pages) row(t *pdfTable, texts []string) error {
	height := t.set(p.set, typeset.Regular, texts)
	if p.y+height > p.bottom() {
		if err := p.goOn(t); err != nil {
			return err
		}
		if p.y+height > p.bottom() {
			return p.list(t, texts)
		}
		t.set(p.set, typeset.Regular, texts) // the labels were set in between
	}
	if t.striped {
		p.canvas.Rect(tableMargin-4, p.y, p.width-2*tableMargin+8, height, zebra)
	}
	t.striped = !t.striped
	p.cells(t, ink)
	p.y += height
	return nil
}

// goOn continues a table on the next page.
func (p *pages) goOn(t *pdfTable) error {
	if err := p.end(); err != nil {
		return err
	}
	p.tablePage(t.wide)
	p.tableHead(t, true)
	return nil
}

// cells draws the lines that were set last.
func (p *pages) cells(t *pdfTable, color pdffile.Color) {
	x := tableMargin
	for i, c := range t.columns {
		y := p.y + rowPadding/2 + ascent*t.size
		edge := x + c.width - t.gap()
		for _, l := range t.lines[i] {
			at := x
			if c.right() {
				at = edge - float64(l.Width)*t.size/1000
			} else if l.RTL && len(t.lines[i]) > 1 { // its lines are flush on the right
				at = edge - float64(l.Width)*t.size/1000
			}
			p.canvas.Text(at, y, t.size, l, color)
			y += leading * t.size
		}
		x += c.width
	}
}

// list sets a row as a list of labels with their values, which goes on over as
// many pages as it takes.
func (p *pages) list(t *pdfTable, texts []string) error {
	const labels = 120.0
	for i, c := range t.columns {
		x := tableMargin
		for n, l := range p.set.Lines(typeset.Regular, texts[i], inFont(p.width-2*tableMargin-labels, t.size)) {
			if p.y+leading*t.size+rowPadding > p.bottom() {
				if err := p.goOn(t); err != nil {
					return err
				}
			}
			y := p.y + rowPadding/2 + ascent*t.size
			if n == 0 {
				p.text(x, y, t.size, typeset.Bold, quiet, c.label)
			}
			p.canvas.Text(x+labels, y, t.size, l, ink)
			p.y += leading * t.size
		}
		p.y += rowPadding
	}
	p.canvas.Rect(tableMargin, p.y, p.width-2*tableMargin, 0.4, hairline)
	return nil
}

// totals sets the sums below a table that has any.
func (p *pages) totals(t *pdfTable) error {
	texts := t.sums(p.survey.totals)
	if texts == nil {
		return nil
	}
	height := t.set(p.set, typeset.Bold, texts)
	if p.y+height+2 > p.bottom() {
		if err := p.goOn(t); err != nil {
			return err
		}
		t.set(p.set, typeset.Bold, texts)
	}
	p.canvas.Rect(tableMargin, p.y, p.width-2*tableMargin, 0.8, accent)
	p.y += 2
	p.cells(t, ink)
	p.y += height
	return nil
}
