package command

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange puts a command's flags before its arguments, for the library takes
// what stands behind an argument for another argument, silently: a verification
// would run without its key. Flags may stand anywhere behind their command;
// "--" ends them, "-" is an argument. What a flag that takes a value is followed
// by is its value, unless that is another flag of the command. A flag that the
// command does not know goes to the front too, where the library refuses it.
//
// args begin behind the program's name.
func arrange(level *cli.Command, args []string) ([]string, error) {
	var flags, arguments []string
	for len(args) > 0 {
		arg := args[0]
		switch {
		case isHelp(arg):
			return nil, &helpRequest{level}
		case arg == "--" && len(level.Subcommands) == 0:
			arguments, args = append(arguments, args[1:]...), nil
		case arg == "--": // what follows is a command, whose flags are its own
			args = args[1:]
		case len(arg) > 1 && arg[0] == '-':
			n, err := flagWidth(level.Flags, args)
			if err != nil {
				return nil, err
			}
			flags, args = append(flags, args[:n]...), args[n:]
		case len(level.Subcommands) == 0:
			arguments, args = append(arguments, arg), args[1:]
		default:
			return arrangeBelow(level, flags, args)
		}
	}
	if len(arguments) > 0 {
		flags = append(append(flags, "--"), arguments...)
	}
	return flags, nil
}

// arrangeBelow arranges what follows the name of a subcommand. Of a name that is
// none, nothing follows: the group names it.
func arrangeBelow(level *cli.Command, flags, args []string) ([]string, error) {
	if args[0] == "help" {
		return nil, &helpRequest{commandAt(level, args[1:])}
	}
	flags = append(flags, args[0])
	below := level.Command(args[0])
	if below == nil {
		return flags, nil
	}
	rest, err := arrange(below, args[1:])
	return append(flags, rest...), err
}

// commandAt is the command that names lead to, as far as they name one.
func commandAt(level *cli.Command, names []string) *cli.Command {
	for _, name := range names {
		below := level.Command(name)
		if below == nil {
			break
		}
		level = below
	}
	return level
}

// flagWidth is the number of arguments that the flag at the front takes up.
func flagWidth(flags []cli.Flag, args []string) (int, error) {
	f, whole := findFlag(flags, args[0])
	if f == nil || whole || !takesValue(f) {
		return 1, nil
	}
	if len(args) == 1 {
		return 0, usage("%s lacks its value", args[0]).hinted("--help shows the flags")
	}
	if next, _ := findFlag(flags, args[1]); next != nil || args[1] == "--" || isHelp(args[1]) {
		return 0, usage("%s lacks its value, %s follows", args[0], args[1]).hinted("if that is its value, write " + args[0] + "=" + args[1])
	}
	return 2, nil
}

// findFlag finds the flag that an argument names, and tells whether the argument
// holds a value too, as --name=value. nil is none.
func findFlag(flags []cli.Flag, arg string) (f cli.Flag, whole bool) {
	name, ok := strings.CutPrefix(arg, "-")
	if !ok {
		return nil, false
	}
	name, _, whole = strings.Cut(strings.TrimPrefix(name, "-"), "=")
	for _, f := range flags {
		for _, n := range f.Names() {
			if n == name {
				return f, whole
			}
		}
	}
	return nil, whole
}

func takesValue(f cli.Flag) bool {
	documented, ok := f.(cli.DocGenerationFlag)
	return ok && documented.TakesValue()
}

// listed gives the values of a flag that may be repeated, and whose values may
// stand with commas between them.
func listed(c *cli.Context, flag string) (values []string) {
	for _, text := range c.StringSlice(flag) {
		for value := range strings.SplitSeq(text, ",") {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return values
}
