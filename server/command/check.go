package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"licensekit/exporter"
	"licensekit/server/client"
)

func (env *Env) check() *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "walk everything that is kept and say what is wrong",
		Description: "Hashes every artifact, compares every export with its signed manifest and the log,\n" +
			"and checks the ledger and the database. It changes nothing; --repair makes up a lost\n" +
			"database from the log before (the exports; API keys and reporting data need a backup).\n" +
			"In a copy that was taken while the original was in use, exports that came while it was\n" +
			"taken may not be whole: they are named as warnings. --json says what the copy was\n" +
			"recovered from, too. What follows from a log that is behind has the code LOG_BEHIND.\n\n" +
			"   licensekit check\n" +
			"   licensekit check --data /mnt/backup/licensekit --json\n\n" +
			"stdout has the result alone. How far it has come is shown on a terminal, or with --json\n" +
			"told on stderr, see licensekit --help.\n\n" +
			"Exit codes: 0 all is well but for warnings, 1 something is wrong, 2 usage.",
		Flags: targetFlags(
			&cli.BoolFlag{Name: "repair", Usage: "repair what can be repaired", EnvVars: []string{"LICENSEKIT_REPAIR"}},
			jsonFlag,
		),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			if c.Bool("repair") {
				if err := env.repair(c); err != nil {
					return err
				}
			}
			return env.with(c, false, func(api *client.Client) error { return env.runCheck(c, api) })
		},
	}
}

func (env *Env) repair(c *cli.Context) error {
	if c.String("url") != "" {
		return usage("--repair works on a data directory, not on a --url").hinted("run it where the data directory is")
	}
	made, err := exporter.RebuildDatabase(c.String("data"), env.logger(slog.LevelWarn, c.Bool("json")))
	if made {
		fmt.Fprintln(env.Stderr, "made a new database; the exports are entered from the log")
	}
	return err
}

// askCheck has a server check, and shows how far it has come.
func (env *Env) askCheck(c *cli.Context, api *client.Client) (result exporter.CheckResult, err error) {
	resp, err := api.Do(c.Context, client.Request{
		Method: http.MethodGet, Path: "/api/v1/system/check", Header: http.Header{"Accept": {"application/x-ndjson"}},
	})
	if err != nil {
		return result, err
	}
	defer resp.Body.Close()
	shown := env.progress(c, "checking", -1)
	defer shown.finish()
	for lines := json.NewDecoder(resp.Body); ; {
		var line struct {
			exporter.CheckProgress
			OK *bool `json:"ok"` // of the result
		}
		var text json.RawMessage
		if err = lines.Decode(&text); err == nil {
			err = json.Unmarshal(text, &line)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return result, errors.New("the check was cut off; the server's log says why")
		case err != nil:
			return result, fmt.Errorf("read what the check found: %w", err)
		case line.OK != nil:
			return result, json.Unmarshal(text, &result)
		}
		shown.describe("checking " + line.Stage)
		shown.set(line.Checked.Bytes)
	}
}

func (env *Env) runCheck(c *cli.Context, api *client.Client) error {
	result, err := env.askCheck(c, api)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		if err := env.printJSON(result); err != nil {
			return err
		}
	} else {
		for _, p := range result.Problems {
			fmt.Fprintln(env.Stdout, printable(fmt.Sprintf("%s %s: %s", p.What, p.ID, p.Problem)))
		}
		for _, w := range result.Warnings {
			fmt.Fprintln(env.Stdout, printable(fmt.Sprintf("warning: %s %s: %s", w.What, w.ID, w.Problem)))
		}
		env.tellCopied(result.Copied)
		n := result.Checked
		fmt.Fprintf(env.Stdout, "checked %d blobs (%d bytes), %d exports, %d log entries: %d problems", n.Blobs, n.Bytes, n.Exports, n.Entries, len(result.Problems))
		if len(result.Warnings) > 0 {
			fmt.Fprintf(env.Stdout, ", %d warnings", len(result.Warnings))
		}
		fmt.Fprintln(env.Stdout)
		env.hintProblems(slices.Concat(result.Problems, result.Warnings))
	}
	if !result.OK {
		return quietExit(exitFailed)
	}
	return nil
}

// hintProblems says what to do about problems of a kind, once for each.
func (env *Env) hintProblems(problems []exporter.Problem) {
	told := map[string]bool{}
	for _, p := range problems {
		if hint := answerHints[p.Code]; hint != "" && !told[p.Code] {
			told[p.Code] = true
			fmt.Fprintf(env.Stderr, "hint: %s (%s)\n", hint, p.Code)
		}
	}
}

// tellCopied says what a copy was recovered from.
func (env *Env) tellCopied(c *exporter.Copied) {
	if c == nil {
		return
	}
	if c.InUse {
		fmt.Fprintf(env.Stdout, "a copy, taken while the original was in use and opened first at %s\n", c.Opened.Format(time.RFC3339))
	}
	if r := c.Database; r != nil {
		fmt.Fprintf(env.Stdout, "its database was recovered: %v\n", r)
	}
	for _, l := range c.Logs {
		fmt.Fprintf(env.Stdout, "log %s: its checkpoint showed size %d, it has %d entries, %d of them put back, %d lost\n", l.Origin, l.Found, l.Size, len(l.PutBack), l.Known-l.Size)
	}
	if len(c.Entered) > 0 {
		fmt.Fprintf(env.Stdout, "%d exports were entered from the log again\n", len(c.Entered))
	}
}
