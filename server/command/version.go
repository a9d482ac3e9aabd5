package command

import (
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"
)

func (env *Env) version() *cli.Command {
	return &cli.Command{
		Name:        "version",
		Usage:       "print the version",
		Description: "   licensekit version --json\n\nExit codes: 0 done, 2 usage.",
		Flags:       []cli.Flag{jsonFlag},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			if c.Bool("json") {
				return env.printJSON(map[string]string{
					"version": env.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "license": "AGPL-3.0",
				})
			}
			_, err := fmt.Fprintf(env.Stdout, "licensekit %s, AGPL-3.0, %s %s/%s\n", env.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
