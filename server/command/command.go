// Package command is the command line: each command turns flags into one
// request or one call, and its outcome into text and an exit code. A file is a
// command.
//
// stdout is data, stderr everything else. Exit codes:
//
//	0    done
//	1    failed
//	2    usage: the command line is wrong
//	3    verification says no (INVALID, FORK)
//	4    verification can't anchor (UNANCHORED: no pinned key)
//	130  interrupted
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/urfave/cli/v2"
)

// The exit codes; see the package's doc.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInvalid     = 3
	exitUnanchored  = 4
	exitInterrupted = 130
)

// Env is what a command has of the world.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Samples        fs.FS // the sample data of the demo
	Version        string
}

// Run carries out a command line and gives the exit code.
func Run(ctx context.Context, env Env, args []string) int {
	app := env.app()
	arranged, err := arrange(&cli.Command{Flags: app.Flags, Subcommands: app.Commands}, args[1:])
	if err == nil {
		err = app.RunContext(ctx, append(args[:1:1], arranged...))
	}
	if err == nil {
		return 0
	}
	code := exitFailed
	var exit *exitError
	switch {
	case errors.As(err, &exit):
		code = exit.code
	case ctx.Err() != nil:
		code, err = exitInterrupted, errors.New("interrupted")
	}
	if exit == nil || exit.err != nil {
		fmt.Fprintf(env.Stderr, "licensekit: %v\n", err)
		if hint := hintOf(err); hint != "" {
			fmt.Fprintf(env.Stderr, "hint: %s\n", hint)
		}
	}
	return code
}

func (env *Env) app() *cli.App {
	app := &cli.App{
		Name:      "licensekit",
		Usage:     "freeze licensing and usage reports into artifacts that anyone can prove genuine",
		Version:   env.Version,
		Reader:    env.Stdin,
		Writer:    env.Stdout,
		ErrWriter: env.Stderr,
		Description: "Exit codes: 0 done, 1 failed, 2 usage, 3 verification says no,\n" +
			"4 verification can't anchor, 130 interrupted.",
		HideVersion:     true,
		HideHelpCommand: true,
		// Values have commas; in a variable each stands on a line of its own.
		SliceFlagSeparator: "\n",
		ExitErrHandler:     func(*cli.Context, error) {}, // Run decides
		Commands: []*cli.Command{
			env.demo(),
			env.serve(),
			env.token(),
			env.importing(),
			env.report(),
			env.export(),
			env.verify(),
			env.events(),
			env.key(),
			env.log(),
			env.check(),
			env.version(),
		},
	}
	app.Action = env.group("licensekit")
	app.OnUsageError = usageError
	for _, c := range app.Commands {
		env.complete("licensekit", c)
	}
	return app
}

// complete gives every command what all of them share.
func (env *Env) complete(parent string, c *cli.Command) {
	path := parent + " " + c.Name
	c.OnUsageError = usageError
	c.HideHelpCommand = true
	if len(c.Subcommands) > 0 {
		c.Action = env.group(path)
	}
	for _, sub := range c.Subcommands {
		env.complete(path, sub)
	}
}

// group answers where a subcommand is missing or unknown.
func (env *Env) group(path string) cli.ActionFunc {
	return func(c *cli.Context) error {
		problem := "which command?"
		if name := c.Args().First(); name != "" {
			problem = fmt.Sprintf("unknown command %q", name)
		}
		return usage("%s: %s", path, problem).hinted(path + " --help lists the commands")
	}
}

func usageError(_ *cli.Context, err error, _ bool) error {
	return usage("%s", strings.TrimPrefix(err.Error(), "flag provided but not defined: ")).hinted("--help shows the flags")
}

// exitError ends the program with a code. Without err nothing is printed.
type exitError struct {
	code int
	err  error
	hint string
}

// Error is the message of the error inside.
func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

// Unwrap gives the error inside.
func (e *exitError) Unwrap() error { return e.err }

func (e *exitError) hinted(hint string) *exitError {
	e.hint = hint
	return e
}

func usage(format string, args ...any) *exitError {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// failed gives an error a hint.
func failed(err error, hint string) error {
	return &exitError{code: exitFailed, err: err, hint: hint}
}

// quietExit ends with a code after everything was said.
func quietExit(code int) error { return &exitError{code: code} }

// noArguments refuses arguments.
func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return usage("%s takes no arguments, found %q", c.Command.FullName(), c.Args().First()).hinted("--help shows the usage")
	}
	return nil
}

// oneArgument gives the only argument.
func oneArgument(c *cli.Context, what string) (string, error) {
	if c.NArg() != 1 {
		return "", usage("%s takes one argument, %s, found %d", c.Command.FullName(), what, c.NArg()).hinted("--help shows the usage")
	}
	return c.Args().First(), nil
}

// logger writes logs to stderr.
func (env *Env) logger(level slog.Level, asJSON bool) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if asJSON {
		return slog.New(slog.NewJSONHandler(env.Stderr, opts))
	}
	return slog.New(slog.NewTextHandler(env.Stderr, opts))
}
