package command

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"licensekit/exporter/render"
	"licensekit/exporter/report"
	"licensekit/exporter/rfc4180"
	"licensekit/server/client"
)

func (env *Env) report() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "print a report as it is now",
		ArgsUsage: "KIND",
		Description: "Kinds are " + strings.Join(report.KindNames(), ", ") + ".\n" +
			"Prints up to --limit rows of each section, how many there are beyond, and the totals\n" +
			"of all; the usage ledger newest first. Freeze an export to get a report whole.\n\n" +
			"   licensekit report usage-summary --filter group_by=customer_id\n" +
			"   licensekit report license-audit --filter license_id=lic_001_1 --csv\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage.",
		Flags: targetFlags(
			&cli.StringSliceFlag{Name: "filter", Usage: "narrow the report: `NAME=VALUE`", EnvVars: []string{"LICENSEKIT_FILTER"}},
			&cli.IntFlag{Name: "limit", Value: 50, Usage: "at most so many rows per section, up to 200", EnvVars: []string{"LICENSEKIT_REPORT_LIMIT"}},
			&cli.BoolFlag{Name: "csv", Usage: "print CSV", EnvVars: []string{"LICENSEKIT_CSV"}},
			jsonFlag,
		),
		Action: func(c *cli.Context) error {
			kind, err := oneArgument(c, "the report's kind")
			if err != nil {
				return err
			}
			known, err := report.ParseKind(kind)
			if err != nil {
				return usage("%v", err).hinted("licensekit report --help lists the kinds")
			}
			if c.Bool("csv") && c.Bool("json") {
				return usage("--csv and --json exclude each other").hinted("leave one of them out")
			}
			filters, err := parseFilters(c.StringSlice("filter"))
			if err != nil {
				return err
			}
			ids := report.RequiredIDs(known)
			if given := func(id string) bool { return filters[id] != "" }; len(ids) > 0 && !slices.ContainsFunc(ids, given) {
				return usage("a live %s is about one: --filter %s=ID", kind, strings.Join(ids, "=ID or --filter ")).
					hinted("an export covers all: licensekit export create --kind " + kind)
			}
			return env.with(c, false, func(api *client.Client) error { return env.printReport(c, api, kind, filters) })
		},
	}
}

func (env *Env) printReport(c *cli.Context, api *client.Client, kind string, filters map[string]string) error {
	query := url.Values{"limit": {strconv.Itoa(c.Int("limit"))}}
	for name, value := range filters {
		query.Set(name, value)
	}
	var live report.Live
	page, err := api.Call(c.Context, http.MethodGet, "/api/v1/reports/"+kind, query, nil, &live)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return env.printJSON(live)
	}
	rows := 0
	for _, name := range readingOrder(live.Columns) {
		rows += len(live.Rows[name])
		if err := env.printSection(c, &live, name); err != nil {
			return err
		}
	}
	switch {
	case page.NextCursor != nil:
		fmt.Fprintln(env.Stderr, "there are older rows; freeze an export to get them all")
	case rows == 0:
		fmt.Fprintln(env.Stderr, "nothing matches; are the filters right?")
	}
	return nil
}

// sectionOrder is the one in which people read: what there is, then what was
// done with it.
var sectionOrder = []string{"customers", "licenses", "subscriptions", "orders", "usage", "activities"}

func readingOrder(columns map[string][]report.Column) []string {
	return slices.SortedFunc(maps.Keys(columns), func(a, b string) int {
		return slices.Index(sectionOrder, a) - slices.Index(sectionOrder, b)
	})
}

func (env *Env) printSection(c *cli.Context, live *report.Live, name string) error {
	columns := live.Columns[name]
	print := env.printRows
	if c.Bool("csv") {
		print = env.printCSV
	}
	if err := print(live, name, columns); err != nil {
		return err
	}
	if omitted := live.Omitted[name]; omitted > 0 {
		noun := "rows"
		if omitted == 1 {
			noun = "row"
		}
		fmt.Fprintf(env.Stderr, "%s: %d more %s; --limit shows up to 200, an export has them all\n", name, omitted, noun)
	}
	return nil
}

// printRows prints a section as a table, with a line of totals where any column
// is added up.
func (env *Env) printRows(live *report.Live, section string, columns []report.Column) error {
	fmt.Fprintf(env.Stdout, "%s\n", strings.ToUpper(section))
	totals, summed := live.Totals[section], false
	head, foot := make([]string, len(columns)), make([]string, len(columns))
	right := map[int]bool{}
	for i, column := range columns {
		head[i], foot[i] = column.Name, " " // for an empty cell shows a dash
		right[i] = column.Type == report.Integer
		if total, ok := totals[column.Name]; ok {
			foot[i], summed = strconv.FormatInt(total, 10), true
		}
	}
	t := env.table(head...)
	t.right = right
	for _, row := range live.Rows[section] {
		cells := make([]string, len(columns))
		for i, column := range columns {
			cells[i] = cellText(row[column.Name])
		}
		t.row(cells...)
	}
	if summed && len(live.Rows[section]) > 0 {
		foot[0] = "TOTAL"
		t.row(foot...)
	}
	return t.print()
}

// printCSV prints a section as the CSV of an export would have it, in which no
// text is taken for a formula.
func (env *Env) printCSV(live *report.Live, section string, columns []report.Column) error {
	record := []string{"section"}
	for _, column := range columns {
		record = append(record, column.Name)
	}
	text := rfc4180.AppendRecord(nil, record...)
	for _, row := range live.Rows[section] {
		record = append(record[:0], section)
		for _, column := range columns {
			cell := cellText(row[column.Name])
			if column.Type == report.String {
				cell = render.GuardText(cell)
			}
			record = append(record, cell)
		}
		text = rfc4180.AppendRecord(text, record...)
	}
	_, err := env.Stdout.Write(text)
	return err
}

// cellText is a value of a JSON row as text.
func cellText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatInt(int64(v), 10) // within ±(2^53-1); beyond, it comes as text
	case string:
		return v
	}
	return fmt.Sprint(v)
}
