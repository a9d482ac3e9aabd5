package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"licensekit/exporter/ledger/intake"
	"licensekit/exporter/report"
	"licensekit/server/client"
)

func (env *Env) importing() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "read files of activities or records into the ledger",
		ArgsUsage: "FILE…",
		Description: "Reads CSV, XLSX, NDJSON and JSON files, - for stdin. Columns are taken by their\n" +
			"names; --map names a field's column, --set gives a field one value, and with either\n" +
			"columns that are named nowhere are ignored. Good rows go in, bad ones are named by\n" +
			"line; rows that are known already are skipped. After Ctrl-C run it again: nothing\n" +
			"goes in twice.\n\n" +
			"   licensekit import --as customers --map id=account_id --map name=account_name accounts.csv\n" +
			"   licensekit import --as activities --set action=usage.consumed --date-format DD-MM-YYYY usage.csv\n" +
			"   licensekit import --as activities --sheet Usage book.xlsx\n" +
			"   licensekit import --as activities --dry-run events.ndjson\n\n" +
			"Exit codes: 0 all rows are in, 1 failed or some rows were refused, 2 usage,\n" +
			"130 interrupted.",
		Flags: targetFlags(
			&cli.StringFlag{Name: "as", Usage: "what the rows are: " + strings.Join(intake.ObjectNames(), ", "), EnvVars: []string{"LICENSEKIT_AS"}},
			&cli.StringSliceFlag{Name: "map", Usage: "read a field from a column: `FIELD=COLUMN`", EnvVars: []string{"LICENSEKIT_MAP"}},
			&cli.StringSliceFlag{Name: "set", Usage: "give a field a value in every row: `FIELD=VALUE`", EnvVars: []string{"LICENSEKIT_SET"}},
			&cli.StringFlag{Name: "date-format", Usage: "how times are written, such as DD-MM-YYYY (default RFC 3339)", EnvVars: []string{"LICENSEKIT_DATE_FORMAT"}},
			&cli.StringFlag{Name: "time-zone", Usage: "the IANA `ZONE` of times without an offset", EnvVars: []string{"LICENSEKIT_TIME_ZONE"}},
			&cli.StringFlag{Name: "format", Usage: "csv, xlsx, ndjson, json or cloudevents (default: by the file's name)", EnvVars: []string{"LICENSEKIT_IMPORT_FORMAT"}},
			&cli.StringFlag{Name: "delimiter", Usage: "what parts the columns of a CSV file, tab for a tab (default: a comma)", EnvVars: []string{"LICENSEKIT_DELIMITER"}},
			&cli.StringFlag{Name: "sheet", Usage: "the `NAME` of an XLSX file's sheet (default: the first)", EnvVars: []string{"LICENSEKIT_SHEET"}},
			&cli.BoolFlag{Name: "dry-run", Usage: "only say what would happen", EnvVars: []string{"LICENSEKIT_DRY_RUN"}},
			&cli.BoolFlag{Name: "atomic", Usage: "all rows of a file or none", EnvVars: []string{"LICENSEKIT_ATOMIC"}},
			jsonFlag,
		),
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return usage("which file?").hinted("licensekit import --as activities FILE…, - for stdin")
			}
			if as := c.String("as"); as == "" {
				return usage("--as is missing").hinted("it says what the rows are: " + strings.Join(intake.ObjectNames(), ", "))
			} else if as != intake.Activities && report.Object(as).Properties() == nil {
				return usage("--as %q is not something to import", as).hinted("it takes " + strings.Join(intake.ObjectNames(), ", "))
			}
			if err := checkImport(c); err != nil {
				return err
			}
			return env.importFiles(c)
		},
	}
}

// checkImport looks at the flags before anything is opened.
func checkImport(c *cli.Context) error {
	for _, text := range c.StringSlice("map") {
		if _, err := intake.ParseMapping(text); err != nil {
			return usage("--map: %v", err).hinted("it takes the field first: --map id=usage_id")
		}
	}
	for _, text := range c.StringSlice("set") {
		if _, err := intake.ParseConstant(text); err != nil {
			return usage("--set: %v", err).hinted("it takes the field first: --set action=usage.consumed")
		}
	}
	if name := c.String("time-zone"); name != "" {
		if _, err := report.LoadZone(name); err != nil {
			return usage("--time-zone %q is not an IANA time zone", name).hinted("it takes names such as Europe/Berlin")
		}
	}
	if text := c.String("delimiter"); text != "" {
		if _, err := intake.ParseDelimiter(text); err != nil {
			return usage("--%v", err).hinted("--delimiter ';' or --delimiter tab")
		}
	}
	return nil
}

// importFiles reads one file after the other; all are opened beforehand, so
// that a wrong name stops the import before it begins.
func (env *Env) importFiles(c *cli.Context) error {
	files, err := env.openAll(c.Args().Slice())
	if err != nil {
		return err
	}
	defer files.close()
	refused := false
	err = env.with(c, true, func(api *client.Client) error {
		for _, f := range files {
			result, err := env.importFile(c, api, f)
			if err != nil {
				return fmt.Errorf("import %s: %w", f.name, err)
			}
			refused = refused || result.Rejected+result.Conflicts > 0
		}
		return nil
	})
	if err == nil && refused {
		return quietExit(exitFailed)
	}
	return err
}

// input is a file to import.
type input struct {
	io.ReadCloser
	name string
	size int64 // -1 if it is not known
}

type inputs []input

func (all inputs) close() {
	for _, f := range all {
		f.Close()
	}
}

func (env *Env) openAll(names []string) (all inputs, err error) {
	for _, name := range names {
		if name == "-" {
			all = append(all, input{io.NopCloser(env.Stdin), "stdin", -1})
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			all.close()
			return nil, err
		}
		size := int64(-1)
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s is a directory, not a file", name)
		}
		if err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		all = append(all, input{f, name, size})
		if err != nil {
			all.close()
			return nil, err
		}
	}
	return all, nil
}

func (env *Env) importFile(c *cli.Context, api *client.Client, f input) (intake.Result, error) {
	contentType, err := contentTypeOf(c.String("format"), f.name)
	if err != nil {
		return intake.Result{}, err
	}
	path := "/api/v1/activities"
	if as := c.String("as"); as != intake.Activities {
		path = "/api/v1/records/" + as
	}
	progress := env.progress(c, filepath.Base(f.name), f.size)
	resp, err := api.Do(c.Context, client.Request{
		Method: http.MethodPost, Path: path, Query: importQuery(c, f.name),
		Header: http.Header{"Content-Type": {contentType}},
		Body:   interruptible(c.Context, io.TeeReader(f, progress)),
	})
	progress.finish()
	if err != nil && c.Context.Err() != nil && !c.Bool("atomic") && !c.Bool("dry-run") {
		err = &exitError{exitInterrupted, errInterrupted, "what came before it may be stored; run it again, rows that are known are skipped"}
	}
	if err != nil {
		env.tellPartial(c, f.name, err)
		return intake.Result{}, err
	}
	defer resp.Body.Close()
	var result intake.Result
	if _, err := client.Decode(resp.Body, &result); err != nil {
		return result, err
	}
	return result, env.tellResult(c, f.name, result)
}

// interruptible reads a source until ctx is done. A read of a terminal, or of a
// pipe that nothing comes through, can't be broken off: it is left behind, and
// ends with the process.
func interruptible(ctx context.Context, source io.Reader) io.ReadCloser {
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(w, source)
		w.CloseWithError(err)
		stop()
	}()
	return r
}

func importQuery(c *cli.Context, file string) url.Values {
	query := url.Values{"map": c.StringSlice("map"), "set": c.StringSlice("set")}
	// A name that is no text of the contract is left out: it is only for the audit trail.
	if name := filepath.Base(file); report.CheckText(name, 255) == "" {
		query.Set("file_name", name)
	}
	for flag, parameter := range map[string]string{"date-format": "date_format", "time-zone": "time_zone", "delimiter": "delimiter", "sheet": "sheet"} {
		if text := c.String(flag); text != "" {
			query.Set(parameter, text)
		}
	}
	for flag, parameter := range map[string]string{"dry-run": "dry_run", "atomic": "atomic"} {
		if c.Bool(flag) {
			query.Set(parameter, "true")
		}
	}
	return query
}

func contentTypeOf(format, name string) (string, error) {
	known, err := intake.Format(format), error(nil)
	if format == "" {
		known, err = intake.FormatOf("", name)
	}
	if err == nil && known.ContentType() == "" {
		err = fmt.Errorf("--format %q is not one that is read", format)
	}
	if err != nil {
		return "", usage("%v", err).hinted("--format takes csv, xlsx, ndjson, json or cloudevents")
	}
	return known.ContentType(), nil
}

// tellResult prints the account of a file: counts to stdout, bad rows to stderr.
func (env *Env) tellResult(c *cli.Context, name string, r intake.Result) error {
	if c.Bool("json") {
		return env.printJSON(struct {
			File string `json:"file"`
			intake.Result
		}{name, r})
	}
	for _, e := range r.Errors {
		fmt.Fprintf(env.Stderr, "%s: %v (%s)\n", name, e, e.Code)
	}
	if r.ErrorsOmitted > 0 {
		fmt.Fprintf(env.Stderr, "%s: %d more rows were refused and are not named\n", name, r.ErrorsOmitted)
	}
	would := ""
	if c.Bool("dry-run") {
		would = " (dry run, nothing was stored)"
	}
	_, err := fmt.Fprintf(env.Stdout, "%s: %d accepted, %d duplicates, %d conflicts, %d rejected%s\n", name, r.Accepted, r.Duplicates, r.Conflicts, r.Rejected, would)
	return err
}

// tellPartial says what had gone in before an import failed.
func (env *Env) tellPartial(c *cli.Context, name string, err error) {
	var answer *client.Error
	var r intake.Result
	if errors.As(err, &answer) && answer.Result != nil && json.Unmarshal(answer.Result, &r) == nil {
		env.tellResult(c, name, r)
	}
}
