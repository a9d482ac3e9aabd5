package command

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"licensekit/server/client"
	"licensekit/server/webhook"
)

func (env *Env) webhookReplay() *cli.Command {
	return &cli.Command{
		Name:      "replay",
		Usage:     "send deliveries again, and say what came of each",
		ArgsUsage: "ID [DELIVERY...]",
		Description: "Each is sent once and at once, the oldest first, to a paused endpoint too, with the\n" +
			"delivery id that it had, so that a receiver that has it passes over it. The first that\n" +
			"gets no answer at all is the last that is tried. What is still pending is left to\n" +
			"licensekit serve, which tries it at once.\n\n" +
			"   licensekit webhook deliveries --status failed whe_…\n" +
			"   licensekit webhook replay whe_… whd_…\n" +
			"   licensekit webhook replay --failed --since 7d whe_…\n\n" +
			"Exit codes: 0 all were received or are pending, 1 failed, 2 usage.",
		Flags: targetFlags(
			&cli.BoolFlag{Name: "failed", Usage: "all that were given up, in place of DELIVERY", EnvVars: []string{"LICENSEKIT_FAILED"}},
			&cli.StringFlag{Name: "since", Usage: "with --failed, only those whose last attempt was within this `TIME`, such as 7d or 12h", EnvVars: []string{"LICENSEKIT_SINCE"}},
			allowFlag, jsonFlag,
		),
		Action: func(c *cli.Context) error {
			endpoint, ids, since, err := replayArguments(c, time.Now())
			if err != nil {
				return err
			}
			return env.with(c, false, func(api *client.Client) (err error) {
				path := webhooksPath + "/" + pathSegment(endpoint) + "/deliveries"
				if c.Bool("failed") {
					if ids, err = failedSince(c, api, path, since); err != nil {
						return err
					}
				}
				return env.replayAll(c, api, path, ids)
			})
		},
	}
}

func replayArguments(c *cli.Context, now time.Time) (endpoint string, ids []string, since time.Time, err error) {
	endpoint, ids = c.Args().First(), c.Args().Tail()
	switch {
	case endpoint == "":
		err = usage("%s takes the endpoint's id", called(c)).hinted("licensekit webhook list shows the endpoints")
	case c.Bool("failed") == (len(ids) > 0):
		err = usage("%s takes ids of deliveries, or --failed", called(c)).hinted("licensekit webhook deliveries shows them")
	case c.String("since") != "" && !c.Bool("failed"):
		err = usage("--since goes with --failed").hinted("leave it out, or the deliveries")
	case c.String("since") != "":
		var span time.Duration
		span, err = parseSpan("since", c.String("since"))
		since = now.Add(-span)
	}
	return endpoint, ids, since, err
}

// failedSince gives the deliveries that were given up, oldest first.
func failedSince(c *cli.Context, api *client.Client, path string, since time.Time) (ids []string, err error) {
	err = walkList(c, api, path, url.Values{"status": {string(webhook.Failed)}}, func(page []webhook.Delivery) error {
		for _, d := range page {
			if d.EventSequence > 0 && !d.LastAttemptAt.Before(since) { // tests can't be replayed
				ids = append(ids, d.ID)
			}
		}
		return nil
	})
	slices.Reverse(ids)
	return ids, err
}

func (env *Env) replayAll(c *cli.Context, api *client.Client, path string, ids []string) error {
	lost := 0
	for i, id := range ids {
		var sent webhook.Delivery
		if _, err := api.Call(c.Context, http.MethodPost, path+"/"+pathSegment(id)+"/replay", nil, nil, &sent); err != nil {
			return err
		}
		if err := env.tellReplay(c, sent); err != nil {
			return err
		}
		if sent.Status == webhook.Pending || sent.Error == "" {
			continue
		}
		if lost++; sent.ResponseStatus == 0 && i < len(ids)-1 {
			return failed(fmt.Errorf("there is no answer: %d of %d deliveries were not tried", len(ids)-1-i, len(ids)), replayHint)
		}
	}
	if lost > 0 {
		return failed(fmt.Errorf("%d of %d deliveries were not received", lost, len(ids)), replayHint)
	}
	if len(ids) == 0 && !c.Bool("json") {
		fmt.Fprintln(env.Stderr, "there is nothing to send again")
	}
	return nil
}

const replayHint = "licensekit webhook test shows whether the receiver is there; licensekit webhook update changes the endpoint"

func (env *Env) tellReplay(c *cli.Context, sent webhook.Delivery) (err error) {
	switch {
	case c.Bool("json"):
		return printLines(env, []webhook.Delivery{sent})
	case sent.Status == webhook.Pending:
		_, err = fmt.Fprintf(env.Stderr, "pending: %s is tried at once while licensekit serve runs and the endpoint is active\n", sent.ID)
	case sent.Error == "":
		_, err = fmt.Fprintf(env.Stderr, "received: %s was answered with %d after %d ms\n", sent.ID, sent.ResponseStatus, sent.DurationMS)
	default:
		_, err = fmt.Fprintf(env.Stderr, "not received: %s: %s\n", sent.ID, sent.Error)
	}
	return err
}
