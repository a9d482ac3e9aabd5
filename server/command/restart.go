package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"

	"licensekit/exporter"
)

func (env *Env) logRestart() *cli.Command {
	return &cli.Command{
		Name:  "restart",
		Usage: "close the log and begin a new one that says so",
		Description: "For a data directory that was restored from an older copy, when there is no newer\n" +
			"one: its log can't go on without contradicting what was signed since. The new log has\n" +
			"a name and a key of its own, and its first entry holds the last known state of the old\n" +
			"one: that of the --anchor, of a witness, or else of the directory. Exports of the old\n" +
			"log stay provable.\n\n" +
			"   licensekit log restart --anchor /mnt/other/licensekit.anchor > log2.vkey\n\n" +
			"Prints the new log's verifier key. Reviewers put it beside the old one, see licensekit\n" +
			"verify --help; licensekit log prove --entry 0 hands out the first entry with its proof.\n" +
			"The server must not be running, and no copy of the data directory be under way. There\n" +
			"is no way back.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage.",
		Flags: []cli.Flag{dataFlag, keysFlag, anchorFlag, jsonFlag},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			return env.restart(c)
		},
	}
}

// restart closes the log of the data directory and begins another.
func (env *Env) restart(c *cli.Context) error {
	restarted, err := restartLog(c.Context, c.String("data"), exporter.Options{
		Keys: c.String("keys"), Anchor: c.String("anchor"), Now: time.Now, Log: env.logger(slog.LevelInfo, c.Bool("json")),
	})
	if err != nil {
		return directoryHint(err, c.String("data"))
	}
	if c.Bool("json") {
		return env.printJSON(restartedJSON{
			closedLog{restarted.Closed.Origin, restarted.Closed.Size}, closedLog{restarted.Last.Origin, restarted.Last.Size},
			restarted.Key.Origin(), restarted.Key.String(),
		})
	}
	return env.tellRestart(restarted)
}

// restartedJSON is what log restart --json prints.
type restartedJSON struct {
	Closed      closedLog `json:"closed"`
	Last        closedLog `json:"last_known"` // the newest state of the closed log that is known
	Origin      string    `json:"origin"`
	VerifierKey string    `json:"verifier_key"`
}

type closedLog struct {
	Origin string `json:"origin"`
	Size   int64  `json:"size"`
}

func restartLog(ctx context.Context, data string, opts exporter.Options) (*exporter.Restarted, error) {
	dir, err := exporter.OpenDirectory(data, false, opts.Log)
	if err != nil {
		return nil, err
	}
	restarted, err := exporter.RestartLog(ctx, dir, opts)
	return restarted, errors.Join(err, dir.Close())
}

func (env *Env) tellRestart(r *exporter.Restarted) error {
	fmt.Fprintf(env.Stderr, "closed log %s at %d entries\n", r.Closed.Origin, r.Closed.Size)
	if r.Last != r.Closed {
		fmt.Fprintf(env.Stderr, "the last known state of log %s has %d entries; the new log says so\n", r.Last.Origin, r.Last.Size)
	}
	fmt.Fprintf(env.Stderr, "began log %s; hand its key to reviewers\n", r.Key.Origin())
	_, err := fmt.Fprintln(env.Stdout, r.Key)
	return err
}
