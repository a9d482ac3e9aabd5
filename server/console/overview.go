package console

import (
	"net/http"
	"net/url"
	"time"

	"licensekit/auth"
	"licensekit/exporter"
)

// overview is what the first page shows: of usage and of exports only what the
// key may read.
type overview struct {
	Span    span
	Spans   []view
	By      []view // what is added up
	Earlier string // the span before this one, as a URL
	Later   string // the one behind it, "" where that lies in the future
	Empty   bool   // there is no usage at all
	Usage   *usage // nil if there is none, or it may not be read
	Creates bool   // exports may be read and made
	Exports []exporter.Export
	Health  []vital
}

// view is one of several looks at a page.
type view struct {
	Label, URL string
	Current    bool
}

// showOverview shows how things are.
func (c *Console) showOverview(v *visit) error {
	query := v.query("span", lastDay, "measure")
	today := c.opts.Now().UTC().Truncate(24 * time.Hour)
	page := overview{Creates: v.key.Allows(auth.ReportExport)}
	if v.key.Allows(auth.ReportRead) {
		newest, err := v.newestUsage()
		if err != nil {
			return err
		}
		page.Empty = newest.IsZero()
		page.Span = spanOf(query, today, newest)
		page.links(v.locale, query, today)
		if !page.Empty {
			if page.Usage, err = v.usage(page.Span, query.Get("measure")); err != nil {
				return err
			}
		}
	}
	if page.Creates {
		if _, err := v.call(http.MethodGet, apiExportsPath, url.Values{"limit": {"5"}}, nil, &page.Exports); err != nil {
			return err
		}
	}
	var err error
	if page.Health, err = v.health(); err != nil {
		return err
	}
	return v.show(http.StatusOK, "overview", page)
}

func (p *overview) links(l *locale, query url.Values, today time.Time) {
	for _, name := range spanNames {
		p.Spans = append(p.Spans, view{l.label("span " + name), with(home, query, "span", name), name == p.Span.Name})
	}
	events := query.Get("measure") == "events"
	p.By = []view{
		{l.text("Amount"), with(home, query, "measure", ""), !events},
		{l.text("Events"), with(home, query, "measure", "events"), events},
	}
	p.Earlier = with(home, query, lastDay, p.Span.From.AddDate(0, 0, -1).Format(time.DateOnly))
	if !p.Span.To.After(today) {
		p.Later = with(home, query, lastDay, p.Span.after().Format(time.DateOnly))
	}
}
