package render

import (
	"context"
	"io"
	"time"

	"licensekit/exporter/render/typeset"
	"licensekit/exporter/report"
)

// survey is what is to be known of a report before its first page is set.
type survey struct {
	document *report.Document // without rows
	totals   report.Totals
	tables   []*pdfTable // one for each section
	chart    *chart      // nil where none helps
}

// surveyReport reads a report once. It ends early, with a [CapacityError],
// when there are more rows than a PDF is for.
func surveyReport(ctx context.Context, set *typeset.Setter, canonical *io.SectionReader) (*survey, error) {
	d, err := openCanonical(ctx, canonical)
	if err != nil {
		return nil, err
	}
	zone, err := d.Filters.Location()
	if err != nil {
		return nil, err
	}
	return surveyDocument(d, set, zone)
}

// surveyInUTC is the survey of versions that knew no other time zone in charts.
func surveyInUTC(ctx context.Context, set *typeset.Setter, canonical *io.SectionReader) (*survey, error) {
	d, err := openCanonical(ctx, canonical)
	if err != nil {
		return nil, err
	}
	return surveyDocument(d, set, time.UTC)
}

func surveyDocument(d *report.Document, set *typeset.Setter, zone *time.Location) (*survey, error) {
	s := &survey{document: d, totals: report.Totals{}}
	for i := range d.Sections {
		section := &d.Sections[i]
		t := newPDFTable(section)
		if s.chart == nil {
			s.chart = newChart(section, zone)
		}
		if err := s.totals.Add(section, nil); err != nil {
			return nil, err
		}
		for batch, err := range section.Rows {
			if err == nil {
				err = s.totals.Add(section, batch)
			}
			if err != nil {
				return nil, err
			}
			if err := checkPDFRows(s.totals.Rows()); err != nil {
				return nil, err
			}
			t.survey(set, batch)
			if s.chart != nil && s.chart.section == section {
				s.chart.add(batch)
			}
		}
		s.tables = append(s.tables, t)
	}
	return s, nil
}

// openCanonical reads a canonical form from its start.
func openCanonical(ctx context.Context, canonical *io.SectionReader) (*report.Document, error) {
	d, err := report.ReadCanonical(io.NewSectionReader(canonical, 0, canonical.Size()))
	if err != nil {
		return nil, err
	}
	return heeding(ctx, d), nil
}
