package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"

	"licensekit/exporter"
	"licensekit/server/client"
)

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

// conclude says on stderr what went wrong, and gives the exit code.
func (env *Env) conclude(ctx context.Context, err error, asJSON bool) int {
	if err == nil {
		return 0
	}
	code := exitFailed
	var exit *exitError
	switch {
	case errors.As(err, &exit):
		code = exit.code
	case ctx.Err() != nil:
		code, err = exitInterrupted, errInterrupted
	}
	if exit != nil && exit.err == nil {
		return code
	}
	told := toldError{codeOf(err), err.Error(), hintOf(err), code}
	if asJSON {
		writeJSON(env.Stderr, map[string]toldError{"error": told})
		return code
	}
	for i, line := range strings.Split(told.Message, "\n") { // errors that were joined
		if i == 0 {
			line = "licensekit: " + line
		}
		fmt.Fprintln(env.Stderr, printable(line))
	}
	if told.Hint != "" {
		fmt.Fprintf(env.Stderr, "hint: %s\n", told.Hint)
	}
	return code
}

// toldError is an error as --json shows it.
type toldError struct {
	Code     string `json:"code"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
	ExitCode int    `json:"exit_code"`
}

// wantsJSON tells whether a command line, which may be wrong, asks for JSON.
func wantsJSON(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	wanted, _ := strconv.ParseBool(os.Getenv("LICENSEKIT_JSON"))
	for _, arg := range args {
		name, value, given := strings.Cut(arg, "=")
		if name == "--json" || name == "-json" {
			wanted = !given || value == "true" || value == "1"
		}
	}
	return wanted
}

var errInterrupted = errors.New("interrupted")

// codeOf is the stable code of an error: that of the server's answer or of the
// export that failed, or one of our own.
func codeOf(err error) string {
	var answer *client.Error
	if errors.As(err, &answer) {
		return answer.Code
	}
	if failure, ok := errors.AsType[*failedExport](err); ok {
		return failure.export.Error.Code
	}
	var exit *exitError
	if errors.As(err, &exit) && exit.code == exitUsage {
		return "USAGE"
	}
	for _, known := range errorCodes {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	return "FAILED"
}

// errorCodes are looked through in order.
var errorCodes = []struct {
	err  error
	code string
}{
	{errInterrupted, "INTERRUPTED"},
	{exporter.ErrNoDirectory, "NO_DIRECTORY"},
	{exporter.ErrNewerFormat, "NEWER_FORMAT"},
	{exporter.ErrLocked, "DIRECTORY_IN_USE"},
	{exporter.ErrLostDatabase, "LOST_DATABASE"},
	{exporter.ErrForeign, "FOREIGN_DIRECTORY"},
	{exporter.ErrRolledBack, "ROLLED_BACK"},
	{exporter.ErrNoAnchor, "NO_ANCHOR"},
	{exporter.ErrOutlived, "LOG_OUTLIVED"},
	{exporter.ErrRestarted, "LOG_RESTARTED"},
	{syscall.ENOSPC, "STORAGE_FULL"},
	{syscall.ECONNREFUSED, "SERVER_UNREACHABLE"},
	{syscall.EADDRINUSE, "ADDRESS_IN_USE"},
	{fs.ErrNotExist, "FILE_NOT_FOUND"},
	{fs.ErrExist, "FILE_EXISTS"},
	{fs.ErrPermission, "PERMISSION_DENIED"},
}

// usageError says what is wrong with a command's flags, in other words than the
// library.
func usageError(of *cli.Command) cli.OnUsageErrorFunc {
	path := of.HelpName // the library will change it
	return func(_ *cli.Context, err error, _ bool) error {
		text := err.Error()
		if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
			if hint := misplaced(path, of.Subcommands, name); hint != "" {
				return usage("unknown flag %s", hyphened(name)).hinted(hint)
			}
			return unknownFlag(path, of.Flags, name)
		}
		if strings.HasPrefix(text, "invalid value ") {
			text, _, _ = strings.Cut(text, ": ")
			if value, name, ok := strings.Cut(text, " for flag -"); ok {
				text = value + " for " + hyphened(name)
			}
		}
		text, _, _ = strings.Cut(text, ": strconv.") // which flags of variables have
		return usage("%s", text).hinted(path + " --help shows what it takes")
	}
}

// misplaced is the hint for a flag that is a command, or a flag of commands
// further down; "" for one that is neither.
func misplaced(path string, commands []*cli.Command, name string) string {
	for _, c := range commands {
		if c.Name == name {
			return "did you mean " + path + " " + name + "?"
		}
	}
	for _, c := range commands {
		takes := func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }
		if slices.ContainsFunc(c.Flags, takes) || misplaced(path, c.Subcommands, name) != "" {
			return "flags stand behind the command: " + path + " COMMAND " + hyphened(name)
		}
	}
	return ""
}

func unknownFlag(path string, flags []cli.Flag, name string) error {
	var names []string
	for _, f := range flags {
		names = append(names, f.Names()...)
	}
	hint := path + " --help shows the flags"
	if near := nearest(name, names); near != "" {
		hint = "did you mean " + hyphened(near) + "?"
	}
	return usage("unknown flag %s", hyphened(name)).hinted(hint)
}

// nearest is the name that was likely meant, "" for none.
func nearest(typed string, names []string) string {
	best, near := 0.82, ""
	for _, name := range names {
		if likeness := smetrics.JaroWinkler(typed, name, 0.7, 4); likeness > best {
			best, near = likeness, name
		}
	}
	return near
}

// hintOf is the hint that goes with an error, "" for none.
func hintOf(err error) string {
	var exit *exitError
	if errors.As(err, &exit) && exit.hint != "" {
		return exit.hint
	}
	var answer *client.Error
	if errors.As(err, &answer) {
		return answerHint(answer)
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "is the server running? licensekit serve starts it"
	case errors.Is(err, fs.ErrNotExist):
		return "check the path"
	case strings.Contains(err.Error(), "tls:"), strings.Contains(err.Error(), "HTTP response to HTTPS"):
		return "check whether the server speaks http or https"
	}
	return ""
}

// listings are the commands that show what there is under a path.
var listings = []struct{ path, command string }{
	{exportsPath, "licensekit export list"}, {keysPath, "licensekit token list"}, {webhooksPath, "licensekit webhook list"},
	{schedulesPath, "licensekit schedule list"}, {"/api/v1/log", "licensekit export list"},
}

func answerHint(answer *client.Error) string {
	if answer.Code == "NOT_FOUND" {
		for _, l := range listings {
			if strings.HasPrefix(answer.Path, l.path) {
				return l.command + " shows what there is"
			}
		}
	}
	return answerHints[answer.Code]
}

// answerHints say what to do about an error that a server answered with.
var answerHints = map[string]string{
	"UNAUTHORIZED":         "licensekit token list shows the keys, licensekit token issue makes a new token",
	"TOKEN_SCOPE_DENIED":   "licensekit token issue --scope … makes a token that has it",
	"VALIDATION_ERROR":     "--help shows what the command takes",
	"INVALID_QUERY":        "--help shows what the command takes",
	"EXPORT_NOT_READY":     "licensekit export show ID says how far it is",
	"IDEMPOTENCY_CONFLICT": "use a new key for a new request",
	"NOT_REPLAYABLE":       "licensekit webhook test sends another",
	"NOT_COSIGNED":         "send witnesses what licensekit log consistency writes, and keep what they bring back with licensekit log cosigned",
	"CHECKPOINT_DAMAGED":   "licensekit check names it; a witness's copy of it can be kept again with licensekit log cosigned",
	"LOG_CONTRADICTED":     "keep the file: it shows that the log's key signed another history, or that this one was rolled back; see licensekit log restart --help",
	"LOG_BEHIND":           "bring the newest copy of the data directory; if there is none, stop the server and run licensekit log restart",
	"STORAGE_FULL":         "make room on the disk and try again",
	"INTERNAL":             "the server's log has the details under this request's id",
	"TOO_MANY_REQUESTS":    "wait a little and try again",
}
