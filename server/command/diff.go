package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"licensekit/exporter"
	"licensekit/exporter/report"
	"licensekit/server/client"
)

func (env *Env) exportDiff() *cli.Command {
	return &cli.Command{
		Name:      "diff",
		Usage:     "show the rows by which one export differs from another",
		ArgsUsage: "ID ID",
		Description: "   licensekit export diff rptx_… rptx_…\n\n" +
			"Both are of one kind and have the same columns; formats and other filters may differ.\n" +
			"With --json each row that differs is a line, and the last line has the account.\n\n" +
			"Exit codes: 0 compared, 1 failed, 2 usage.",
		Flags: targetFlags(jsonFlag),
		Action: func(c *cli.Context) error {
			if c.NArg() != 2 {
				return usage("two exports are compared, by their ids").hinted("licensekit export list shows them")
			}
			return env.with(c, false, func(api *client.Client) error { return env.diff(c, api, c.Args().Get(0), c.Args().Get(1)) })
		},
	}
}

// diff prints differences as they come.
func (env *Env) diff(c *cli.Context, api *client.Client, before, after string) error {
	path := exportsPath + "/" + pathSegment(before)
	var export exporter.Export
	if _, err := api.Call(c.Context, http.MethodGet, path, nil, nil, &export); err != nil {
		return err
	}
	resp, err := api.Do(c.Context, client.Request{
		Method: http.MethodGet, Path: path + "/comparison", Query: url.Values{"with": {after}}, Header: http.Header{"Accept": {"application/x-ndjson"}},
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if c.Bool("json") {
		_, err := io.Copy(env.Stdout, resp.Body)
		return err
	}
	return env.printDiff(json.NewDecoder(resp.Body), report.Sections(export.Kind, export.Filters))
}

// diffLine is a line of a comparison: a difference, or at the end the account.
type diffLine struct {
	report.Difference
	Sections map[string]*report.Compared `json:"sections"`
}

func (env *Env) printDiff(lines *json.Decoder, sections []report.Section) error {
	lines.UseNumber()
	for {
		var line diffLine
		if err := lines.Decode(&line); err != nil {
			if err == io.EOF {
				err = errors.New("the comparison was cut off")
			}
			return fmt.Errorf("read the comparison: %w", err)
		}
		if line.Sections != nil {
			return env.printAccount(line.Sections)
		}
		i := slices.IndexFunc(sections, func(s report.Section) bool { return s.Name == line.Section })
		if i < 0 {
			return fmt.Errorf("read the comparison: there is no section %s", line.Section)
		}
		fmt.Fprintln(env.Stdout, line.describe(sections[i]))
	}
}

func (env *Env) printAccount(sections map[string]*report.Compared) error {
	t := env.table("SECTION", "ADDED", "REMOVED", "CHANGED", "UNCHANGED")
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		s := sections[name]
		t.row(name, number(&s.Added), number(&s.Removed), number(&s.Changed), number(&s.Unchanged))
	}
	return t.print()
}

// describe names the row by its key, and then what there is to say of it: of one
// that changed, what did.
func (l *diffLine) describe(s report.Section) string {
	row := l.After
	if row == nil {
		row = l.Before
	}
	var key, values []string
	for _, column := range s.Columns {
		name := column.Name
		switch value := cell(row[name]); {
		case slices.Contains(s.Key, name):
			key = append(key, name+"="+value)
		case l.Change != report.Changed:
			values = append(values, name+" "+value)
		case cell(l.Before[name]) != value:
			values = append(values, name+" "+cell(l.Before[name])+" -> "+value)
		}
	}
	return fmt.Sprintf("%s %s %s: %s", l.Change, s.Name, strings.Join(key, " "), strings.Join(values, ", "))
}

// cell shows a value of a row.
func cell(value any) string {
	switch value := value.(type) {
	case nil:
		return "-"
	case string:
		return quoteArg(value)
	}
	return fmt.Sprint(value)
}
