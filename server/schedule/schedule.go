// Package schedule freezes reports on the clock: "last month's usage-summary as
// PDF and XLSX on the 1st at 06:00 Europe/Berlin".
//
// # Promises
//
//   - Each period is frozen once, in each format: a run's key is the schedule's id
//     and its period, and the exporter gives the same export for the same key,
//     whatever a crash interrupts.
//   - Runs that were missed while no server ran are made up, all of them, oldest
//     first. A schedule's next run begins when the exports of the one before are
//     ready or failed, so that a year of missed runs does not fill the queue. What
//     happened before a schedule was made is not frozen by it.
//   - A run at a local time that the clock leaves out is made when the clock has
//     gone forward, and at a time that comes twice the first time.
//   - A run freezes what the ledger holds when it is made, as every export does,
//     and not what it held when it was due.
//   - The exports are those of the key that made the schedule. Once that key is
//     revoked, has expired or may no longer export, runs are refused: that is in
//     their list and in the audit trail, and they are not made up. Another key
//     makes a schedule of its own.
//
// # Storage
//
// Two buckets of the database belong to this package, of sealed values (see
// package sealed):
//
//	schedules       schedule id                            the schedule, how far it has come
//	schedules.runs  schedule id, NUL, sequence big-endian  a run
package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"licensekit/exporter"
	"licensekit/exporter/audit"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// Period is what a run freezes: the one of this length that was over last.
type Period string

// The periods.
const (
	Day     Period = "day"
	Week    Period = "week" // from Monday
	Month   Period = "month"
	Quarter Period = "quarter"
)

// Periods lists them all.
var Periods = []Period{Day, Week, Month, Quarter}

// Schedule says what is frozen when. Times are UTC to the millisecond.
type Schedule struct {
	ID        string         `json:"id"` // sch_ and 26 characters
	Name      string         `json:"name"`
	Kind      report.Kind    `json:"report_kind"`
	Formats   []string       `json:"formats"`
	Filters   report.Filters `json:"filters"` // without a period
	Period    Period         `json:"period"`
	Day       int            `json:"day,omitempty"` // of the week, from Monday; of the month; of the quarter's first month; 0 for every day
	Time      string         `json:"time"`          // 15:04, local
	TimeZone  string         `json:"time_zone"`     // IANA
	CreatedBy string         `json:"created_by"`    // the id of the API key
	CreatedAt time.Time      `json:"created_at"`
	NextRunAt time.Time      `json:"next_run_at"`
}

// Spec is what is asked of a new schedule.
type Spec struct {
	Name           string
	Kind           string
	Formats        []string
	Filters        []byte // a JSON object
	Period         string
	Day            int // 0 for the first
	Time, TimeZone string
	CreatedBy      string
}

// FieldError reports a field of a [Spec] that can't be accepted.
type FieldError struct {
	Field   string // the contract's name
	Problem string // what is wrong, continuing the field's name
}

func (e *FieldError) Error() string { return e.Field + " " + e.Problem }

const maxSchedules = 1000

// schedule checks the spec. Errors: *[FieldError], *[report.FilterError].
func (s Spec) schedule() (made Schedule, err error) {
	made = Schedule{Name: s.Name, Period: Period(s.Period), Day: s.Day, Time: s.Time, TimeZone: s.TimeZone, CreatedBy: s.CreatedBy}
	if problem := audit.NameProblem(s.Name); problem != "" {
		return made, &FieldError{"name", problem}
	}
	if made.Kind, err = report.ParseKind(s.Kind); err != nil {
		return made, err
	}
	if made.Formats, err = formatsOf(s.Formats); err != nil {
		return made, err
	}
	if !slices.Contains(Periods, made.Period) {
		return made, &FieldError{"period", fmt.Sprintf("%q must be one of day, week, month, quarter", s.Period)}
	}
	if err := made.setDay(); err != nil {
		return made, err
	}
	if _, err := time.Parse("15:04", s.Time); err != nil || len(s.Time) != 5 {
		return made, &FieldError{"time", fmt.Sprintf("%q must be a time of day such as 06:00", s.Time)}
	}
	if _, err := report.LoadZone(s.TimeZone); err != nil || s.TimeZone == "" {
		return made, &FieldError{"time_zone", fmt.Sprintf("%q must be an IANA time zone such as Europe/Berlin", s.TimeZone)}
	}
	made.Filters, err = s.filters(made)
	return made, err
}

// filters are those of every run. Days of buckets are those of the schedule's
// zone, unless the filters name one.
func (s Spec) filters(made Schedule) (f report.Filters, err error) {
	if f, err = report.UnmarshalFilters(made.Kind, s.Filters); err != nil {
		return f, err
	}
	if f.From != nil || f.To != nil {
		return f, &FieldError{"filters", "must not name from and to: the period of each run does"}
	}
	if f.Bucket == "1d" && f.TimeZone == "" && !strings.Contains(string(s.Filters), `"time_zone"`) {
		f.TimeZone = made.TimeZone
	}
	return f.Normalise(made.Kind)
}

func (s *Schedule) setDay() error {
	most := map[Period]int{Week: 7, Month: 28, Quarter: 28}[s.Period]
	if s.Day == 0 && most > 0 {
		s.Day = 1
	}
	if s.Day < 0 || s.Day > most {
		if most == 0 {
			return &FieldError{"day", "is not for a period of a day"}
		}
		return &FieldError{"day", fmt.Sprintf("%d must be from 1 to %d for a %s", s.Day, most, s.Period)}
	}
	return nil
}

func formatsOf(names []string) (all []string, err error) {
	for _, name := range names {
		format, err := render.Parse(name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(all, format.Name) {
			return nil, &FieldError{"formats", "name " + format.Name + " twice"}
		}
		all = append(all, format.Name)
	}
	if all == nil {
		return nil, &FieldError{"formats", "must name one or more of " + strings.Join(render.Names(), ", ")}
	}
	return all, nil
}

// RunStatus is what came of a run.
type RunStatus string

// The statuses of runs. What came of its exports, they say themselves.
const (
	Created RunStatus = "created" // its exports were created
	Refused RunStatus = "refused" // nothing was created
)

// Run is a period that was frozen, or could not be.
type Run struct {
	Sequence   int64          `json:"sequence"` // from 1
	ScheduleID string         `json:"schedule_id"`
	DueAt      time.Time      `json:"due_at"`
	RanAt      time.Time      `json:"ran_at"`
	From       report.Instant `json:"from"` // the period is [from, to)
	To         report.Instant `json:"to"`
	Status     RunStatus      `json:"status"`
	Error      string         `json:"error,omitempty"`
	Exports    []exporter.ID  `json:"exports"` // in the order of the schedule's formats; never nil
}
