package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"licensekit/exporter"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

const (
	schedulesPath    = "/console/schedules"
	apiSchedulesPath = "/api/v1/schedules"
)

// periods are what a schedule may freeze: the last one that was over.
var periods = []string{"month", "week", "day", "quarter"}

// schedule is a report that is frozen on the clock, as the API tells it.
type schedule struct {
	ID        string      `json:"id,omitempty"`
	Name      string      `json:"name"`
	Kind      report.Kind `json:"report_kind"`
	Formats   []string    `json:"formats"`
	Period    string      `json:"period"`
	Day       int         `json:"day,omitempty"`
	Time      string      `json:"time,omitempty"`
	TimeZone  string      `json:"time_zone,omitempty"`
	NextRunAt *time.Time  `json:"next_run_at,omitempty"`
}

// scheduleList is what the page of schedules shows.
type scheduleList struct {
	Schedules []schedule
	Given     schedule // in the form
	Kinds     []string
	Formats   []string
	Periods   []string
	Failure   *failure
}

// Makes tells whether the form asks for a format.
func (l scheduleList) Makes(format string) bool { return slices.Contains(l.Given.Formats, format) }

func (v *visit) scheduleList(given schedule) (scheduleList, error) {
	list := scheduleList{Given: given, Kinds: report.KindNames(), Formats: render.Names(), Periods: periods}
	_, err := v.call(http.MethodGet, apiSchedulesPath, nil, nil, &list.Schedules)
	return list, err
}

// listSchedules shows the schedules, and a form for one more.
func (c *Console) listSchedules(v *visit) error {
	list, err := v.scheduleList(schedule{Kind: report.UsageSummary, Formats: []string{"pdf"}, Period: "month", Day: 1, Time: "06:00", TimeZone: "UTC"})
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "schedules", list)
}

func (c *Console) createSchedule(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	asked := schedule{
		Name: strings.TrimSpace(form.Get("name")), Kind: report.Kind(form.Get("report_kind")), Formats: form["formats"], Period: form.Get("period"),
		Time: form.Get("time"), TimeZone: form.Get("time_zone"),
	}
	if asked.Formats == nil {
		asked.Formats = []string{}
	}
	if asked.Period != "day" {
		asked.Day, _ = strconv.Atoi(form.Get("day")) // 0 is the API's own default
	}
	var made schedule
	if _, err := v.call(http.MethodPost, apiSchedulesPath, nil, asked, &made); err != nil {
		list, listErr := v.scheduleList(asked)
		if listErr != nil {
			return listErr
		}
		list.Failure = v.failureOf(err)
		return v.show(list.Failure.Status, "schedules", list)
	}
	return v.redirect(schedulesPath + "/" + url.PathEscape(made.ID))
}

// run is what a schedule did once.
type run struct {
	DueAt   time.Time `json:"due_at"`
	From    time.Time
	To      time.Time
	Status  string
	Error   string
	Exports []exporter.ID
}

// schedulePage is what the page of one schedule shows.
type schedulePage struct {
	Schedule schedule
	Filters  []fact
	Runs     []run
}

func (v *visit) apiSchedule(rest string) string {
	return apiSchedulesPath + "/" + url.PathEscape(v.r.PathValue("id")) + rest
}

// showSchedule shows a schedule with what it did last.
func (c *Console) showSchedule(v *visit) error {
	page := schedulePage{}
	var raw json.RawMessage
	if _, err := v.call(http.MethodGet, v.apiSchedule(""), nil, nil, &raw); err != nil {
		return err
	}
	var narrowed struct{ Filters report.Filters }
	if err := json.Unmarshal(raw, &page.Schedule); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &narrowed); err != nil {
		return err
	}
	page.Filters = v.locale.narrowing(narrowed.Filters)
	if _, err := v.call(http.MethodGet, v.apiSchedule("/runs"), url.Values{"limit": {"25"}}, nil, &page.Runs); err != nil {
		return err
	}
	return v.show(http.StatusOK, "schedule", page)
}

func (c *Console) removeSchedule(v *visit) error {
	if _, err := v.form(); err != nil {
		return err
	}
	if _, err := v.call(http.MethodDelete, v.apiSchedule(""), nil, nil, nil); err != nil {
		return err
	}
	return v.redirect(schedulesPath)
}
