package command

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"licensekit/exporter/report"
	"licensekit/server/client"
	"licensekit/server/schedule"
)

const schedulesPath = "/api/v1/schedules"

func (env *Env) schedule() *cli.Command {
	return &cli.Command{
		Name:  "schedule",
		Usage: "freeze reports on the clock",
		Description: "A server makes the runs: licensekit serve. Those that were missed while none ran are made\n" +
			"up, each once.",
		Subcommands: []*cli.Command{env.scheduleCreate(), env.scheduleList(), env.scheduleShow(), env.scheduleRuns(), env.scheduleDelete()},
	}
}

func (env *Env) scheduleCreate() *cli.Command {
	return &cli.Command{
		Name:  "create",
		Usage: "freeze the last day, week, month or quarter whenever it is over",
		Description: "Last month's usage as PDF and XLSX, on the 1st at 06:00 in Berlin:\n\n" +
			"   licensekit schedule create --name monthly --kind usage-summary --format pdf,xlsx \\\n" +
			"     --every month --on 1 --at 06:00 --time-zone Europe/Berlin --filter group_by=customer_id\n\n" +
			"The exports are those of the token that makes the schedule. Once that is revoked, runs are\n" +
			"refused: licensekit schedule runs says so.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage.",
		Flags: targetFlags(
			&cli.StringFlag{Name: "name", Usage: "what the schedule is for", EnvVars: []string{"LICENSEKIT_SCHEDULE_NAME"}},
			&cli.StringFlag{Name: "kind", Usage: "the report `KIND`: " + strings.Join(report.KindNames(), ", "), EnvVars: []string{"LICENSEKIT_SCHEDULE_KIND"}},
			&cli.StringSliceFlag{Name: "format", Usage: "a `FORMAT` to freeze in; repeat it for more", EnvVars: []string{"LICENSEKIT_SCHEDULE_FORMAT"}},
			&cli.StringSliceFlag{Name: "filter", Usage: "`NAME=VALUE`, but for from and to; repeat it for more", EnvVars: []string{"LICENSEKIT_SCHEDULE_FILTER"}},
			&cli.StringFlag{Name: "every", Usage: "the `PERIOD`: day, week, month or quarter", EnvVars: []string{"LICENSEKIT_EVERY"}},
			&cli.IntFlag{Name: "on", Usage: "the `DAY`: of the week, 1 to 7 from Monday, or of the month or the quarter's first month, 1 to 28 (default: 1)", EnvVars: []string{"LICENSEKIT_ON"}},
			&cli.StringFlag{Name: "at", Value: "00:00", Usage: "the local `TIME`, such as 06:00", EnvVars: []string{"LICENSEKIT_AT"}},
			&cli.StringFlag{Name: "time-zone", Value: "UTC", Usage: "the IANA `ZONE` of periods and times, such as Europe/Berlin", EnvVars: []string{"LICENSEKIT_SCHEDULE_TIME_ZONE"}},
			jsonFlag,
		),
		Action: func(c *cli.Context) error {
			body, err := scheduleBody(c)
			if err != nil {
				return err
			}
			return env.with(c, true, func(api *client.Client) error {
				var made schedule.Schedule
				if _, err := api.Call(c.Context, http.MethodPost, schedulesPath, nil, body, &made); err != nil {
					return err
				}
				if c.Bool("json") {
					return env.printJSON(made)
				}
				fmt.Fprintf(env.Stderr, "created %s (%s), its first run is at %s\n", made.ID, made.Name, shortTime(made.NextRunAt))
				return nil
			})
		},
	}
}

func scheduleBody(c *cli.Context) (map[string]any, error) {
	if err := noArguments(c); err != nil {
		return nil, err
	}
	filters, err := parseFilters(c.StringSlice("filter"))
	if err != nil {
		return nil, err
	}
	for flag, hint := range map[string]string{
		"name": "say what it is for: --name monthly", "kind": "kinds are " + strings.Join(report.KindNames(), ", "), "every": "--every takes day, week, month or quarter",
	} {
		if c.String(flag) == "" {
			return nil, usage("--%s is missing", flag).hinted(hint)
		}
	}
	body := map[string]any{
		"name": c.String("name"), "report_kind": c.String("kind"), "formats": listed(c, "format"), "filters": filters,
		"period": c.String("every"), "time": c.String("at"), "time_zone": c.String("time-zone"),
	}
	if on := c.Int("on"); c.IsSet("on") {
		body["day"] = on
	}
	return body, nil
}

func (env *Env) scheduleList() *cli.Command {
	return &cli.Command{
		Name:        "list",
		Usage:       "list the schedules",
		Description: "   licensekit schedule list\n\nExit codes: 0 done, 1 failed, 2 usage.",
		Flags:       targetFlags(jsonFlag),
		Action:      schedules.action(env),
	}
}

var schedules = list[schedule.Schedule]{
	path: schedulesPath,
	head: []string{"ID", "NAME", "KIND", "FORMATS", "WHEN", "NEXT RUN", "BY"},
	row: func(s schedule.Schedule) []string {
		return []string{s.ID, s.Name, string(s.Kind), strings.Join(s.Formats, ", "), when(s), shortTime(s.NextRunAt), s.CreatedBy}
	},
}

// when says in words when a schedule runs.
func when(s schedule.Schedule) string {
	on := map[schedule.Period]string{
		schedule.Day: "every day", schedule.Week: "every " + time.Weekday(s.Day%7).String(),
		schedule.Month: fmt.Sprintf("day %d of every month", s.Day), schedule.Quarter: fmt.Sprintf("day %d of every quarter", s.Day),
	}[s.Period]
	return on + " at " + s.Time + " " + s.TimeZone
}

func (env *Env) scheduleShow() *cli.Command {
	return &cli.Command{
		Name:        "show",
		Usage:       "print a schedule",
		ArgsUsage:   "ID",
		Description: "   licensekit schedule show sch_…\n\nExit codes: 0 done, 1 failed, 2 usage.",
		Flags:       targetFlags(jsonFlag),
		Action: env.onOne("schedule", func(c *cli.Context, api *client.Client, id string) error {
			var s schedule.Schedule
			if _, err := api.Call(c.Context, http.MethodGet, schedulesPath+"/"+pathSegment(id), nil, nil, &s); err != nil {
				return err
			}
			if c.Bool("json") {
				return env.printJSON(s)
			}
			return env.showSchedule(s)
		}),
	}
}

func (env *Env) showSchedule(s schedule.Schedule) error {
	filters, err := report.CanonicalJSON(s.Filters)
	if err != nil {
		return err
	}
	t := env.table("ID", s.ID)
	t.row("name", s.Name)
	t.row("kind", string(s.Kind))
	t.row("formats", strings.Join(s.Formats, ", "))
	t.row("filters", string(filters))
	t.row("when", when(s))
	t.row("created", shortTime(s.CreatedAt)+" by "+s.CreatedBy)
	t.row("next run", shortTime(s.NextRunAt))
	return t.print()
}

func (env *Env) scheduleRuns() *cli.Command {
	return &cli.Command{
		Name:        "runs",
		Usage:       "list a schedule's runs and their exports, newest first",
		ArgsUsage:   "ID",
		Description: "   licensekit schedule runs sch_…\n\nExit codes: 0 done, 1 failed, 2 usage.",
		Flags: targetFlags(
			&cli.IntFlag{Name: "limit", Usage: "at most so many (default: all)", EnvVars: []string{"LICENSEKIT_LIMIT"}},
			jsonFlag,
		),
		Action: env.onOne("schedule", func(c *cli.Context, api *client.Client, id string) error {
			return list[schedule.Run]{
				path:   schedulesPath + "/" + pathSegment(id) + "/runs",
				narrow: map[string]string{},
				head:   []string{"RUN", "DUE", "RAN", "FROM", "TO", "STATUS", "EXPORTS"},
				row:    runRow,
			}.print(env, c, api)
		}),
	}
}

func runRow(r schedule.Run) []string {
	what := r.Error
	if r.Status == schedule.Created {
		what = strings.Join(names(r.Exports), ", ")
	}
	return []string{strconv.FormatInt(r.Sequence, 10), shortTime(r.DueAt), shortTime(r.RanAt), report.FormatTime(int64(r.From)), report.FormatTime(int64(r.To)), string(r.Status), what}
}

func (env *Env) scheduleDelete() *cli.Command {
	return env.removal(schedulesPath, "schedule", "deleted", &cli.Command{
		Name:        "delete",
		Usage:       "end a schedule; what it has frozen stays",
		Description: "   licensekit schedule delete sch_…\n\nExit codes: 0 done, 1 failed, 2 usage.",
	})
}
