package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"licensekit/exporter"
	"licensekit/exporter/metadb"
	"licensekit/server"
	"licensekit/server/client"
)

// The flags that name what a command works on.
var (
	dataFlag   = &cli.StringFlag{Name: "data", Value: "./data", Usage: "the data `DIR`ectory", EnvVars: []string{"LICENSEKIT_DATA"}}
	keysFlag   = &cli.StringFlag{Name: "keys", Usage: "the signing keys' `DIR`ectory (default: keys/ in the data directory)", EnvVars: []string{"LICENSEKIT_KEYS"}}
	anchorFlag = &cli.StringFlag{Name: "anchor", Usage: "the `FILE`, on another disk, that tells an older copy of the data directory, see licensekit serve --help", EnvVars: []string{"LICENSEKIT_ANCHOR"}}
	urlFlag    = &cli.StringFlag{Name: "url", Usage: "work on the server at this `URL` instead of a data directory", EnvVars: []string{"LICENSEKIT_URL"}}
	fileFlag   = &cli.StringFlag{Name: "token-file", Usage: "the `FILE` that holds the token for --url, - for stdin (or LICENSEKIT_TOKEN holds the token)", EnvVars: []string{"LICENSEKIT_TOKEN_FILE"}}
	jsonFlag   = &cli.BoolFlag{Name: "json", Usage: "print JSON, one value per line", EnvVars: []string{"LICENSEKIT_JSON"}}
)

// targetFlags are for commands that work on a server or a data directory.
func targetFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{dataFlag, keysFlag, anchorFlag, urlFlag, fileFlag}, more...)
}

// connect gives a client of what the flags name: the server at --url, the
// server that holds the data directory, or the data directory itself. done
// lets go of it. Commands that only read give create as false.
func (env *Env) connect(c *cli.Context, create bool) (api *client.Client, done func() error, err error) {
	if c.String("url") != "" {
		return env.dialURL(c)
	}
	data := c.String("data")
	for deadline := time.Now().Add(3 * time.Second); ; {
		if api := dialOwner(c.Context, data); api != nil {
			return api, func() error { api.Close(); return nil }, nil
		}
		api, done, err := env.openOwned(c, create)
		if !errors.Is(err, exporter.ErrLocked) || time.Now().After(deadline) {
			return api, done, directoryHint(err, data)
		}
		// A server that is just starting has the lock but not yet the socket.
	}
}

func (env *Env) dialURL(c *cli.Context) (*client.Client, func() error, error) {
	token, err := env.readToken(c.String("token-file"))
	if err != nil {
		return nil, nil, err
	}
	api, err := client.New(c.String("url"), token)
	if err != nil {
		return nil, nil, usage("%v", err).hinted("give --url as http://HOST:PORT")
	}
	return api, func() error { api.Close(); return nil }, nil
}

// maxToken bounds what is read of a token file, in bytes.
const maxToken = 4096

// readToken reads the token from a file, from stdin or from the environment;
// never from a flag, for those show in the list of processes.
func (env *Env) readToken(file string) (string, error) {
	const hint = "licensekit token issue --name NAME --scope SCOPE makes one; hand it over by --token-file or LICENSEKIT_TOKEN"
	var text []byte
	var err error
	switch file {
	case "":
		text = []byte(os.Getenv("LICENSEKIT_TOKEN"))
	case "-":
		text, err = io.ReadAll(io.LimitReader(env.Stdin, maxToken))
	default:
		if text, err = os.ReadFile(file); len(text) > maxToken {
			err = fmt.Errorf("%s is no token: it is %d bytes long", file, len(text))
		}
	}
	if err != nil {
		return "", failed(fmt.Errorf("read token: %w", err), hint)
	}
	token := string(bytes.TrimSpace(text))
	if token == "" {
		return "", failed(errors.New("a server takes a token, and there is none"), hint)
	}
	return token, nil
}

// dialOwner gives a client of the server that holds the data directory, nil
// where none answers.
func dialOwner(ctx context.Context, data string) *client.Client {
	dial := func(ctx context.Context) (net.Conn, error) { return server.DialOwner(ctx, data) }
	conn, err := dial(ctx)
	if err != nil {
		return nil
	}
	conn.Close()
	return client.Owned(dial)
}

// openOwned opens the data directory in this process and serves it to itself.
func (env *Env) openOwned(c *cli.Context, create bool) (*client.Client, func() error, error) {
	allow, err := allowOf(c)
	if err != nil {
		return nil, nil, err
	}
	s, err := server.Open(server.Options{
		Data: c.String("data"), Create: create, Keys: c.String("keys"), Anchor: c.String("anchor"), Version: env.Version,
		Log: env.logger(slog.LevelWarn, c.Bool("json")), Now: time.Now, Workers: 1, WebhookAllow: allow,
	})
	if err != nil {
		return nil, nil, err
	}
	listener, dial := server.InProcess()
	ctx, stop := context.WithCancel(context.WithoutCancel(c.Context))
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listener) }()
	api := client.Owned(dial)
	return api, func() error {
		api.Close()
		stop()
		return errors.Join(<-served, s.Close())
	}, nil
}

// directoryHint says what to do about a data directory that does not open.
func directoryHint(err error, data string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exporter.ErrNoDirectory):
		return failed(err, "licensekit serve or licensekit import makes one; --data names another")
	case errors.Is(err, exporter.ErrNewerFormat):
		return failed(err, "use the version of licensekit that wrote it, or a later one")
	case errors.Is(err, exporter.ErrLocked):
		if api := dialOwner(context.Background(), data); api != nil {
			api.Close()
			return failed(err, "a server runs on "+data+": end it first, or name another directory with --data")
		}
		return failed(err, "a process holds "+data+" and does not answer on its socket; end it, or wait for it")
	case errors.Is(err, exporter.ErrLostDatabase), errors.Is(err, metadb.ErrDamaged):
		return failed(err, "restore "+data+" from a backup; without one, licensekit check --repair rebuilds the exports from the log")
	case errors.Is(err, exporter.ErrForeign):
		return failed(err, "name an empty or a new directory with --data")
	case errors.Is(err, exporter.ErrRolledBack):
		return failed(err, "restore the newest copy of "+data+"; if there is none, licensekit log restart --anchor FILE begins a new log that says so")
	case errors.Is(err, exporter.ErrOutlived):
		return failed(err, "copy the original again, while no licensekit log restart runs")
	case errors.Is(err, exporter.ErrNoAnchor):
		return failed(err, "mount the disk that it is on; to begin a new one, make it an empty file with touch")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return failed(err, "the data directory and all in it must be writable for the user that runs licensekit")
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return failed(err, "make room on the disk of "+data+" and try again: all that was answered is there")
	case exporter.IsOutage(err), errors.Is(err, syscall.EIO):
		return failed(err, "see to the disk of "+data+" and try again: all that was answered is there")
	}
	return err
}

// with runs a command's work on a client.
func (env *Env) with(c *cli.Context, create bool, work func(*client.Client) error) error {
	api, done, err := env.connect(c, create)
	if err != nil {
		return err
	}
	return errors.Join(work(api), done())
}
