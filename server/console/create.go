package console

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"licensekit/exporter"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
	"licensekit/server/client"
)

const (
	createPath      = "/console/exports/new"
	apiEstimatePath = "/api/v1/reports/estimate"
)

// draft is an export that is being put together. It stands in the page's URL:
// what the API takes, but for the period, which is whole days of a time zone.
type draft struct{ url.Values }

// The fields of a draft beside the filters of the API.
const (
	firstDay = "first_day" // inclusive, as 2026-01-31
	lastDay  = "last_day"  // likewise
	zoneName = "zone"
)

// draftOf takes what is set of a draft's fields.
func draftOf(given url.Values) draft {
	d := draft{url.Values{}}
	names := append([]string{"report_kind", "format", firstDay, lastDay, zoneName}, slices.Concat(report.FilterNames(report.UsageSummary), report.FilterNames(report.UsageLedger))...)
	for _, name := range names {
		values := slices.DeleteFunc(slices.Clone(given[name]), func(value string) bool { return value == "" })
		if len(values) > 0 {
			d.Values[name] = values
		}
	}
	if d.Get("report_kind") == "" {
		d.Set("report_kind", string(report.UsageSummary))
	}
	if d.Get("format") == "" {
		d.Set("format", "pdf")
	}
	return d
}

// Takes tells whether the draft's kind has a filter.
func (d draft) Takes(filter string) bool {
	return slices.Contains(report.FilterNames(report.Kind(d.Get("report_kind"))), filter)
}

// Has tells whether a field has a value.
func (d draft) Has(field, value string) bool { return slices.Contains(d.Values[field], value) }

// request is the body of the API's create. A period that can't be read is left
// to the API, which says what is wrong with it.
func (d draft) request() exportRequest {
	filters := map[string]string{}
	for name := range d.Values {
		if d.Takes(name) {
			filters[name] = strings.Join(d.Values[name], ",")
		}
	}
	zone := d.Get(zoneName)
	if zone != "" && d.Takes("time_zone") {
		filters["time_zone"] = zone
	}
	for name, day := range map[string]string{"from": d.Get(firstDay), "to": d.Get(lastDay)} {
		if day != "" {
			filters[name] = midnight(day, zone, name == "to")
		}
	}
	return exportRequest{d.Get("report_kind"), d.Get("format"), filters}
}

// exportRequest is a request to freeze, or to estimate.
type exportRequest struct {
	Kind    string            `json:"report_kind"`
	Format  string            `json:"format"`
	Filters map[string]string `json:"filters"`
}

// midnight gives the beginning of a day in a zone, or its end, in RFC 3339.
func midnight(day, zone string, end bool) string {
	place, err := report.LoadZone(zone)
	if err != nil {
		return day
	}
	at, err := time.ParseInLocation(time.DateOnly, day, place)
	if err != nil {
		return day
	}
	if end {
		at = at.AddDate(0, 0, 1)
	}
	return at.UTC().Format(time.RFC3339)
}

// createForm is what the page shows.
type createForm struct {
	Draft     draft
	Kinds     []string
	Formats   []string
	Groupings []string
	Periods   []preset
	Idem      string // the key under which the form freezes once
	Failure   *failure

	Estimate  *exporter.Estimate // nil unless asked for
	Narrowing []fact             // of what was estimated
}

// preset is a period to choose at once.
type preset struct{ Label, URL string }

// showCreate shows the form, and with check what would be frozen.
func (c *Console) showCreate(v *visit) error {
	form := v.createForm(draftOf(v.r.URL.Query()))
	if v.r.URL.Query().Has("check") {
		if err := v.estimate(&form); err != nil {
			form.Failure = v.failureOf(err)
		}
	}
	return v.show(http.StatusOK, "create", form)
}

func (v *visit) createForm(d draft) createForm {
	form := createForm{
		Draft: d, Kinds: report.KindNames(), Formats: render.Names(), Groupings: report.Groupings(), Idem: secret(),
	}
	if _, ok := d.Values["group_by"]; !ok {
		if filters, err := report.ParseFilters(report.Kind(d.Get("report_kind")), nil); err == nil && len(filters.GroupBy) > 0 {
			form.Draft.Values["group_by"] = filters.GroupBy
		}
	}
	form.Periods = v.presets(d)
	return form
}

// presets are the periods that reports are mostly made for.
func (v *visit) presets(d draft) (periods []preset) {
	zone, err := report.LoadZone(d.Get(zoneName))
	if err != nil {
		zone = time.UTC
	}
	today := v.console.opts.Now().In(zone)
	month := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, zone)
	quarter := time.Date(today.Year(), (today.Month()-1)/3*3+1, 1, 0, 0, 0, 0, zone)
	year := time.Date(today.Year(), 1, 1, 0, 0, 0, 0, zone)
	for _, p := range []struct {
		label      string
		begin, end time.Time // end is exclusive
	}{
		{v.locale.text("Last month"), month.AddDate(0, -1, 0), month},
		{v.locale.text("This month"), month, month.AddDate(0, 1, 0)},
		{v.locale.text("Last quarter"), quarter.AddDate(0, -3, 0), quarter},
		{v.locale.text("Last year"), year.AddDate(-1, 0, 0), year},
		{v.locale.text("This year"), year, year.AddDate(1, 0, 0)},
	} {
		query := maps.Clone(d.Values)
		query[firstDay] = []string{p.begin.Format(time.DateOnly)}
		query[lastDay] = []string{p.end.AddDate(0, 0, -1).Format(time.DateOnly)}
		periods = append(periods, preset{p.label, createPath + "?" + query.Encode()})
	}
	all := maps.Clone(d.Values)
	delete(all, firstDay)
	delete(all, lastDay)
	return append(periods, preset{v.locale.text("Everything"), createPath + "?" + all.Encode()})
}

// estimate asks what the draft would freeze.
func (v *visit) estimate(form *createForm) error {
	ask := form.Draft.request()
	var found exporter.Estimate
	if _, err := v.call(http.MethodPost, apiEstimatePath, nil, ask, &found); err != nil {
		return err
	}
	filters, err := report.ParseFilters(report.Kind(ask.Kind), ask.Filters)
	if err != nil {
		return err
	}
	form.Estimate, form.Narrowing = &found, v.locale.narrowing(filters)
	return nil
}

// createExport freezes what the form says and leads to it.
func (c *Console) createExport(v *visit) error {
	sent, err := v.form()
	if err != nil {
		return err
	}
	d := draftOf(sent)
	request, err := client.JSON(http.MethodPost, apiExportsPath, d.request())
	if err != nil {
		return err
	}
	request.Header.Set("Prefer", "wait=2")
	request.Header.Set("Idempotency-Key", sent.Get("idempotency_key"))
	var made exporter.Export
	if err := v.do(request, &made); err != nil {
		form := v.createForm(d)
		form.Failure = v.failureOf(err)
		return v.show(form.Failure.Status, "create", form)
	}
	return v.redirect(exportsPath + "/" + string(made.ID))
}
