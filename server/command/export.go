package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"licensekit/exporter"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
	"licensekit/server/client"
)

const exportsPath = "/api/v1/reports/exports"

func (env *Env) export() *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "freeze reports and fetch what was frozen",
		Subcommands: []*cli.Command{
			env.exportCreate(), env.exportList(), env.exportShow(),
			env.exportFetch("download", "fetch the frozen artifact"),
			env.exportFetch("bundle", "fetch the evidence bundle: the artifact and its proofs", shownFlag),
			env.exportDiff(),
		},
	}
}

var outputFlag = &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE`, - for stdout (default: the server's name for it)", EnvVars: []string{"LICENSEKIT_OUTPUT"}}

func (env *Env) exportCreate() *cli.Command {
	return &cli.Command{
		Name:  "create",
		Usage: "freeze a report, wait for it, and print its metadata",
		Description: "   licensekit export create --kind usage-summary --filter group_by=customer_id,feature_code \\\n" +
			"     --filter from=2026-01-01T00:00:00Z --filter to=2026-02-01T00:00:00Z\n" +
			"   licensekit export create --kind usage-ledger --format csv -o ledger.csv\n\n" +
			"Exit codes: 0 frozen, 1 failed, 2 usage, 130 interrupted (the server goes on).",
		Flags: targetFlags(
			&cli.StringFlag{Name: "kind", Usage: "the report: " + strings.Join(report.KindNames(), ", "), EnvVars: []string{"LICENSEKIT_KIND"}},
			&cli.StringFlag{Name: "format", Value: "json", Usage: "the artifact's format: " + strings.Join(render.Names(), ", "), EnvVars: []string{"LICENSEKIT_FORMAT"}},
			&cli.StringSliceFlag{Name: "filter", Usage: "narrow the report: `NAME=VALUE`", EnvVars: []string{"LICENSEKIT_FILTER"}},
			&cli.StringFlag{Name: "idempotency-key", Usage: "the same `KEY` never freezes twice", EnvVars: []string{"LICENSEKIT_IDEMPOTENCY_KEY"}},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "download the artifact to `FILE`, - for stdout", EnvVars: []string{"LICENSEKIT_CREATE_OUTPUT"}},
			jsonFlag,
		),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			if c.String("kind") == "" {
				return usage("--kind is missing").hinted("kinds are " + strings.Join(report.KindNames(), ", "))
			}
			filters, err := parseFilters(c.StringSlice("filter"))
			if err != nil {
				return err
			}
			return env.with(c, true, func(api *client.Client) error {
				export, err := env.freeze(c, api, exportBody{c.String("kind"), c.String("format"), filters})
				if err != nil {
					return err
				}
				if output := c.String("output"); output != "" {
					return env.fetch(c, api, exportsPath+"/"+string(export.ID)+"/download", nil, output)
				}
				return env.showExport(c, export)
			})
		},
	}
}

// exportBody is the body of a create.
type exportBody struct {
	Kind    string            `json:"report_kind"`
	Format  string            `json:"format"`
	Filters map[string]string `json:"filters,omitempty"`
}

func parseFilters(texts []string) (map[string]string, error) {
	filters := map[string]string{}
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		const hint = "each filter stands once, as NAME=VALUE; group_by takes a list: group_by=customer_id,feature_code"
		if !ok {
			return nil, usage("--filter %q has no =", text).hinted(hint)
		}
		if _, twice := filters[name]; twice {
			return nil, usage("--filter %s stands more than once", name).hinted(hint)
		}
		filters[name] = value
	}
	return filters, nil
}

// freeze creates an export and follows it until it is ready.
func (env *Env) freeze(c *cli.Context, api *client.Client, body exportBody) (exporter.Export, error) {
	export, err := createExport(c.Context, api, body, c.String("idempotency-key"))
	if err != nil && c.Context.Err() != nil {
		return export, &exitError{exitInterrupted, errInterrupted, "it may be made all the same: licensekit export list"}
	}
	shown := env.spinner(c, "freezing "+string(export.ID))
	defer shown.finish()
	for err == nil && !export.Status.Final() {
		select {
		case <-c.Context.Done():
			return export, &exitError{exitInterrupted, errInterrupted, fmt.Sprintf("%s is finished by the server, or by licensekit serve; licensekit export show %s tells how far it is", export.ID, export.ID)}
		case <-time.After(300 * time.Millisecond):
		}
		_, err = api.Call(c.Context, http.MethodGet, exportsPath+"/"+string(export.ID), nil, nil, &export)
		if export.Progress != nil {
			shown.set(export.Progress.Rows)
		}
	}
	if err == nil && export.Status == exporter.Failed {
		err = failed(&failedExport{export}, "mend the cause and create it again")
	}
	return export, err
}

// failedExport is an export that came to nothing.
type failedExport struct{ export exporter.Export }

// Error says why.
func (f *failedExport) Error() string {
	return fmt.Sprintf("export %s failed: %s (%s)", f.export.ID, f.export.Error.Message, f.export.Error.Code)
}

func createExport(ctx context.Context, api *client.Client, body exportBody, idempotencyKey string) (export exporter.Export, err error) {
	r, err := client.JSON(http.MethodPost, exportsPath, body)
	if err != nil {
		return export, err
	}
	r.Header.Set("Prefer", "wait=1")
	if idempotencyKey != "" {
		r.Header.Set("Idempotency-Key", idempotencyKey)
	}
	resp, err := api.Do(ctx, r)
	if err != nil {
		return export, err
	}
	defer resp.Body.Close()
	_, err = client.Decode(resp.Body, &export)
	return export, err
}

func (env *Env) exportList() *cli.Command {
	return &cli.Command{
		Name:        "list",
		Usage:       "list exports, newest first",
		Description: "   licensekit export list --kind usage-ledger --limit 20\n\nExit codes: 0 done, 1 failed, 2 usage.",
		Flags: targetFlags(
			&cli.StringFlag{Name: "kind", Usage: "only this report kind", EnvVars: []string{"LICENSEKIT_LIST_KIND"}},
			&cli.StringFlag{Name: "format", Usage: "only this format", EnvVars: []string{"LICENSEKIT_LIST_FORMAT"}},
			&cli.StringFlag{Name: "status", Usage: "only this status", EnvVars: []string{"LICENSEKIT_STATUS"}},
			&cli.IntFlag{Name: "limit", Usage: "at most so many (default: all)", EnvVars: []string{"LICENSEKIT_LIMIT"}},
			jsonFlag,
		),
		Action: exports.action(env),
	}
}

var exports = list[exporter.Export]{
	path:   exportsPath,
	narrow: map[string]string{"kind": "report_kind", "format": "format", "status": "status"},
	head:   []string{"ID", "KIND", "FORMAT", "STATUS", "CREATED", "ROWS", "BYTES", "ARTIFACT DIGEST"},
	row: func(x exporter.Export) []string {
		return []string{string(x.ID), string(x.Kind), x.Format, string(x.Status), report.FormatTime(int64(x.CreatedAt)), number(x.RowCount), number(x.SizeBytes), digest(x.ArtifactDigest)}
	},
}

func number(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

func digest(d *report.Digest) string {
	if d == nil {
		return ""
	}
	return d.String()
}

func (env *Env) exportShow() *cli.Command {
	return &cli.Command{
		Name:        "show",
		Usage:       "print an export's metadata",
		ArgsUsage:   "ID",
		Description: "   licensekit export show rptx_…\n\nExit codes: 0 done, 1 failed, 2 usage.",
		Flags:       targetFlags(jsonFlag),
		Action: env.onOne("export", func(c *cli.Context, api *client.Client, id string) error {
			var export exporter.Export
			if _, err := api.Call(c.Context, http.MethodGet, exportsPath+"/"+pathSegment(id), nil, nil, &export); err != nil {
				return err
			}
			return env.showExport(c, export)
		}),
	}
}

func (env *Env) showExport(c *cli.Context, x exporter.Export) error {
	if c.Bool("json") {
		return env.printJSON(x)
	}
	filters, err := report.CanonicalJSON(x.Filters)
	if err != nil {
		return err
	}
	t := env.table("ID", string(x.ID))
	t.row("kind", string(x.Kind))
	t.row("format", x.Format)
	t.row("status", string(x.Status))
	t.row("filters", string(filters))
	t.row("created", report.FormatTime(int64(x.CreatedAt))+" by "+x.CreatedBy)
	if x.Status == exporter.Ready {
		t.row("frozen", report.FormatTime(int64(*x.FrozenAt))+" as of sequence "+number(x.AsOf))
		t.row("rows", number(x.RowCount))
		t.row("bytes", number(x.SizeBytes))
		t.row("digest", digest(x.Digest))
		t.row("artifact digest", digest(x.ArtifactDigest))
		t.row("key", x.KeyID)
		t.row("log entry", number(x.LogIndex)+" of "+*x.LogOrigin)
	}
	if x.Progress != nil {
		t.row("rows so far", strconv.FormatInt(x.Progress.Rows, 10))
	}
	if x.Error != nil {
		t.row("error", x.Error.Message+" ("+x.Error.Code+")")
	}
	return t.print()
}

// shownFlag is for bundles. Without it the same export gives the same bytes.
var shownFlag = &cli.StringFlag{Name: "checkpoint", Usage: "to which `CHECKPOINT` of the log the proof leads: first (the first that covered the export), newest, or cosigned (the newest that witnesses signed too) (default: first)", EnvVars: []string{"LICENSEKIT_CHECKPOINT"}}

func (env *Env) exportFetch(what, does string, more ...cli.Flag) *cli.Command {
	return &cli.Command{
		Name:        what,
		Usage:       does,
		ArgsUsage:   "ID",
		Description: "   licensekit export " + what + " rptx_…\n\nA file that is there is not replaced.\n\nExit codes: 0 done, 1 failed, 2 usage.",
		Flags:       targetFlags(append(more, outputFlag)...),
		Action: env.onOne("export", func(c *cli.Context, api *client.Client, id string) error {
			query := queryOf(c, map[string]string{"checkpoint": "checkpoint"})
			return env.fetch(c, api, exportsPath+"/"+pathSegment(id)+"/"+what, query, c.String("output"))
		}),
	}
}

// fetch downloads to a file, to stdout for "-", or to the name that the server
// suggests.
func (env *Env) fetch(c *cli.Context, api *client.Client, path string, query url.Values, output string) error {
	resp, err := api.Do(c.Context, client.Request{Method: http.MethodGet, Path: path, Query: query})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	shown := env.progress(c, "downloading", resp.ContentLength)
	defer shown.finish()
	if output == "" {
		if output = client.FileName(resp); output == "" {
			return errors.New("the server suggests no file name; give one with -o")
		}
	}
	return env.writeOut(output, io.TeeReader(resp.Body, shown))
}
