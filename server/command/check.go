package command

import (
	"fmt"
	"log/slog"
	"net/http"

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
			"database from the log before (the exports; API keys and reporting data need a backup).\n\n" +
			"   licensekit check\n" +
			"   licensekit check --data /mnt/backup/licensekit --json\n\n" +
			"Exit codes: 0 all is well, 1 something is wrong, 2 usage.",
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
	made, err := exporter.RebuildDatabase(c.String("data"), env.logger(slog.LevelWarn, false))
	if made {
		fmt.Fprintln(env.Stderr, "made a new database; the exports are entered from the log")
	}
	return err
}

func (env *Env) runCheck(c *cli.Context, api *client.Client) error {
	var result exporter.CheckResult
	if _, err := api.Call(c.Context, http.MethodGet, "/api/v1/system/check", nil, nil, &result); err != nil {
		return err
	}
	if c.Bool("json") {
		if err := env.printJSON(result); err != nil {
			return err
		}
	} else {
		for _, p := range result.Problems {
			fmt.Fprintf(env.Stdout, "%s %s: %s\n", p.What, p.ID, p.Problem)
		}
		n := result.Checked
		fmt.Fprintf(env.Stdout, "checked %d blobs (%d bytes), %d exports, %d log entries: %d problems\n", n.Blobs, n.Bytes, n.Exports, n.Entries, len(result.Problems))
	}
	if !result.OK {
		return quietExit(exitFailed)
	}
	return nil
}
