package command

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/urfave/cli/v2"

	"licensekit/auth"
	"licensekit/exporter"
	"licensekit/exporter/render"
	"licensekit/server"
	"licensekit/server/console"
)

func (env *Env) serve() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "answer the API from a data directory",
		Description: "Makes the data directory if it is not there, and serves until Ctrl-C.\n\n" +
			"   licensekit serve\n" +
			"   licensekit serve --data /var/lib/licensekit --listen 127.0.0.1:9000\n" +
			"   licensekit serve --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem\n" +
			"   licensekit serve --anchor /mnt/other/licensekit.anchor\n\n" +
			"The anchor is a file outside of the data directory that holds the newest state of the\n" +
			"log that was signed. With it, an older copy of the directory is refused instead of\n" +
			"signing a second history. Name it in every command that opens the directory, or once\n" +
			"in LICENSEKIT_ANCHOR.\n\n" +
			"A token's networks are checked against the address that the connection comes from.\n" +
			"Behind a reverse proxy name it with --trusted-proxy, and the address that it saw counts;\n" +
			"no other client's word for its address does.\n\n" +
			"Webhooks are sent to public addresses over https, and to networks that --webhook-allow names.\n\n" +
			"A certificate is read again when its files change, and on SIGHUP. Sockets that systemd\n" +
			"hands over take the place of --listen.\n\n" +
			"/readyz answers 503 with the reasons while the server can't do all of its work: the\n" +
			"database failed, something that is kept was found damaged, the log lacks entries that it\n" +
			"had, less than --min-free is left on the disk, the queue is full, it is shutting down.\n" +
			"With --metrics-listen /metrics is answered there and nowhere else.\n\n" +
			"With --json a line of JSON on stdout says where it answers once it does:\n" +
			"{\"url\",\"metrics_url\",\"data\",\"key_id\",\"version\"}, metrics_url with --metrics-listen.\n\n" +
			"Exit codes: 0 stopped, 1 failed, 2 usage.",
		Flags: []cli.Flag{
			dataFlag, keysFlag, anchorFlag,
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8080", Usage: "the `ADDRESS` to answer on", EnvVars: []string{"LICENSEKIT_LISTEN"}},
			&cli.StringFlag{Name: "metrics-listen", Usage: "answer /metrics on this `ADDRESS` instead, over plain HTTP", EnvVars: []string{"LICENSEKIT_METRICS_LISTEN"}},
			&cli.StringFlag{Name: "tls-cert", Usage: "the certificate's PEM `FILE`", EnvVars: []string{"LICENSEKIT_TLS_CERT"}},
			&cli.StringFlag{Name: "tls-key", Usage: "the certificate's key `FILE`", EnvVars: []string{"LICENSEKIT_TLS_KEY"}},
			&cli.StringSliceFlag{Name: "trusted-proxy", Usage: "believe what proxies of this `NETWORK` say of a client's address; repeat it for more", EnvVars: []string{"LICENSEKIT_TRUSTED_PROXY"}},
			&cli.StringFlag{Name: "forwarded-header", Value: server.XForwardedFor, Usage: "the `HEADER` in which trusted proxies say it, X-Forwarded-For or Forwarded", EnvVars: []string{"LICENSEKIT_FORWARDED_HEADER"}},
			&cli.IntFlag{Name: "token-rate", Value: server.DefaultAccess().TokenRate, Usage: "requests a second that a token may make, 0 for any number", EnvVars: []string{"LICENSEKIT_TOKEN_RATE"}},
			&cli.IntFlag{Name: "login-failures", Value: server.DefaultAccess().LoginFailures, Usage: "failed logins a minute that an address may make, 0 for any number", EnvVars: []string{"LICENSEKIT_LOGIN_FAILURES"}},
			&cli.IntFlag{Name: "max-connections", Value: server.DefaultAccess().Connections, Usage: "connections at a time, a quarter of them from one address; 0 for any number", EnvVars: []string{"LICENSEKIT_MAX_CONNECTIONS"}},
			&cli.StringFlag{Name: "min-free", Value: "256MiB", Usage: "not ready with less than this `SIZE` free on the disk", EnvVars: []string{"LICENSEKIT_MIN_FREE"}},
			&cli.StringFlag{Name: "scrub-rate", Value: "8MiB", Usage: "read back all that is kept, this `SIZE` a second; 0 for never", EnvVars: []string{"LICENSEKIT_SCRUB_RATE"}},
			&cli.DurationFlag{Name: "scrub-every", Value: 24 * time.Hour, Usage: "begin to read it back no more often", EnvVars: []string{"LICENSEKIT_SCRUB_EVERY"}},
			&cli.DurationFlag{Name: "collect-grace", Value: 7 * 24 * time.Hour, Usage: "take unneeded blobs away after so long, and delete them after as long again; longer than any backup takes, 0 for never", EnvVars: []string{"LICENSEKIT_COLLECT_GRACE"}},
			&cli.DurationFlag{Name: "drain", Usage: "told to stop, answer for so long as not ready before", EnvVars: []string{"LICENSEKIT_DRAIN"}},
			&cli.IntFlag{Name: "workers", Value: runtime.NumCPU(), DefaultText: "one per processor", Usage: "exports made at a time", EnvVars: []string{"LICENSEKIT_WORKERS"}},
			&cli.StringFlag{Name: "paper", Value: string(render.A4), Usage: "the `SIZE` of PDF pages, A4 or Letter", EnvVars: []string{"LICENSEKIT_PAPER"}},
			allowFlag,
			&cli.BoolFlag{Name: "log-json", Usage: "log as JSON", EnvVars: []string{"LICENSEKIT_LOG_JSON"}},
			jsonFlag,
		},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			if c.Int("workers") < 1 {
				return usage("--workers must be at least 1").hinted("leave it out for one per processor")
			}
			if paper := render.Paper(c.String("paper")); paper != render.A4 && paper != render.Letter {
				return usage("--paper %q is no size of pages", paper).hinted("it takes A4 or Letter")
			}
			if (c.String("tls-cert") == "") != (c.String("tls-key") == "") {
				return usage("--tls-cert and --tls-key go together").hinted("name both files, or neither")
			}
			access, err := accessOf(c)
			if err != nil {
				return err
			}
			upkeep, err := upkeepOf(c)
			if err != nil {
				return err
			}
			return env.runServer(c, access, upkeep)
		},
	}
}

// accessOf reads the flags that say who is let in.
func accessOf(c *cli.Context) (server.Access, error) {
	a := server.Access{ForwardedHeader: c.String("forwarded-header"), TokenRate: c.Int("token-rate"), LoginFailures: c.Int("login-failures"), Connections: c.Int("max-connections")}
	for _, text := range listed(c, "trusted-proxy") {
		network, err := auth.ParseNetwork(text)
		if err != nil {
			return a, usage("--trusted-proxy %q %v", text, err).hinted("name the proxy's own address, such as 10.0.0.2")
		}
		a.TrustedProxies = append(a.TrustedProxies, network)
	}
	if a.ForwardedHeader != server.XForwardedFor && a.ForwardedHeader != server.Forwarded {
		return a, usage("--forwarded-header %q is not one that is read", a.ForwardedHeader).hinted("it takes X-Forwarded-For or Forwarded")
	}
	if a.TokenRate < 0 || a.LoginFailures < 0 || a.Connections < 0 {
		return a, usage("--token-rate, --login-failures and --max-connections must not be negative").hinted("0 is no limit")
	}
	return a, nil
}

// upkeep is how the server looks after the data directory.
type upkeep struct {
	minFree int64
	scrub   exporter.ScrubOptions
	collect exporter.CollectOptions
}

func upkeepOf(c *cli.Context) (u upkeep, err error) {
	if u.minFree, err = sizeOf(c, "min-free"); err != nil {
		return u, err
	}
	if u.scrub.Rate, err = sizeOf(c, "scrub-rate"); err != nil {
		return u, err
	}
	u.scrub.Every, u.collect.Grace = c.Duration("scrub-every"), c.Duration("collect-grace")
	if u.scrub.Every <= 0 || u.collect.Grace < 0 || c.Duration("drain") < 0 {
		return u, usage("--scrub-every, --collect-grace and --drain must not be negative").hinted("they take a time such as 24h or 30s; --scrub-rate 0 turns the scrub off, --collect-grace 0 the collection")
	}
	return u, nil
}

func (env *Env) runServer(c *cli.Context, access server.Access, upkeep upkeep) error {
	log := env.logger(slog.LevelInfo, c.Bool("log-json"))
	allow, err := allowOf(c)
	if err != nil {
		return err
	}
	s, err := server.Open(server.Options{
		Data: c.String("data"), Create: true, Keys: c.String("keys"), Anchor: c.String("anchor"), Version: env.Version,
		Log: log, Now: time.Now, Workers: c.Int("workers"), Paper: render.Paper(c.String("paper")), Pages: env.pages(log), Access: access,
		MinFree: upkeep.minFree, Scrub: upkeep.scrub, Collect: upkeep.collect, MetricsApart: c.String("metrics-listen") != "", Drain: c.Duration("drain"),
		WebhookAllow: allow,
	})
	if err != nil {
		return directoryHint(err, c.String("data"))
	}
	err = env.listenAndServe(c.Context, s, serveOptions{
		data: c.String("data"), address: c.String("listen"), metrics: c.String("metrics-listen"), cert: c.String("tls-cert"), key: c.String("tls-key"), log: log,
	}, func(at addresses) error { return env.greet(c, s, at) })
	if failure := s.Close(); failure != nil { // also where it was told to stop
		err = errors.Join(err, failed(fmt.Errorf("stop: %w", failure), "what was answered is there; see to the cause before the next start"))
	}
	return err
}

// pages gives a server its console.
func (env *Env) pages(log *slog.Logger) func(server.Local) *http.ServeMux {
	return func(api server.Local) *http.ServeMux {
		return console.New(api, console.Options{Version: env.Version, Now: time.Now, Log: log})
	}
}

// greet says what whoever started the server needs next.
func (env *Env) greet(c *cli.Context, s *server.Server, at addresses) error {
	data, metrics := c.String("data"), ""
	if c.Bool("json") {
		line := map[string]string{"url": at.api, "data": data, "key_id": s.Key().ID(), "version": env.Version}
		if at.metrics != "" {
			line["metrics_url"] = at.metrics
		}
		return env.printJSON(line)
	}
	if at.metrics != "" {
		metrics = "\n  metrics         " + at.metrics
	}
	_, err := fmt.Fprintf(env.Stderr, `licensekit %s
  answers on      %s, the console too%s
  data directory  %s
  export key      %s
  try             T=$(licensekit token issue --data %s --name me --scope report:export --scope report:write)
                  curl -H "Authorization: Bearer $T" -d '{"report_kind":"usage-summary"}' \
                    -H 'Content-Type: application/json' %s/api/v1/reports/exports
  Ctrl-C stops it
`, env.Version, at.api, metrics, data, s.Key().ID(), quoteArg(data), at.api)
	return err
}
