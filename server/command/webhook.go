package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"licensekit/auth"
	"licensekit/exporter/audit"
	"licensekit/server/client"
	"licensekit/server/webhook"
)

const webhooksPath = "/api/v1/webhooks"

// allowFlag is for what opens a data directory: a server that is asked has its
// own.
var allowFlag = &cli.StringSliceFlag{Name: "webhook-allow", Usage: "a `NETWORK` that webhooks may lead to although it is not public, by http too; repeat it for more", EnvVars: []string{"LICENSEKIT_WEBHOOK_ALLOW"}}

// allowOf reads the networks that webhooks may lead to.
func allowOf(c *cli.Context) (networks []netip.Prefix, err error) {
	for _, text := range listed(c, "webhook-allow") {
		network, err := auth.ParseNetwork(text)
		if err != nil {
			return nil, usage("--webhook-allow %q %v", text, err).hinted("name the receiver's own network, such as 10.1.2.0/24")
		}
		networks = append(networks, network)
	}
	return networks, nil
}

func (env *Env) webhook() *cli.Command {
	return &cli.Command{
		Name:  "webhook",
		Usage: "have events sent to a URL as they happen, such as an export that is ready",
		Description: "Each event is a signed POST, sent until the receiver has answered 2xx, in order. A server\n" +
			"sends them: licensekit serve. The API's description has what a receiver must know,\n" +
			"under deliverEvent in openapi.yaml.",
		Subcommands: []*cli.Command{env.webhookCreate(), env.webhookList(), env.webhookShow(), env.webhookUpdate(), env.webhookDelete(), env.webhookDeliveries(), env.webhookReplay(), env.webhookTest()},
	}
}

// webhookFlags say what an endpoint is like.
func webhookFlags(more ...cli.Flag) []cli.Flag {
	return targetFlags(append([]cli.Flag{
		&cli.StringFlag{Name: "name", Usage: "what the endpoint is for", EnvVars: []string{"LICENSEKIT_WEBHOOK_NAME"}},
		&cli.StringFlag{Name: "to", Usage: "the `URL` that events are sent to", EnvVars: []string{"LICENSEKIT_WEBHOOK_TO"}},
		&cli.StringSliceFlag{Name: "event", Usage: "only events of this `TYPE`, such as report_export.ready; repeat it for more", EnvVars: []string{"LICENSEKIT_EVENT"}},
		&cli.StringFlag{Name: "secret-file", Usage: "the `FILE` that holds a secret to sign with, - for stdin, in place of one that is made", EnvVars: []string{"LICENSEKIT_SECRET_FILE"}},
	}, append(more, allowFlag, jsonFlag)...)...)
}

// webhookBody is an endpoint, or a change to one, as the API takes it.
type webhookBody struct {
	Name   *string   `json:"name,omitempty"`
	URL    *string   `json:"url,omitempty"`
	Events *[]string `json:"event_types,omitempty"`
	Secret *string   `json:"secret,omitempty"`
	Rotate bool      `json:"rotate_secret,omitempty"`
	Active *bool     `json:"is_active,omitempty"`
}

// webhookBodyOf reads the flags of [webhookFlags]. A type of events that this
// program knows nothing of is taken, with a warning.
func (env *Env) webhookBodyOf(c *cli.Context) (body webhookBody, err error) {
	if name := c.String("name"); name != "" {
		body.Name = &name
	}
	if to := c.String("to"); to != "" {
		body.URL = &to
	}
	if types := listed(c, "event"); types != nil {
		body.Events = &types
		for _, t := range types {
			if slices.Contains(audit.Types, audit.Type(t)) {
				continue
			}
			known := "there are " + strings.Join(names(audit.Types), ", ")
			if near := nearest(t, names(audit.Types)); near != "" {
				known = "did you mean " + near + "?"
			}
			fmt.Fprintf(env.Stderr, "warning: no event of this version is a %s; %s\n", printable(t), known)
		}
	}
	if file := c.String("secret-file"); file != "" {
		secret, err := env.readSecret(file)
		if err != nil {
			return body, err
		}
		body.Secret = &secret
	}
	return body, nil
}

// readSecret reads a secret from a file or stdin; never from a flag, for those
// show in the list of processes.
func (env *Env) readSecret(file string) (string, error) {
	source, err := env.Stdin, error(nil)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("read secret: %w", err)
		}
		defer f.Close()
		source = f
	}
	text, err := io.ReadAll(io.LimitReader(source, maxToken))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	secret := string(bytes.TrimSpace(text))
	if secret == "" {
		return "", failed(errors.New("the secret's file is empty"), "openssl rand -hex 32 makes one; leave --secret-file out and the server makes one")
	}
	return secret, nil
}

func (env *Env) webhookCreate() *cli.Command {
	return &cli.Command{
		Name:  "create",
		Usage: "have events sent to a URL, and print the secret that signs them, once",
		Description: "The secret alone goes to stdout. Without --event all events are sent.\n\n" +
			"   licensekit webhook create --name archive --to https://hooks.example.com/licensekit \\\n" +
			"     --event report_export.ready --event report_export.failed > archive.secret\n\n" +
			"The URL takes https and a public address, unless its network is one that licensekit serve\n" +
			"--webhook-allow names.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage.",
		Flags: webhookFlags(),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			body, err := env.webhookBodyOf(c)
			if err != nil {
				return err
			}
			if body.Name == nil || body.URL == nil {
				return usage("--name or --to is missing").hinted("say what it is for and where it leads: --name archive --to https://…")
			}
			return env.with(c, true, func(api *client.Client) error {
				var made webhookMade
				if _, err := api.Call(c.Context, http.MethodPost, webhooksPath, nil, body, &made); err != nil {
					return err
				}
				return env.tellSecret(c, "created", made)
			})
		},
	}
}

// webhookMade is an endpoint with its secret.
type webhookMade struct {
	Webhook webhook.Endpoint `json:"webhook"`
	Secret  string           `json:"secret"`
}

func (env *Env) tellSecret(c *cli.Context, what string, made webhookMade) error {
	if c.Bool("json") {
		return env.printJSON(made)
	}
	fmt.Fprintf(env.Stderr, "%s %s (%s), %s\n", what, made.Webhook.ID, made.Webhook.Name, eventsOf(made.Webhook))
	_, err := fmt.Fprintln(env.Stdout, made.Secret)
	return err
}

func eventsOf(e webhook.Endpoint) string {
	if len(e.EventTypes) == 0 {
		return "all events"
	}
	return strings.Join(names(e.EventTypes), ", ")
}

func webhookState(e webhook.Endpoint) string {
	if e.Active {
		return "active"
	}
	return "paused"
}

func (env *Env) webhookList() *cli.Command {
	return &cli.Command{
		Name:        "list",
		Usage:       "list the endpoints, without their secrets",
		Description: "   licensekit webhook list\n\nExit codes: 0 done, 1 failed, 2 usage.",
		Flags:       targetFlags(jsonFlag),
		Action:      endpoints.action(env),
	}
}

var endpoints = list[webhook.Endpoint]{
	path: webhooksPath,
	head: []string{"ID", "NAME", "STATE", "URL", "EVENTS", "SECRET", "LAST DELIVERY"},
	row: func(e webhook.Endpoint) []string {
		return []string{e.ID, e.Name, webhookState(e), e.URL, eventsOf(e), e.SecretPrefix + "…", shortTime(e.LastDeliveryAt)}
	},
}

func (env *Env) webhookShow() *cli.Command {
	return &cli.Command{
		Name:        "show",
		Usage:       "print an endpoint, without its secret",
		ArgsUsage:   "ID",
		Description: "   licensekit webhook show whe_…\n\nExit codes: 0 done, 1 failed, 2 usage.",
		Flags:       targetFlags(jsonFlag),
		Action: env.onOne("endpoint", func(c *cli.Context, api *client.Client, id string) error {
			var e webhook.Endpoint
			if _, err := api.Call(c.Context, http.MethodGet, webhooksPath+"/"+pathSegment(id), nil, nil, &e); err != nil {
				return err
			}
			return env.showWebhook(c, e)
		}),
	}
}

func (env *Env) showWebhook(c *cli.Context, e webhook.Endpoint) error {
	if c.Bool("json") {
		return env.printJSON(e)
	}
	t := env.table("ID", e.ID)
	t.row("name", e.Name)
	t.row("state", webhookState(e))
	t.row("URL", e.URL)
	t.row("events", eventsOf(e))
	t.row("secret", e.SecretPrefix+"…")
	t.row("created", shortTime(e.CreatedAt))
	t.row("changed", shortTime(e.UpdatedAt))
	t.row("last delivery", shortTime(e.LastDeliveryAt))
	return t.print()
}
