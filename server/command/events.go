package command

import (
	"encoding/json"
	"strconv"

	"github.com/urfave/cli/v2"

	"licensekit/exporter/audit"
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
		Action: trail.action(env),
	}
}

var trail = list[audit.Event]{
	path:   eventsPath,
	narrow: map[string]string{"type": "event_type", "resource-type": "resource_type", "resource-id": "resource_id", "actor-type": "actor_type"},
	head:   []string{"SEQUENCE", "TIME", "EVENT", "BY", "FROM", "RESOURCE", "METADATA"},
	row: func(e audit.Event) []string {
		said, _ := json.Marshal(e.Metadata) // it came as JSON
		return []string{strconv.FormatInt(e.Sequence, 10), shortTime(e.CreatedAt), string(e.Type), e.ActorID, e.IPAddress, e.ResourceType + " " + e.ResourceID, string(said)}
	},
}
