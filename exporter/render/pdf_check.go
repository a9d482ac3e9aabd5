package render

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"licensekit/exporter/render/typeset"
	"licensekit/exporter/report"
)

// pageSource gives the text of the pages of a file, one after the other, in the
// order in which it was drawn, with white space between what stands apart.
type pageSource interface {
	Count() int
	Next() (string, error)
}

// comparePages makes sure that the pages say what the canonical form in info
// says.
func comparePages(ctx context.Context, source pageSource, info Info) error {
	set := typeset.NewSetter()
	s, err := surveyReport(ctx, set, info.Canonical)
	if err != nil {
		return err
	}
	r := &pageReader{source: source, set: set, survey: s, info: info}
	if err := r.summary(ctx); err != nil {
		return r.wrap(err)
	}
	d, err := openCanonical(ctx, info.Canonical)
	if err != nil {
		return err
	}
	for i := range d.Sections {
		if err := r.section(s.tables[i], d.Sections[i].Rows); err != nil {
			return r.wrap(err)
		}
	}
	return r.wrap(r.end())
}

// pageReader reads the text of pages against what they should say. Where lines
// and pages break does not matter, nor white space within a text.
type pageReader struct {
	source pageSource
	set    *typeset.Setter
	survey *survey
	info   Info
	page   int    // how many pages were opened
	rest   []mark // what was not read yet of the page at hand
	turned bool   // what was read last runs from right to left
}

func (r *pageReader) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("page %d: %w", r.page, err)
}

// open turns to the next page and takes off its foot.
func (r *pageReader) open() error {
	if len(r.rest) > 0 {
		return fmt.Errorf("it says more than the data: %q", excerpt(r.rest))
	}
	if r.page == r.source.Count() {
		return fmt.Errorf("the pages end before the data does")
	}
	r.page++
	text, err := r.source.Next()
	if err != nil {
		return err
	}
	r.rest = marks(text)
	left, right := footText(r.info, r.page, r.source.Count())
	foot := marks(left + " " + right)
	at := len(r.rest) - len(foot)
	if at < 0 || !slices.Equal(runes(r.rest[at:]), runes(foot)) {
		return fmt.Errorf("want %q at its foot, found %q", left+" "+right, excerpt(r.rest[max(at, 0):]))
	}
	r.rest = r.rest[:at]
	return nil
}

// openTable turns to the next page of tables.
func (r *pageReader) openTable() error {
	if err := r.open(); err != nil {
		return err
	}
	left, right := runningHead(r.survey.document, r.info)
	return r.takeAll(left, right)
}

// summary reads the first pages. What they should say is found by setting them
// again: as they are set now or, from the first text on that is not so, as they
// were before charts followed the time zone of the report.
func (r *pageReader) summary(ctx context.Context) error {
	texts, err := r.summaryTexts(r.survey)
	if err != nil {
		return err
	}
	taken, err := r.takeEach(texts)
	if err == nil || r.survey.chart == nil || r.survey.chart.zone == time.UTC {
		return err
	}
	older, failed := surveyInUTC(ctx, r.set, r.info.Canonical)
	if failed != nil {
		return failed
	}
	texts, failed = r.summaryTexts(older)
	if failed != nil {
		return failed
	}
	if _, failed = r.takeEach(texts[min(taken, len(texts)):]); failed != nil {
		return err
	}
	return nil
}

// summaryTexts are what the first pages say.
func (r *pageReader) summaryTexts(s *survey) ([]string, error) {
	p, err := newPages(io.Discard, r.set, s, r.info)
	if err != nil {
		return nil, err
	}
	p.record = true
	err = p.summary()
	return p.said, err
}

// takeEach takes texts that may go on over pages, and says how many it took.
func (r *pageReader) takeEach(texts []string) (int, error) {
	for i, text := range texts {
		if len(r.rest) == 0 {
			if err := r.open(); err != nil {
				return i, err
			}
		}
		if err := r.take(text); err != nil {
			return i, err
		}
	}
	return len(texts), nil
}

// section reads a table.
func (r *pageReader) section(t *pdfTable, rows report.Rows) error {
	if len(r.rest) == 0 {
		if err := r.openTable(); err != nil {
			return err
		}
	}
	if err := r.head(t, false); err != nil {
		return err
	}
	empty := true
	for batch, err := range rows {
		if err != nil {
			return err
		}
		for i := range batch.Len() {
			empty = false
			if err := r.row(t, t.texts(batch, i)); err != nil {
				return err
			}
		}
	}
	if empty {
		return r.take(noRows)
	}
	if sums := t.sums(r.survey.totals); sums != nil {
		return r.row(t, sums)
	}
	return nil
}

func (r *pageReader) head(t *pdfTable, again bool) error {
	if err := r.take(tableTitle(t, r.survey.totals[t.section.Name]["rows"], again)); err != nil {
		return err
	}
	for _, c := range t.columns {
		if err := r.take(c.label); err != nil {
			return err
		}
	}
	return nil
}

// goOn turns the page within a table.
func (r *pageReader) goOn(t *pdfTable) error {
	if err := r.openTable(); err != nil {
		return err
	}
	return r.head(t, true)
}

// row reads a row, which is cells beside each other or, where it was too high
// for a page, a list.
func (r *pageReader) row(t *pdfTable, texts []string) error {
	if len(r.rest) == 0 {
		if err := r.goOn(t); err != nil {
			return err
		}
	}
	for i, text := range texts {
		texts[i] = r.set.Display(typeset.Regular, text)
	}
	before := r.rest
	err := r.takeAll(joined(texts)...)
	if err == nil {
		return nil
	}
	page := r.page
	r.rest = before
	if r.list(t, texts) != nil && r.page == page {
		return err
	}
	return nil
}

// joined makes one text of neighbours that run from right to left: they come
// out of a page as one, and the last may come first.
func joined(texts []string) (joint []string) {
	turned := false
	for _, text := range texts {
		if text == "" {
			continue
		}
		again := strings.ContainsFunc(text, fromTheRight)
		if turned && again {
			joint[len(joint)-1] += " " + text
		} else {
			joint = append(joint, text)
		}
		turned = again
	}
	return joint
}

// list reads a row that goes on over pages.
func (r *pageReader) list(t *pdfTable, texts []string) error {
	for i, c := range t.columns {
		want := append(marks(c.label), marks(texts[i])...)
		for len(want) > 0 {
			if len(r.rest) == 0 {
				if err := r.goOn(t); err != nil {
					return err
				}
			}
			n := min(len(want), len(r.rest))
			if err := same(want[:n], r.rest[:n]); err != nil {
				return err
			}
			want, r.rest = want[n:], r.rest[n:]
		}
	}
	return nil
}

func (r *pageReader) takeAll(texts ...string) error {
	for _, text := range texts {
		if err := r.take(text); err != nil {
			return err
		}
	}
	return nil
}

// take reads a text, which must stand apart from what is before it. Where text
// turns its direction, the extraction of text does not tell what is apart.
func (r *pageReader) take(text string) error {
	want := marks(text)
	if len(want) == 0 {
		return nil
	}
	n := len(want)
	if n > len(r.rest) {
		return fmt.Errorf("want %q, found %q", text, excerpt(r.rest))
	}
	found := r.rest[:n]
	if err := same(want, found); err != nil {
		return err
	}
	turned := slices.ContainsFunc(runes(want), fromTheRight)
	if !found[0].apart && !turned && !r.turned {
		return fmt.Errorf("%q does not stand apart from the text before it", text)
	}
	r.rest, r.turned = r.rest[n:], turned
	return nil
}

func (r *pageReader) end() error {
	if len(r.rest) > 0 {
		return fmt.Errorf("it says more than the data: %q", excerpt(r.rest))
	}
	if r.page != r.source.Count() {
		return fmt.Errorf("the data ends here, and there are %d pages", r.source.Count())
	}
	return nil
}
