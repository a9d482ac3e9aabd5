package command

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/urfave/cli/v2"

	"licensekit/server/client"
	"licensekit/server/webhook"
)

func (env *Env) webhookDeliveries() *cli.Command {
	return &cli.Command{
		Name:        "deliveries",
		Usage:       "list what was sent to an endpoint, newest first",
		ArgsUsage:   "ID",
		Description: "The last 500 are kept.\n\n   licensekit webhook deliveries --status failed whe_…\n\nExit codes: 0 done, 1 failed, 2 usage.",
		Flags: targetFlags(
			&cli.StringFlag{Name: "status", Usage: "only pending, delivered or failed ones", EnvVars: []string{"LICENSEKIT_DELIVERIES_STATUS"}},
			&cli.IntFlag{Name: "limit", Usage: "at most so many (default: all)", EnvVars: []string{"LICENSEKIT_LIMIT"}},
			jsonFlag,
		),
		Action: env.onOne("endpoint", func(c *cli.Context, api *client.Client, id string) error {
			return list[webhook.Delivery]{
				path:   webhooksPath + "/" + pathSegment(id) + "/deliveries",
				narrow: map[string]string{"status": "status"},
				head:   []string{"ID", "EVENT", "TYPE", "STATUS", "ATTEMPTS", "LAST ATTEMPT", "ANSWER", "NEXT ATTEMPT", "ERROR"},
				row:    deliveryRow,
			}.print(env, c, api)
		}),
	}
}

func deliveryRow(d webhook.Delivery) []string {
	answer := ""
	if d.ResponseStatus != 0 {
		answer = strconv.Itoa(d.ResponseStatus)
	}
	return []string{
		d.ID, strconv.FormatInt(d.EventSequence, 10), string(d.EventType), string(d.Status), strconv.Itoa(d.Attempts),
		shortTime(d.LastAttemptAt), answer, shortTime(d.NextAttemptAt), d.Error,
	}
}

func (env *Env) webhookTest() *cli.Command {
	return &cli.Command{
		Name:      "test",
		Usage:     "send an event that is none to an endpoint, and say what came of it",
		ArgsUsage: "ID",
		Description: "It is of type webhook.test, is sent once and at once, and to a paused endpoint too.\n\n" +
			"   licensekit webhook test whe_…\n\nExit codes: 0 received, 1 failed, 2 usage.",
		Flags: targetFlags(allowFlag, jsonFlag),
		Action: env.onOne("endpoint", func(c *cli.Context, api *client.Client, id string) error {
			var sent webhook.Delivery
			if _, err := api.Call(c.Context, http.MethodPost, webhooksPath+"/"+pathSegment(id)+"/test", nil, nil, &sent); err != nil {
				return err
			}
			return env.tellTest(c, sent)
		}),
	}
}

func (env *Env) tellTest(c *cli.Context, sent webhook.Delivery) error {
	if c.Bool("json") {
		if err := env.printJSON(sent); err != nil {
			return err
		}
	} else if sent.Status == webhook.Delivered {
		fmt.Fprintf(env.Stderr, "received: %s was answered with %d after %d ms\n", sent.ID, sent.ResponseStatus, sent.DurationMS)
	}
	if sent.Status == webhook.Delivered {
		return nil
	}
	if c.Bool("json") {
		return quietExit(exitFailed)
	}
	return failed(fmt.Errorf("the test was not received: %s", sent.Error), "licensekit webhook update changes the endpoint; licensekit serve --webhook-allow names networks that are not public")
}
