package command

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/urfave/cli/v2"

	"licensekit/server/client"
)

var logOutput = &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "-", Usage: "write to `FILE`, - for stdout", EnvVars: []string{"LICENSEKIT_OUTPUT"}}

func (env *Env) log() *cli.Command {
	return &cli.Command{
		Name:  "log",
		Usage: "read the log of exports, or begin it anew",
		Subcommands: []*cli.Command{
			env.logFetch("checkpoint", "print the newest checkpoint, a C2SP signed note", "",
				func(*cli.Context) (string, url.Values, error) { return "/api/v1/log/checkpoint", nil, nil }),
			env.logFetch("prove", "print the proof that an entry is in the log, a C2SP tlog-proof", "INDEX",
				func(c *cli.Context) (string, url.Values, error) {
					index, err := oneArgument(c, "the entry's index, the log_index of an export")
					return "/api/v1/log/proof/" + pathSegment(index), nil, err
				}),
			env.logFetch("consistency", "print the proof that the log continues an older state of itself", "",
				func(c *cli.Context) (string, url.Values, error) {
					query := url.Values{"from": {strconv.FormatInt(c.Int64("from"), 10)}}
					if c.IsSet("to") {
						query.Set("to", strconv.FormatInt(c.Int64("to"), 10))
					}
					return "/api/v1/log/consistency", query, nil
				},
				&cli.Int64Flag{Name: "from", Usage: "the older size, as the reviewer's checkpoint names it", EnvVars: []string{"LICENSEKIT_FROM"}},
				&cli.Int64Flag{Name: "to", Usage: "the newer size (default: the newest)", EnvVars: []string{"LICENSEKIT_TO"}}),
			env.logRestart(),
		},
	}
}

// logFetch is a command that writes what a route of the log answers.
func (env *Env) logFetch(name, does, arguments string, where func(*cli.Context) (string, url.Values, error), more ...cli.Flag) *cli.Command {
	return &cli.Command{
		Name:        name,
		Usage:       does,
		ArgsUsage:   arguments,
		Description: "   licensekit log " + name + " " + map[string]string{"prove": "17", "consistency": "--from 12 -o consistency.txt"}[name] + "\n\nExit codes: 0 done, 1 failed, 2 usage.",
		Flags:       targetFlags(append(more, logOutput)...),
		Action: func(c *cli.Context) error {
			if arguments == "" {
				if err := noArguments(c); err != nil {
					return err
				}
			}
			path, query, err := where(c)
			if err != nil {
				return err
			}
			return env.with(c, false, func(api *client.Client) error {
				resp, err := api.Do(c.Context, client.Request{Method: http.MethodGet, Path: path, Query: query})
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				return env.writeOut(c.String("output"), resp.Body)
			})
		},
	}
}
