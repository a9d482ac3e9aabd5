package command

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/urfave/cli/v2"

	"licensekit/server/client"
)

var (
	logOutput    = &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "-", Usage: "write to `FILE`, - for stdout", EnvVars: []string{"LICENSEKIT_OUTPUT"}}
	cosignedFlag = &cli.BoolFlag{Name: "cosigned", Usage: "the newest checkpoint that witnesses signed too", EnvVars: []string{"LICENSEKIT_COSIGNED"}}
	logName      = &cli.StringFlag{Name: "log", Usage: "the `LOG`, by its number or its origin (default: the one that grows)", EnvVars: []string{"LICENSEKIT_LOG"}}
)

func (env *Env) log() *cli.Command {
	return &cli.Command{
		Name:  "log",
		Usage: "read the log of exports, or begin it anew",
		Subcommands: []*cli.Command{
			env.logList(),
			env.logFetch("checkpoint", "print the newest checkpoint, a C2SP signed note", "", "-o checkpoint",
				func(c *cli.Context) (string, url.Values, error) {
					if c.Bool("cosigned") {
						return "cosigned", nil, nil
					}
					return "checkpoint", nil, nil
				}, cosignedFlag),
			env.logFetch("prove", "print the proof that an entry is in the log, a C2SP tlog-proof", "INDEX", "17",
				func(c *cli.Context) (string, url.Values, error) {
					index, err := oneArgument(c, "the entry's index, the log_index of an export")
					if _, no := strconv.ParseUint(index, 10, 63); err == nil && no != nil {
						err = usage("%q is no index of an entry", index).hinted("licensekit export show ID names the log entry of an export")
					}
					query := url.Values{}
					if c.Bool("cosigned") {
						query.Set("checkpoint", "cosigned")
					}
					if c.Bool("entry") {
						query.Set("entry", "true")
					}
					return "proof/" + pathSegment(index), query, err
				}, cosignedFlag,
				&cli.BoolFlag{Name: "entry", Usage: "print the entry itself before the proof", EnvVars: []string{"LICENSEKIT_ENTRY"}}),
			env.logFetch("consistency", "print the proof that the log continues an older state of itself", "", "--from 12 -o consistency.txt",
				func(c *cli.Context) (string, url.Values, error) {
					query := url.Values{"from": {strconv.FormatInt(c.Int64("from"), 10)}}
					if c.IsSet("to") {
						query.Set("to", strconv.FormatInt(c.Int64("to"), 10))
					}
					return "consistency", query, nil
				},
				&cli.Int64Flag{Name: "from", Usage: "the older size, as the reviewer's checkpoint names it", EnvVars: []string{"LICENSEKIT_FROM"}},
				&cli.Int64Flag{Name: "to", Usage: "the newer size (default: the newest)", EnvVars: []string{"LICENSEKIT_TO"}}),
			env.logCosigned(),
			env.logWitness(),
			env.logRestart(),
		},
	}
}

// logFetch is a command that writes what a route of a log answers. where gives
// the route's path behind that of the log.
func (env *Env) logFetch(name, does, arguments, example string, where func(*cli.Context) (string, url.Values, error), more ...cli.Flag) *cli.Command {
	return &cli.Command{
		Name:        name,
		Usage:       does,
		ArgsUsage:   arguments,
		Description: "   licensekit log " + name + " " + example + "\n\nExit codes: 0 done, 1 failed, 2 usage.",
		Flags:       targetFlags(append(more, logName, logOutput)...),
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
				l, err := findLog(c, api)
				if err != nil {
					return err
				}
				resp, err := api.Do(c.Context, client.Request{Method: http.MethodGet, Path: l.URL + "/" + path, Query: query})
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				return env.writeOut(c.String("output"), resp.Body)
			})
		},
	}
}

// logInfo is a log as the API lists it.
type logInfo struct {
	Number      int    `json:"number"`
	Origin      string `json:"origin"`
	Status      string `json:"status"`
	Size        int64  `json:"size"`
	Root        string `json:"root"`
	VerifierKey string `json:"verifier_key"`
	URL         string `json:"url"`
}

func listLogs(c *cli.Context, api *client.Client) (logs []logInfo, err error) {
	_, err = api.Call(c.Context, http.MethodGet, "/api/v1/logs", nil, nil, &logs)
	return logs, err
}

// findLog gives the log that --log names, or the one that grows.
func findLog(c *cli.Context, api *client.Client) (logInfo, error) {
	name := c.String("log")
	if name == "" {
		return logInfo{URL: "/api/v1/log"}, nil
	}
	logs, err := listLogs(c, api)
	if err != nil {
		return logInfo{}, err
	}
	for _, l := range logs {
		if name == l.Origin || name == strconv.Itoa(l.Number) {
			return l, nil
		}
	}
	return logInfo{}, failed(fmt.Errorf("there is no log %q", name), "licensekit log list shows the logs")
}

func (env *Env) logList() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list the logs, the closed ones too",
		Description: "   licensekit log list\n   licensekit log consistency --log 1 --from 12\n\n" +
			"Each log has a number and an origin, the log_origin of its exports; --log of the\nother commands takes either.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage.",
		Flags: targetFlags(jsonFlag),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			return env.with(c, false, func(api *client.Client) error {
				logs, err := listLogs(c, api)
				if err != nil {
					return err
				}
				if c.Bool("json") {
					return printLines(env, logs)
				}
				t := env.table("LOG", "STATE", "ENTRIES", "ORIGIN")
				for _, l := range logs {
					t.row(strconv.Itoa(l.Number), l.Status, strconv.FormatInt(l.Size, 10), l.Origin)
				}
				return t.print()
			})
		},
	}
}
