package command

import (
	"fmt"
	"net/http"

	"github.com/urfave/cli/v2"

	"licensekit/server/client"
)

// onOne is what a command does that takes an id and nothing else: noun is what
// the id is of.
func (env *Env) onOne(noun string, act func(c *cli.Context, api *client.Client, id string) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		id, err := oneArgument(c, "the "+noun+"'s id")
		if err != nil {
			return err
		}
		return env.with(c, false, func(api *client.Client) error { return act(c, api, id) })
	}
}

// removal completes a command that ends what has an id at a path. done is what
// it says then, such as "deleted".
func (env *Env) removal(path, noun, done string, command *cli.Command) *cli.Command {
	command.ArgsUsage = "ID"
	command.Flags = targetFlags(jsonFlag)
	command.Action = env.onOne(noun, func(c *cli.Context, api *client.Client, id string) error {
		if _, err := api.Call(c.Context, http.MethodDelete, path+"/"+pathSegment(id), nil, nil, nil); err != nil {
			return err
		}
		if c.Bool("json") {
			return env.printJSON(map[string]string{done: id})
		}
		fmt.Fprintf(env.Stderr, "%s %s\n", done, id)
		return nil
	})
	return command
}
