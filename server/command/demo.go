package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/urfave/cli/v2"

	"licensekit/auth"
	"licensekit/exporter"
	"licensekit/exporter/evidence"
	"licensekit/exporter/ledger/intake"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
	"licensekit/server"
	"licensekit/server/client"
)

func (env *Env) demo() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "show all of it at work: load sample data, freeze, download, verify, serve",
		Description: "Makes a data directory with sample data, freezes every report in every format over\n" +
			"the HTTP API, verifies each offline, and serves until Ctrl-C. It may run again.\n\n" +
			"   licensekit demo\n" +
			"   licensekit demo --data /tmp/try --once\n\n" +
			"Exit codes: 0 stopped, 1 failed or something did not verify, 2 usage.",
		Flags: []cli.Flag{
			dataFlag,
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8080", Usage: "the `ADDRESS` to answer on; another port if it is taken", EnvVars: []string{"LICENSEKIT_DEMO_LISTEN"}},
			&cli.Int64Flag{Name: "activities", Usage: "load `N` generated activities too: realistic, and the same ones every time", EnvVars: []string{"LICENSEKIT_ACTIVITIES"}},
			&cli.BoolFlag{Name: "ordered-ids", Usage: "generated event ids sort by time, instead of random UUIDs", EnvVars: []string{"LICENSEKIT_ORDERED_IDS"}},
			&cli.StringFlag{Name: "generate", Usage: "only write the generated activities to `FILE` as CSV, - for stdout", EnvVars: []string{"LICENSEKIT_GENERATE"}},
			&cli.BoolFlag{Name: "once", Usage: "end after the table instead of serving on", EnvVars: []string{"LICENSEKIT_ONCE"}},
			jsonFlag,
		},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			if c.Int64("activities") < 0 {
				return usage("--activities must not be negative").hinted("--activities 1000000 makes a million")
			}
			if file := c.String("generate"); file != "" && c.Bool("json") {
				return usage("--generate writes CSV, not JSON").hinted("leave --json out")
			} else if file != "" {
				return env.generate(c, file)
			}
			return env.runDemo(c)
		},
	}
}

// generate writes generated activities to a file.
func (env *Env) generate(c *cli.Context, file string) error {
	reader, writer := io.Pipe()
	go func() {
		writer.CloseWithError(newGenerator(c.Int64("activities"), !c.Bool("ordered-ids")).write(c.Context, writer))
	}()
	defer reader.Close()
	return env.writeOut(file, reader)
}

func (env *Env) runDemo(c *cli.Context) error {
	data := c.String("data")
	log := env.logger(slog.LevelWarn, c.Bool("json"))
	s, err := server.Open(server.Options{
		Data: data, Create: true, Version: env.Version, Now: time.Now, Workers: runtime.NumCPU(), Log: log, Pages: env.pages(log),
		Access: server.DefaultAccess(),
	})
	if err != nil {
		return directoryHint(err, data)
	}
	ctx, stop := context.WithCancel(c.Context)
	defer stop()
	address := freeAddress(c.String("listen"))
	running, shown := false, make(chan error, 1)
	err = env.listenAndServe(ctx, s, serveOptions{data: data, address: address, log: log}, func(at addresses) error {
		base := at.api
		running = true
		go func() {
			d := &demonstration{
				env: env, data: data, base: base, json: c.Bool("json"),
				generated: newGenerator(c.Int64("activities"), !c.Bool("ordered-ids")),
			}
			err := d.run(ctx)
			if err != nil || c.Bool("once") {
				stop()
			}
			shown <- err
		}()
		return nil
	})
	stop()
	if running { // it did listen
		err = errors.Join(<-shown, err)
	}
	return errors.Join(err, s.Close())
}

// freeAddress is the address, or one with another port if it is taken.
func freeAddress(address string) string {
	l, err := net.Listen("tcp", address)
	if err == nil {
		l.Close()
		return address
	}
	host, _, _ := net.SplitHostPort(address)
	return net.JoinHostPort(host, "0")
}

// demonstration is a run of the demo against its server.
type demonstration struct {
	env        *Env
	data, base string
	json       bool // a line of JSON for each file that was loaded, each export, and at last the server
	generated  *generator
	owner, api *client.Client
	bundles    string // the directory of bundles
	trustDir   string // what a reviewer pins
	trust      evidence.Trust
	tokenFile  string
}

// demoKey is the name of the demo's API key, by which a data directory of the
// demo is known again.
const demoKey = "licensekit demo"

func (d *demonstration) run(ctx context.Context) error {
	if d.owner = dialOwner(ctx, d.data); d.owner == nil {
		return errors.New("the server does not answer on its socket")
	}
	defer d.owner.Close()
	for _, step := range []func(context.Context) error{d.claim, d.signIn, d.load, d.freezeAll} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if d.json {
		return d.env.printJSON(map[string]string{"url": d.base, "token_file": d.tokenFile, "trust": d.trustDir, "bundles": d.bundles})
	}
	d.tellCommands()
	return nil
}

// claim makes sure that the directory is the demo's own, and makes its places.
func (d *demonstration) claim(ctx context.Context) error {
	var keys []auth.Key
	if _, err := d.owner.Call(ctx, http.MethodGet, keysPath, nil, nil, &keys); err != nil {
		return err
	}
	known := false
	for _, k := range keys {
		if known = known || k.Name == demoKey; k.Name == demoKey && k.Active {
			if _, err := d.owner.Call(ctx, http.MethodDelete, keysPath+"/"+k.ID, nil, nil, nil); err != nil {
				return err
			}
		}
	}
	if !known && len(keys) > 0 {
		return failed(fmt.Errorf("%s is in use and not the demo's", d.data), "name another directory with --data")
	}
	dir := filepath.Join(d.data, "demo")
	d.bundles, d.trustDir, d.tokenFile = filepath.Join(dir, "bundles"), filepath.Join(dir, "trust"), filepath.Join(dir, "token")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(d.bundles, 0o700), os.MkdirAll(d.trustDir, 0o700))
}

// signIn issues the demo's token and keeps it, and the public keys, in files.
func (d *demonstration) signIn(ctx context.Context) error {
	var made struct {
		Token string `json:"token"`
	}
	spec := auth.Spec{Name: demoKey, Scopes: []auth.Scope{auth.ReportExport, auth.ReportRead, auth.ReportWrite}}
	if _, err := d.owner.Call(ctx, http.MethodPost, keysPath, nil, spec, &made); err != nil {
		return err
	}
	var err error
	if d.api, err = client.New(d.base, made.Token); err != nil {
		return err
	}
	if err = os.WriteFile(d.tokenFile, []byte(made.Token+"\n"), 0o600); err != nil {
		return err
	}
	return d.pin(ctx)
}

// pin lays out what a reviewer would have been given on another way.
func (d *demonstration) pin(ctx context.Context) error {
	var keys []evidence.PublicKeyRecord
	if _, err := d.owner.Call(ctx, http.MethodGet, publicKeysPath, nil, nil, &keys); err != nil {
		return err
	}
	for _, k := range keys {
		name, text := "export-"+k.KID[:8]+".pem", k.PEM
		if k.Purpose == evidence.ForLog {
			name, text = "log.vkey", k.VerifierKey+"\n"
		}
		if err := os.WriteFile(filepath.Join(d.trustDir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	store, err := evidence.OpenTrust(d.trustDir)
	if err == nil {
		d.trust = store.Trust()
	}
	return err
}

// samples are the files of sample data, in the order of their links.
var samples = []string{"products", "customers", "subscriptions", "orders", "licenses", intake.Activities}

// load sends the sample data through the ingestion API.
func (d *demonstration) load(ctx context.Context) error {
	d.say("loading sample data into %s\n", d.data)
	for _, object := range samples {
		f, err := d.env.Samples.Open(object + ".csv")
		if err != nil {
			return err
		}
		err = d.loadFrom(ctx, object, object, f)
		f.Close()
		if err != nil {
			return err
		}
	}
	if d.generated.rows == 0 {
		return nil
	}
	reader, writer := io.Pipe()
	defer reader.Close()
	go func() { writer.CloseWithError(d.generated.write(ctx, writer)) }()
	return d.loadFrom(ctx, "generated", intake.Activities, reader)
}

func (d *demonstration) loadFrom(ctx context.Context, name, object string, rows io.Reader) error {
	result, err := d.send(ctx, object, rows)
	if err != nil {
		return fmt.Errorf("load %s: %w", name, err)
	}
	d.say("  %-14s %5d accepted, %5d known already\n", name, result.Accepted, result.Duplicates)
	if d.json {
		err = d.env.printJSON(struct {
			File string `json:"file"`
			intake.Result
		}{name, result})
	}
	if result.Rejected+result.Conflicts > 0 {
		return fmt.Errorf("load %s: %v", name, result.Errors)
	}
	return err
}

func (d *demonstration) send(ctx context.Context, object string, rows io.Reader) (result intake.Result, err error) {
	path := "/api/v1/records/" + object
	if object == intake.Activities {
		path = "/api/v1/activities"
	}
	resp, err := d.api.Do(ctx, client.Request{
		Method: http.MethodPost, Path: path, Header: http.Header{"Content-Type": {"text/csv"}}, Body: rows,
	})
	if err != nil {
		return result, err
	}
	defer resp.Body.Close()
	_, err = client.Decode(resp.Body, &result)
	return result, err
}

// say tells people what goes on.
func (d *demonstration) say(format string, args ...any) {
	if !d.json {
		fmt.Fprintf(d.env.Stdout, format, args...)
	}
}

// frozen is an export as the demo shows it with --json.
type frozen struct {
	Export  exporter.Export  `json:"export"`
	Verdict evidence.Verdict `json:"verdict"`
}

// freezeAll freezes every kind in every format and verifies each.
func (d *demonstration) freezeAll(ctx context.Context) error {
	d.say("freezing over %s, verifying offline\n\n", d.base)
	t := d.env.table("KIND", "FORMAT", "ID", "ROWS", "BYTES", "DIGEST", "VERDICT")
	bad := 0
	for _, kind := range report.KindNames() {
		for _, format := range render.Names() {
			export, verdict, err := d.freezeOne(ctx, kind, format)
			if err != nil {
				return fmt.Errorf("freeze %s as %s: %w", kind, format, err)
			}
			if verdict != evidence.Verified {
				bad++
			}
			if d.json {
				if err := d.env.printJSON(frozen{export, verdict}); err != nil {
					return err
				}
				continue
			}
			t.row(kind, format, string(export.ID), number(export.RowCount), number(export.SizeBytes), export.Digest.String()[:19]+"…", string(verdict))
		}
	}
	if !d.json {
		if err := t.print(); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d exports did not verify", bad)
	}
	return nil
}

func (d *demonstration) freezeOne(ctx context.Context, kind, format string) (exporter.Export, evidence.Verdict, error) {
	export, err := createExport(ctx, d.api, exportBody{Kind: kind, Format: format}, "")
	for err == nil && !export.Status.Final() {
		time.Sleep(50 * time.Millisecond)
		_, err = d.api.Call(ctx, http.MethodGet, exportsPath+"/"+string(export.ID), nil, nil, &export)
	}
	if err != nil {
		return export, "", err
	}
	if export.Status == exporter.Failed {
		return export, "", fmt.Errorf("%s (%s)", export.Error.Message, export.Error.Code)
	}
	path := filepath.Join(d.bundles, string(export.ID)+bundleSuffix)
	if err := d.download(ctx, exportsPath+"/"+string(export.ID)+"/bundle", path); err != nil {
		return export, "", err
	}
	result, err := verifyFile(ctx, path, d.trust)
	if err != nil {
		return export, "", err
	}
	return export, result.Verdict, nil
}

func (d *demonstration) download(ctx context.Context, path, file string) error {
	resp, err := d.api.Do(ctx, client.Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = saveFile(file, resp.Body)
	return err
}

func (d *demonstration) tellCommands() {
	api := "--url " + d.base + " --token-file " + quoteArg(d.tokenFile)
	fmt.Fprintf(d.env.Stdout, `
by hand, in another terminal:
  licensekit export create --kind usage-ledger --format csv %s
  licensekit export list %s
  licensekit verify --trust %s %s
  curl -H "Authorization: Bearer $(cat %s)" %s%s
in a browser: %s, signed in with the token in %s

serving on %s, Ctrl-C stops it
`, api, api, quoteArg(d.trustDir), quoteArg(d.bundles), quoteArg(d.tokenFile), d.base, exportsPath, d.base, quoteArg(d.tokenFile), d.base)
}
