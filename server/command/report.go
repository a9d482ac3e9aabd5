package command

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

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
			"Prints up to --limit rows of each section, and how many there are beyond; the\n" +
			"usage ledger newest first. Freeze an export to get a report whole.\n\n" +
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
			if _, err := report.ParseKind(kind); err != nil {
				return usage("%v", err).hinted("licensekit report --help lists the kinds")
			}
			filters, err := parseFilters(c.StringSlice("filter"))
			if err != nil {
				return err
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
	sections := make([]string, 0, len(live.Columns))
	for name := range live.Columns {
		sections = append(sections, name)
	}
	slices.Sort(sections)
	for _, name := range sections {
		if err := env.printSection(c, &live, name); err != nil {
			return err
		}
	}
	if page.NextCursor != nil {
		fmt.Fprintln(env.Stderr, "there are older rows; freeze an export to get them all")
	}
	return nil
}

func (env *Env) printSection(c *cli.Context, live *report.Live, name string) error {
	columns := live.Columns[name]
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = column.Name
	}
	print := env.sectionPrinter(c, name, names)
	for _, row := range live.Rows[name] {
		cells := make([]string, len(columns))
		for i, column := range columns {
			cells[i] = cellText(row[column.Name])
		}
		print.row(cells...)
	}
	if err := print.print(); err != nil {
		return err
	}
	if omitted := live.Omitted[name]; omitted > 0 {
		fmt.Fprintf(env.Stderr, "%s: %d more rows; --limit shows up to 200, an export has them all\n", name, omitted)
	}
	return nil
}

// printer takes the rows of a section.
type printer interface {
	row(cells ...string)
	print() error
}

func (env *Env) sectionPrinter(c *cli.Context, section string, names []string) printer {
	if c.Bool("csv") {
		out := &csvPrinter{env: env, section: section}
		out.text = rfc4180.AppendRecord(out.text, append([]string{"section"}, names...)...)
		return out
	}
	fmt.Fprintf(env.Stdout, "%s\n", strings.ToUpper(section))
	return env.table(names...)
}

// csvPrinter gathers a section as CSV; it is a page, so it is small.
type csvPrinter struct {
	env     *Env
	section string
	text    []byte
}

func (p *csvPrinter) row(cells ...string) {
	p.text = rfc4180.AppendRecord(p.text, append([]string{p.section}, cells...)...)
}

func (p *csvPrinter) print() error {
	_, err := p.env.Stdout.Write(p.text)
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
