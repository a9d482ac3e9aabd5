package render

import (
	"licensekit/exporter/render/typeset"
)

// summary sets the first page: what this is, what it says, and where it is
// from. Later versions read it with the words that they have themselves: who
// changes one lets [pageReader.summary] know the former.
func (p *pages) summary() error {
	p.begin(false)
	p.y = sideMargin
	p.mark("Summary")
	p.masthead()
	p.figures()
	p.facts("Filters", p.filterFacts())
	if c := p.survey.chart; c != nil && c.useful() {
		p.section(c.title())
		c.draw(p)
	}
	p.facts("Sections", p.sectionFacts())
	p.facts("Provenance", p.provenance())
	p.summaryPages = len(p.done) + 1
	return p.end()
}

// room makes a new page if less than this is left of the one at hand.
func (p *pages) room(height float64) {
	if p.y+height <= p.bottom() {
		return
	}
	p.end() // an error of the writer comes back at the next one
	p.begin(false)
	p.y = sideMargin + 10
}

// masthead says what the document is.
func (p *pages) masthead() {
	d := p.survey.document
	p.text(sideMargin, p.y, 8, typeset.Bold, accent, "FROZEN REPORT")
	if p.info.Instance != "" {
		p.textRight(p.width-sideMargin, p.y, 8, typeset.Regular, quiet, p.info.Instance)
	}
	p.y += 8
	p.canvas.Rect(sideMargin, p.y, p.width-2*sideMargin, 1.5, accent)
	p.y += 42
	p.text(sideMargin, p.y, 28, typeset.Bold, ink, heading(d.Kind))
	p.y = p.paragraph(sideMargin, p.y+22, p.width-2*sideMargin, 12, typeset.Regular, quiet, period(d.Filters))
	p.y += 8
}

// figure is a number that the report comes down to.
type figure struct {
	value int64
	label string
}

// headlines picks the figures: the rows of the first section, and the totals
// of the section that usage is in, three at most. The list of sections has all.
func (p *pages) headlines() (figures []figure) {
	for i, t := range p.survey.tables {
		totals := p.survey.totals[t.section.Name]
		switch {
		case len(p.survey.tables) == 1:
			figures = append(figures, figure{totals["rows"], "Rows"})
		case i == 0:
			figures = append(figures, figure{totals["rows"], label(t.section.Name)})
		}
		if t.section.Name != "usage" {
			continue
		}
		for _, c := range t.columns {
			if c.Sum {
				figures = append(figures, figure{totals[c.Name], "Total " + lower(c.label)})
			}
		}
	}
	return figures[:min(len(figures), 3)]
}

// figures sets the headlines as tiles beside each other.
func (p *pages) figures() {
	const tiles, gap, height = 3, 12.0, 54.0
	width := (p.width - 2*sideMargin - (tiles-1)*gap) / tiles
	for i, f := range p.headlines() {
		x := sideMargin + float64(i)*(width+gap)
		p.canvas.Rect(x, p.y, width, height, zebra)
		p.canvas.Rect(x, p.y, 2, height, accent)
		value, size := grouped(f.value), 20.0
		for size > 6 && float64(p.set.Measure(typeset.Bold, value))*size/1000 > width-24 {
			size--
		}
		p.text(x+14, p.y+27, size, typeset.Bold, ink, value)
		p.text(x+14, p.y+43, 8, typeset.Regular, quiet, f.label)
	}
	p.y += height
}

func (p *pages) section(title string) {
	p.room(60)
	p.y += 22
	p.text(sideMargin, p.y, 10.5, typeset.Bold, accent, title)
	p.y += 6
	p.canvas.Rect(sideMargin, p.y, p.width-2*sideMargin, 0.5, hairline)
	p.y += 15
}

// facts sets a list of labels with what they stand for.
func (p *pages) facts(title string, facts []fact) {
	const size, labels = 9.0, 104.0
	height := 45.0 // of the title
	for _, f := range facts {
		height += float64(len(p.set.Lines(typeset.Regular, f.value, inFont(p.width-2*sideMargin-labels, size))))*size*lineSpacing + 2.5
	}
	p.room(min(height, 240)) // a list that isn't long is kept together
	p.section(title)
	for _, f := range facts {
		lines := len(p.set.Lines(typeset.Regular, f.value, inFont(p.width-2*sideMargin-labels, size)))
		p.room(float64(lines) * size * lineSpacing)
		p.text(sideMargin, p.y, size, typeset.Regular, quiet, f.label)
		p.y = p.paragraph(sideMargin+labels, p.y, p.width-2*sideMargin-labels, size, typeset.Regular, ink, f.value) + 2.5
	}
}

func (p *pages) filterFacts() []fact {
	facts := append([]fact{{"Period", period(p.survey.document.Filters)}}, choices(p.survey.document.Filters)...)
	if len(facts) == 1 {
		facts = append(facts, fact{"Others", "none: all products, customers and licenses"})
	}
	return facts
}

func (p *pages) sectionFacts() (facts []fact) {
	for _, t := range p.survey.tables {
		totals := p.survey.totals[t.section.Name]
		value := counted(totals["rows"], "row")
		for _, c := range t.columns {
			if c.Sum {
				value += " · total " + lower(c.label) + " " + grouped(totals[c.Name])
			}
		}
		facts = append(facts, fact{label(t.section.Name), value})
	}
	return facts
}

// provenance says where the report is from, and how to check that.
func (p *pages) provenance() (facts []fact) {
	add := func(label, value string, known bool) {
		if known {
			facts = append(facts, fact{label, value})
		}
	}
	add("Frozen at", longMoment(p.info.FrozenAt), p.info.FrozenAt != 0)
	add("Export", p.info.ExportID, p.info.ExportID != "")
	add("Instance", p.info.Instance, p.info.Instance != "")
	add("Data digest", p.info.Digest.String(), true)
	add("Signing key", p.info.KeyID, p.info.KeyID != "")
	add("How to verify", "licensekit verify --key KEY.pem "+p.bundle()+", without a network. The digest is that of the attached file "+pdfAttachment+", which holds the same data.", true)
	return facts
}

// bundle is the name of the evidence that belongs to the export.
func (p *pages) bundle() string {
	if p.info.ExportID == "" {
		return "BUNDLE"
	}
	return p.info.ExportID + ".lkbundle.zip"
}
