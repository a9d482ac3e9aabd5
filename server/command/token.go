package command

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"licensekit/auth"
	"licensekit/server/client"
)

const keysPath = "/api/v1/api-keys"

func (env *Env) token() *cli.Command {
	return &cli.Command{
		Name:        "token",
		Usage:       "issue, list and revoke the API's tokens",
		Subcommands: []*cli.Command{env.tokenIssue(), env.tokenList(), env.tokenRevoke()},
	}
}

func (env *Env) tokenIssue() *cli.Command {
	return &cli.Command{
		Name:  "issue",
		Usage: "make a token and print it, this once",
		Description: "The token alone goes to stdout.\n\n" +
			"   licensekit token issue --name reports --scope report:export --expires 90d\n" +
			"   licensekit token issue --name meter --scope report:write --cidr 10.1.0.0/16 > meter.token\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage.",
		Flags: targetFlags(
			&cli.StringFlag{Name: "name", Usage: "what the token is for", EnvVars: []string{"LICENSEKIT_NAME"}},
			&cli.StringSliceFlag{Name: "scope", Usage: "a `SCOPE` it has; repeat it for more: " + scopeNames(), EnvVars: []string{"LICENSEKIT_SCOPE"}},
			&cli.StringFlag{Name: "expires", Usage: "how long it works: `TIME` such as 90d, 12h", EnvVars: []string{"LICENSEKIT_EXPIRES"}},
			&cli.StringSliceFlag{Name: "cidr", Usage: "a `NETWORK` it works from; repeat it for more", EnvVars: []string{"LICENSEKIT_CIDR"}},
			jsonFlag,
		),
		Action: func(c *cli.Context) error {
			spec, err := tokenSpec(c, time.Now())
			if err != nil {
				return err
			}
			return env.with(c, true, func(api *client.Client) error {
				var made struct {
					Key   auth.Key `json:"api_key"`
					Token string   `json:"token"`
				}
				if _, err := api.Call(c.Context, http.MethodPost, keysPath, nil, spec, &made); err != nil {
					return err
				}
				if c.Bool("json") {
					return env.printJSON(made)
				}
				fmt.Fprintf(env.Stderr, "issued %s (%s), scopes %s\n", made.Key.ID, made.Key.Name, joinScopes(made.Key.Scopes))
				_, err := fmt.Fprintln(env.Stdout, made.Token)
				return err
			})
		},
	}
}

func tokenSpec(c *cli.Context, now time.Time) (auth.Spec, error) {
	if err := noArguments(c); err != nil {
		return auth.Spec{}, err
	}
	spec := auth.Spec{Name: c.String("name"), AllowedCIDRs: listed(c, "cidr")}
	if spec.Name == "" {
		return spec, usage("--name is missing").hinted("say what the token is for: --name reports")
	}
	for _, scope := range listed(c, "scope") {
		spec.Scopes = append(spec.Scopes, auth.Scope(scope))
	}
	if spec.Scopes == nil {
		return spec, usage("--scope is missing").hinted("scopes are " + scopeNames())
	}
	if text := c.String("expires"); text != "" {
		lasts, err := parseSpan("expires", text)
		if err != nil {
			return spec, err
		}
		expires := now.Add(lasts)
		spec.ExpiresAt = &expires
	}
	return spec, nil
}

// parseSpan reads the value of a flag: days (90d) or a duration of Go (12h, 30m).
func parseSpan(flag, text string) (time.Duration, error) {
	const day = 24 * time.Hour
	if digits, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.ParseUint(digits, 10, 16); err == nil && days > 0 {
			return time.Duration(days) * day, nil
		}
	} else if lasts, err := time.ParseDuration(text); err == nil && lasts > 0 {
		return lasts, nil
	}
	return 0, usage("--%s %q is not a time span", flag, text).hinted("write 90d, 12h or 30m")
}

func (env *Env) tokenList() *cli.Command {
	return &cli.Command{
		Name:        "list",
		Usage:       "list the API keys, without their tokens",
		Description: "   licensekit token list\n\nExit codes: 0 done, 1 failed, 2 usage.",
		Flags:       targetFlags(jsonFlag),
		Action:      tokens.action(env),
	}
}

var tokens = list[auth.Key]{
	path: keysPath,
	head: []string{"ID", "NAME", "PREFIX", "STATE", "SCOPES", "NETWORKS", "EXPIRES", "LAST USED"},
	row: func(k auth.Key) []string {
		return []string{k.ID, k.Name, k.Prefix, keyState(k), joinScopes(k.Scopes), joinNetworks(k), shortTime(k.ExpiresAt), shortTime(k.LastUsedAt)}
	},
}

func keyState(k auth.Key) string {
	switch {
	case !k.Active:
		return "revoked"
	case !k.ExpiresAt.IsZero() && time.Now().After(k.ExpiresAt):
		return "expired"
	}
	return "active"
}

func (env *Env) tokenRevoke() *cli.Command {
	return env.removal(keysPath, "key", "revoked", &cli.Command{
		Name:        "revoke",
		Usage:       "end a token at once and for good",
		Description: "   licensekit token revoke key_…\n\nExit codes: 0 done, 1 failed, 2 usage.",
	})
}

func scopeNames() string { return joinScopes(auth.Scopes()) }

func joinScopes(scopes []auth.Scope) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

func joinNetworks(k auth.Key) string {
	names := make([]string, len(k.AllowedCIDRs))
	for i, n := range k.AllowedCIDRs {
		names[i] = n.String()
	}
	return strings.Join(names, ", ")
}
