package command

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/urfave/cli/v2"

	"licensekit/exporter/evidence"
	"licensekit/exporter/report"
	"licensekit/server/client"
)

func (env *Env) key() *cli.Command {
	return &cli.Command{
		Name:        "key",
		Usage:       "show the public keys, and hand them to reviewers",
		Subcommands: []*cli.Command{env.keyShow(), env.keyExport(), env.keyRotate()},
	}
}

func (env *Env) keyShow() *cli.Command {
	return &cli.Command{
		Name:        "show",
		Usage:       "list the public keys, active and retired",
		Description: "   licensekit key show\n\nExit codes: 0 done, 1 failed, 2 usage.",
		Flags:       targetFlags(jsonFlag),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			return env.with(c, false, func(api *client.Client) error {
				keys, err := publicKeys(c, api)
				if err != nil {
					return err
				}
				if c.Bool("json") {
					return printLines(env, keys)
				}
				t := env.table("PURPOSE", "STATE", "CREATED", "KEY ID")
				for _, k := range keys {
					t.row(string(k.Purpose), string(k.Status), report.FormatTime(int64(k.CreatedAt)), k.KID)
				}
				return t.print()
			})
		},
	}
}

func (env *Env) keyExport() *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "write the public key that reviewers pin, in PEM",
		Description: "   licensekit key export -o export.pub.pem\n   licensekit key export --log -o log.vkey\n\n" +
			"Give it to reviewers on another way than the exports.\n\nExit codes: 0 done, 1 failed, 2 usage.",
		Flags: targetFlags(
			&cli.BoolFlag{Name: "log", Usage: "the verifier key of the log instead", EnvVars: []string{"LICENSEKIT_EXPORT_LOG"}},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "-", Usage: "write to `FILE`, - for stdout", EnvVars: []string{"LICENSEKIT_OUTPUT"}}),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			return env.with(c, false, func(api *client.Client) error {
				keys, err := publicKeys(c, api)
				if err != nil {
					return err
				}
				purpose, text := evidence.ForExport, func(k evidence.PublicKeyRecord) string { return k.PEM }
				if c.Bool("log") {
					purpose, text = evidence.ForLog, func(k evidence.PublicKeyRecord) string { return k.VerifierKey + "\n" }
				}
				for _, k := range keys {
					if k.Purpose == purpose && k.Status == evidence.Active {
						return env.writeOut(c.String("output"), strings.NewReader(text(k)))
					}
				}
				return fmt.Errorf("the server shows no active %s key", purpose)
			})
		},
	}
}

func (env *Env) keyRotate() *cli.Command {
	return &cli.Command{
		Name:  "rotate",
		Usage: "replace the key that signs exports, or that of the log",
		Description: "The log says so, signed by both keys. What the old key signed stays valid; hand\n" +
			"the new public key to reviewers.\n\n" +
			"   licensekit key rotate\n   licensekit key rotate --log > log2.vkey\n\n" +
			"A log is its name and its key: --log closes the log and begins a new one, as\n" +
			"licensekit log restart does, and prints its verifier key. The server must not be running.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage.",
		Flags: targetFlags(&cli.BoolFlag{Name: "log", Usage: "the key of the log", EnvVars: []string{"LICENSEKIT_ROTATE_LOG"}}, jsonFlag),
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			if c.Bool("log") {
				if c.String("url") != "" {
					return usage("--log works on a data directory, not on a --url").hinted("run it where the data directory is")
				}
				return env.restart(c)
			}
			return env.with(c, false, func(api *client.Client) error {
				var keys []evidence.PublicKeyRecord
				if _, err := api.Call(c.Context, http.MethodPost, "/api/v1/system/keys/rotate", nil, nil, &keys); err != nil {
					return err
				}
				if c.Bool("json") {
					return env.printJSON(keys[0])
				}
				_, err := fmt.Fprintf(env.Stdout, "%s signs from now on; licensekit key export hands it out\n", keys[0].KID)
				return err
			})
		},
	}
}

const publicKeysPath = "/api/v1/system/public-keys"

func publicKeys(c *cli.Context, api *client.Client) (keys []evidence.PublicKeyRecord, err error) {
	_, err = api.Call(c.Context, http.MethodGet, publicKeysPath, nil, nil, &keys)
	return keys, err
}

// writeOut writes to a new file, or to stdout for "-".
func (env *Env) writeOut(output string, source io.Reader) error {
	if output == "-" {
		_, err := io.Copy(env.Stdout, source)
		return err
	}
	n, err := saveFile(output, source)
	if err == nil {
		fmt.Fprintf(env.Stderr, "wrote %s, %d bytes\n", output, n)
	}
	return err
}
