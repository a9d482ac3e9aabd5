package command

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/urfave/cli/v2"

	"licensekit/server/client"
)

func (env *Env) webhookUpdate() *cli.Command {
	return &cli.Command{
		Name:      "update",
		Usage:     "change an endpoint, pause it, or make it a new secret",
		ArgsUsage: "ID",
		Description: "What failed is tried again at once. A paused endpoint is told later what it missed.\n\n" +
			"   licensekit webhook update --pause whe_…\n" +
			"   licensekit webhook update --resume --to https://hooks.example.com/new whe_…\n" +
			"   licensekit webhook update --rotate-secret whe_… > archive.secret\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage.",
		Flags: webhookFlags(
			&cli.BoolFlag{Name: "all-events", Usage: "send events of every type", EnvVars: []string{"LICENSEKIT_ALL_EVENTS"}},
			&cli.BoolFlag{Name: "rotate-secret", Usage: "make a new secret and print it, this once", EnvVars: []string{"LICENSEKIT_ROTATE_SECRET"}},
			&cli.BoolFlag{Name: "pause", Usage: "send nothing until it is resumed", EnvVars: []string{"LICENSEKIT_PAUSE"}},
			&cli.BoolFlag{Name: "resume", Usage: "go on with what it missed", EnvVars: []string{"LICENSEKIT_RESUME"}},
		),
		Action: func(c *cli.Context) error {
			id, err := oneArgument(c, "the endpoint's id")
			if err != nil {
				return err
			}
			body, err := env.webhookChangeOf(c)
			if err != nil {
				return err
			}
			return env.with(c, false, func(api *client.Client) error { return env.changeWebhook(c, api, id, body) })
		},
	}
}

func (env *Env) webhookChangeOf(c *cli.Context) (body webhookBody, err error) {
	for _, pair := range [][2]string{{"pause", "resume"}, {"all-events", "event"}, {"rotate-secret", "secret-file"}} {
		if c.IsSet(pair[0]) && c.IsSet(pair[1]) {
			return body, usage("--%s and --%s exclude each other", pair[0], pair[1]).hinted("leave one of them out")
		}
	}
	if body, err = env.webhookBodyOf(c); err != nil {
		return body, err
	}
	if c.Bool("all-events") {
		body.Events = &[]string{}
	}
	body.Rotate = c.Bool("rotate-secret")
	if active := c.Bool("resume"); active || c.Bool("pause") {
		body.Active = &active
	}
	if body == (webhookBody{}) {
		return body, usage("what is to be changed?").hinted("--help shows the flags")
	}
	return body, nil
}

func (env *Env) changeWebhook(c *cli.Context, api *client.Client, id string, body webhookBody) error {
	var answer json.RawMessage
	if _, err := api.Call(c.Context, http.MethodPatch, webhooksPath+"/"+pathSegment(id), nil, body, &answer); err != nil {
		return err
	}
	var changed webhookMade
	if body.Rotate {
		if err := json.Unmarshal(answer, &changed); err != nil {
			return err
		}
		return env.tellSecret(c, "changed", changed)
	}
	if err := json.Unmarshal(answer, &changed.Webhook); err != nil {
		return err
	}
	if c.Bool("json") {
		return env.printJSON(changed.Webhook)
	}
	fmt.Fprintf(env.Stderr, "changed %s (%s), %s, %s\n", changed.Webhook.ID, changed.Webhook.Name, webhookState(changed.Webhook), eventsOf(changed.Webhook))
	return nil
}

func (env *Env) webhookDelete() *cli.Command {
	return env.removal(webhooksPath, "endpoint", "deleted", &cli.Command{
		Name:        "delete",
		Usage:       "delete an endpoint, with its secret and its deliveries",
		Description: "   licensekit webhook delete whe_…\n\nExit codes: 0 done, 1 failed, 2 usage.",
	})
}
