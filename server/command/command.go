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
	"io"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/urfave/cli/v2"

	"licensekit/exporter"
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
	License        string // the program's own
}

// Run carries out a command line and gives the exit code.
func Run(ctx context.Context, env Env, args []string) int {
	if exporter.AnswerInspection(args, env.Stdout) {
		return 0
	}
	if len(args) > 1 && args[1] == "--version" {
		args = append([]string{args[0], "version"}, args[2:]...)
	}
	tree := env.tree()
	if len(args) > 1 && args[1] == completeWord {
		return env.conclude(ctx, complete(env.Stdout, tree, args[2:]), false)
	}
	arranged, err := arrange(tree, args[1:])
	if err == nil {
		err = env.app(tree).RunContext(ctx, append(args[:1:1], arranged...))
	}
	var help *helpRequest
	if errors.As(err, &help) {
		err = writeHelp(env.Stdout, help.about)
	}
	return env.conclude(ctx, err, wantsJSON(args[1:]))
}

// tree is all commands. Each names its whole path as its HelpName.
func (env *Env) tree() *cli.Command {
	tree := &cli.Command{
		Name:  "licensekit",
		Usage: "freeze licensing and usage reports into artifacts that anyone can prove genuine",
		Description: "licensekit COMMAND --help tells about a command. stdout is data, stderr everything else.\n" +
			"Flags stand before or behind arguments; -- ends them. Every flag can be given as a variable\n" +
			"of the environment instead, which its help names; a flag that may be repeated takes one\n" +
			"value a line there.\n\n" +
			"With --json, results are JSON on stdout, one value a line: a list is a line for each of its\n" +
			"values, and none if it is empty. On stderr, errors and what takes longer are lines too:\n\n" +
			"   {\"error\":{\"code\",\"message\",\"hint\",\"exit_code\"}}\n" +
			"   {\"progress\":{\"what\",\"done\",\"total\",\"unit\"}}\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage, 3 verification says no,\n" +
			"4 verification can't anchor, 130 interrupted.",
		Subcommands: []*cli.Command{
			env.demo(),
			env.serve(),
			env.token(),
			env.importing(),
			env.report(),
			env.export(),
			env.verify(),
			env.schedule(),
			env.events(),
			env.webhook(),
			env.key(),
			env.log(),
			env.check(), env.backup(), env.restoreBackup(),
			env.completion(),
			env.man(),
			env.licenses(),
			env.version(),
		},
	}
	tree.HelpName = tree.Name
	for _, c := range tree.Subcommands {
		env.share(tree.Name, c)
	}
	return tree
}

// app has the library read the command line. Help is ours: the library's is not
// wrapped.
func (env *Env) app(tree *cli.Command) *cli.App {
	return &cli.App{
		Name:         tree.Name,
		Reader:       env.Stdin,
		Writer:       env.Stdout,
		ErrWriter:    env.Stderr,
		Commands:     tree.Subcommands,
		Action:       env.group(tree),
		OnUsageError: usageError(tree),
		HideHelp:     true,
		HideVersion:  true,
		// Values have commas; in a variable each stands on a line of its own.
		SliceFlagSeparator: "\n",
		ExitErrHandler:     func(*cli.Context, error) {}, // Run decides
	}
}

// share gives every command what all of them share.
func (env *Env) share(parent string, c *cli.Command) {
	c.HelpName = parent + " " + c.Name
	c.OnUsageError = usageError(c)
	c.HideHelp = true
	if len(c.Subcommands) > 0 {
		c.Action = env.group(c)
	}
	for _, sub := range c.Subcommands {
		env.share(c.HelpName, sub)
	}
}

// group answers where a subcommand is missing or unknown.
func (env *Env) group(of *cli.Command) cli.ActionFunc {
	path, names := of.HelpName, []string{}
	for _, sub := range of.Subcommands {
		names = append(names, sub.Name)
	}
	return func(c *cli.Context) error {
		hint := path + " --help lists the commands"
		name := c.Args().First()
		if name == "" {
			return usage("which command?").hinted(hint)
		}
		if near := nearest(name, names); near != "" {
			hint = "did you mean " + path + " " + near + "?"
		}
		return usage("unknown command %q", name).hinted(hint)
	}
}

// called is a command as it was called, without the program's name, of which the
// library adds one more.
func called(c *cli.Context) string {
	name, more := c.Command.HelpName, true
	for more {
		name, more = strings.CutPrefix(name, "licensekit ")
	}
	return name
}

// noArguments refuses arguments.
func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return usage("%s takes no arguments, found %q", called(c), c.Args().First()).hinted("--help shows the usage")
	}
	return nil
}

// oneArgument gives the only argument.
func oneArgument(c *cli.Context, what string) (string, error) {
	if c.NArg() != 1 {
		return "", usage("%s takes one argument, %s, found %d", called(c), what, c.NArg()).hinted("--help shows the usage")
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
