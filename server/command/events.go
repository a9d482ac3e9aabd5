package command

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/urfave/cli/v2"

	"licensekit/exporter/audit"
	"licensekit/server/client"
)

const eventsPath = "/api/v1/events"

func (env *Env) events() *cli.Command {
	return &cli.Command{
		Name:  "events",
		Usage: "show who did what: the audit trail, newest first",
		Description: "   licensekit events --limit 20\n" +
			"   licensekit events --type api_key.revoked\n" +
			"   licensekit events --resource-id rptx_… --json\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage.",
		Flags: targetFlags(
			&cli.StringFlag{Name: "type", Usage: "only events of this `TYPE`, such as report_export.downloaded", EnvVars: []string{"LICENSEKIT_TYPE"}},
			&cli.StringFlag{Name: "resource-type", Usage: "only events about such a resource: api_key, report_export, …", EnvVars: []string{"LICENSEKIT_RESOURCE_TYPE"}},
			&cli.StringFlag{Name: "resource-id", Usage: "only events about the resource with this `ID`", EnvVars: []string{"LICENSEKIT_RESOURCE_ID"}},
			&cli.StringFlag{Name: "actor-type", Usage: "only events by such an actor: api_key, system", EnvVars: []string{"LICENSEKIT_ACTOR_TYPE"}},
			&cli.IntFlag{Name: "limit", Usage: "at most so many (default: all)", EnvVars: []string{"LICENSEKIT_LIMIT"}},
			jsonFlag,
		),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			query := url.Values{}
			for flag, parameter := range map[string]string{"type": "event_type", "resource-type": "resource_type", "resource-id": "resource_id", "actor-type": "actor_type"} {
				if text := c.String(flag); text != "" {
					query.Set(parameter, text)
				}
			}
			return env.with(c, false, func(api *client.Client) error { return env.listEvents(c, api, query) })
		},
	}
}

func (env *Env) listEvents(c *cli.Context, api *client.Client, query url.Values) error {
	if c.Bool("json") {
		return walkList(c, api, eventsPath, query, func(page []audit.Event) error { return printLines(env, page) })
	}
	t := env.table("SEQUENCE", "TIME", "EVENT", "BY", "FROM", "RESOURCE", "METADATA")
	err := walkList(c, api, eventsPath, query, func(page []audit.Event) error {
		for _, e := range page {
			said, err := json.Marshal(e.Metadata)
			if err != nil {
				return err
			}
			t.row(strconv.FormatInt(e.Sequence, 10), shortTime(e.CreatedAt), string(e.Type), e.ActorID, e.IPAddress, e.ResourceType+" "+e.ResourceID, string(said))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.print()
}

// walkList goes through the pages of a list, until it ends or --limit is
// reached.
func walkList[T any](c *cli.Context, api *client.Client, path string, query url.Values, each func([]T) error) error {
	limit := c.Int("limit")
	query.Set("limit", "200")
	for left := limit; ; {
		var page []T
		at, err := api.Call(c.Context, http.MethodGet, path, query, nil, &page)
		if err != nil {
			return err
		}
		if limit > 0 {
			page = page[:min(left, len(page))]
			left -= len(page)
		}
		if err := each(page); err != nil {
			return err
		}
		if at.NextCursor == nil || limit > 0 && left == 0 {
			return nil
		}
		query.Set("cursor", strconv.FormatInt(*at.NextCursor, 10))
	}
}
