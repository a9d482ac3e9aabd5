package command

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestArrange shows where flags may stand. Below is a tree with the kinds of
// flags there are; each line is split at spaces.
func TestArrange(t *testing.T) {
	verify := &cli.Command{Name: "verify", Flags: []cli.Flag{
		&cli.StringSliceFlag{Name: "key"}, &cli.StringFlag{Name: "output", Aliases: []string{"o"}},
		&cli.IntFlag{Name: "limit"}, &cli.BoolFlag{Name: "json"},
	}}
	show := &cli.Command{Name: "show", Aliases: []string{"display"}, Flags: verify.Flags}
	root := &cli.Command{Subcommands: []*cli.Command{verify, {Name: "export", Subcommands: []*cli.Command{show}}}}

	for _, test := range []struct{ name, line, want string }{
		{"nothing", "", ""},
		{"a command", "verify", "verify"},
		{"in order", "verify --key k b", "verify --key k -- b"},
		{"behind", "verify b --key k", "verify --key k -- b"},
		{"between", "verify a --key k b --json c", "verify --key k --json -- a b c"},
		{"repeated, in order", "verify a --key 1 b --key 2", "verify --key 1 --key 2 -- a b"},
		{"with =", "verify b --key=k", "verify --key=k -- b"},
		{"an empty value with =", "verify b --key= c", "verify --key= -- b c"},
		{"one hyphen", "verify b -key k", "verify -key k -- b"},
		{"an alias", "verify b -o f", "verify -o f -- b"},
		{"an alias with =", "verify b -o=f", "verify -o=f -- b"},
		{"a bool takes no value", "verify --json b", "verify --json -- b"},
		{"a bool with =", "verify b --json=false", "verify --json=false -- b"},
		{"a value with a hyphen", "verify b --limit -1", "verify --limit -1 -- b"},
		{"a value that is -", "verify b -o -", "verify -o - -- b"},
		{"an argument that is -", "verify - --json", "verify --json -- -"},
		{"a value like a command", "verify --key verify b", "verify --key verify -- b"},
		{"-- ends flags", "verify --json -- --key k", "verify --json -- --key k"},
		{"-- behind an argument", "verify a -- --key", "verify -- a --key"},
		{"-- twice", "verify -- a -- --key", "verify -- a -- --key"},
		{"-- before a command ends nothing", "-- verify b --key k", "verify --key k -- b"},
		{"-- before a subcommand ends nothing", "export -- show b --json", "export show --json -- b"},
		{"unknown", "verify b --frob x", "verify --frob -- b x"},
		{"unknown with =", "verify b --frob=x", "verify --frob=x -- b"},
		{"three hyphens", "verify b ---key k", "verify ---key -- b k"},
		{"joined", "verify b -ofile", "verify -ofile -- b"},
		{"below a group", "export show rptx -o f", "export show -o f -- rptx"},
		{"below a group, by another name", "export display rptx -o f", "export display -o f -- rptx"},
		{"of the group", "export --frob show rptx --json", "export --frob show --json -- rptx"},
		{"an unknown command", "frob --key k b", "frob"},
		{"an unknown subcommand", "export frob b --json", "export frob"},
	} {
		got, err := arrange(root, strings.Fields(test.line))
		if err != nil || !slices.Equal(got, strings.Fields(test.want)) {
			t.Errorf("%s: %q: got %q, %v, want %q", test.name, test.line, got, err, test.want)
		}
	}

	for _, line := range []string{
		"verify b --key", "verify --key --json b", "verify b --key -o f", "verify b --key --json=true", "verify --key -- b", "verify b --limit --limit 1",
	} {
		got, err := arrange(root, strings.Fields(line))
		var exit *exitError
		if !errors.As(err, &exit) || exit.code != exitUsage || exit.hint == "" {
			t.Errorf("%q: got %q, %v, want a usage error with a hint", line, got, err)
		}
	}
}

// TestArrangeHelp shows that help is given wherever it is asked for.
func TestArrangeHelp(t *testing.T) {
	root := (&Env{}).tree()
	for line, want := range map[string]string{
		"--help": "licensekit", "help": "licensekit", "help frob": "licensekit", "export -h": "licensekit export",
		"help export show": "licensekit export show", "export help show": "licensekit export show",
		"verify b --help": "licensekit verify", "verify --key --help": "", "verify --key k -h b": "licensekit verify",
	} {
		_, err := arrange(root, strings.Fields(line))
		var help *helpRequest
		got := ""
		if errors.As(err, &help) {
			got = help.about.HelpName
		}
		if got != want {
			t.Errorf("%q: got help on %q (%v), want %q", line, got, err, want)
		}
	}
}

// TestArrangeKeepsAll shows that no argument is lost or made up, whatever
// stands where.
func TestArrangeKeepsAll(t *testing.T) {
	root := (&Env{}).tree()
	words := []string{"verify", "b", "--key", "k", "--json", "--frob", "-", "--trust=t"}
	var try func(line []string)
	try = func(line []string) {
		got, err := arrange(root, line)
		if err == nil && len(line) > 0 && line[0] == "verify" {
			kept := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s == "--" })
			want := slices.Clone(line)
			slices.Sort(kept)
			slices.Sort(want)
			if !slices.Equal(kept, want) {
				t.Fatalf("%q: got %q", line, got)
			}
			end := slices.Index(got, "--")
			if end < 0 {
				end = len(got)
			}
			for _, arg := range got[end:] {
				if len(arg) > 2 && arg[0] == '-' {
					t.Fatalf("%q: got %q, in which %s is an argument", line, got, arg)
				}
			}
		}
		if len(line) < 5 {
			for _, word := range words {
				try(append(slices.Clone(line), word))
			}
		}
	}
	try([]string{"verify"})
}
