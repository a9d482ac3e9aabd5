package command

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"licensekit/exporter"
	"licensekit/exporter/audit"
	"licensekit/exporter/ledger/intake"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
	"licensekit/server"
	"licensekit/server/schedule"
	"licensekit/server/webhook"
)

// completionScripts are for shells, a file each. They ask this program, by
// completeWord, so that they fit every version.
//
//go:embed completion
var completionScripts embed.FS

var shells = []string{"bash", "fish", "zsh"}

// completeWord comes before the words of an unfinished command line, the last
// being the one to complete, "" where it has not begun. The answer is a line per
// candidate, its meaning behind a tab; or ":files" or ":dirs".
const completeWord = "__complete"

func (env *Env) completion() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the script by which a shell completes commands, flags and values",
		ArgsUsage: "SHELL",
		Description: "Shells are " + strings.Join(shells, ", ") + ". For the running shell, or for good:\n\n" +
			"   source <(licensekit completion bash)\n" +
			"   licensekit completion bash > /etc/bash_completion.d/licensekit\n" +
			"   licensekit completion zsh > /usr/local/share/zsh/site-functions/_licensekit\n" +
			"   licensekit completion fish > ~/.config/fish/completions/licensekit.fish\n\n" +
			"Exit codes: 0 done, 2 usage.",
		Action: func(c *cli.Context) error {
			shell, err := oneArgument(c, "the shell")
			if err != nil {
				return err
			}
			if !slices.Contains(shells, shell) {
				return usage("there is no script for the shell %q", shell).hinted("shells are " + strings.Join(shells, ", "))
			}
			script, err := completionScripts.Open("completion/" + shell)
			if err != nil {
				return err
			}
			defer script.Close()
			_, err = io.Copy(env.Stdout, script)
			return err
		},
	}
}

// complete answers the shells' scripts.
func complete(w io.Writer, tree *cli.Command, words []string) error {
	for _, c := range candidates(tree, words) {
		line := c.word
		if c.meaning != "" {
			line += "\t" + c.meaning
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// candidate is a word that may stand where one is to be completed.
type candidate struct{ word, meaning string }

// candidates are the words that may stand in the place of the last.
func candidates(tree *cli.Command, words []string) []candidate {
	if len(words) == 0 {
		return nil
	}
	typed, words := words[len(words)-1], words[:len(words)-1]
	l := readLine(tree, words)
	name, begun, whole := strings.Cut(typed, "=")
	switch f, _ := findFlag(l.at.Flags, name); {
	case l.open != nil:
		return l.valuesOf(l.open, "", typed)
	case f != nil && whole && !l.ended:
		return l.valuesOf(f, name+"=", begun)
	case strings.HasPrefix(typed, "-") && !l.ended:
		return matching(flagsOf(l.at), typed)
	case len(l.at.Subcommands) > 0:
		return matching(commandsOf(l.at), typed)
	}
	return l.argument(typed)
}

// line is what a command line has said so far.
type line struct {
	at    *cli.Command
	open  cli.Flag // that waits for its value
	ended bool     // behind --
	kind  string   // of a report, if it was named
	count int      // arguments
}

func readLine(tree *cli.Command, words []string) line {
	l := line{at: tree}
	for _, word := range words {
		if slices.Contains(report.KindNames(), strings.TrimPrefix(word, "--kind=")) {
			l.kind = strings.TrimPrefix(word, "--kind=")
		}
		f, whole := findFlag(l.at.Flags, word)
		switch {
		case l.open != nil:
			l.open = nil
		case word == "--":
			l.ended = len(l.at.Subcommands) == 0
		case f != nil && !l.ended:
			if takesValue(f) && !whole {
				l.open = f
			}
		case l.at.Command(word) != nil:
			l.at = l.at.Command(word)
		case word == "help" && len(l.at.Subcommands) > 0: // help COMMAND
		default:
			l.count++
		}
	}
	return l
}

func matching(all []candidate, typed string) []candidate {
	return slices.DeleteFunc(all, func(c candidate) bool { return !strings.HasPrefix(c.word, typed) })
}

func commandsOf(c *cli.Command) (all []candidate) {
	for _, sub := range c.Subcommands {
		all = append(all, candidate{sub.Name, sub.Usage})
	}
	return all
}

func flagsOf(c *cli.Command) (all []candidate) {
	for _, f := range c.Flags {
		d := describe(f)
		all = append(all, candidate{hyphened(d.names[0]), d.meaning})
	}
	return append(all, candidate{"--help", "tell about the command"})
}

// argument completes an argument, by what the command says it takes.
func (l line) argument(typed string) []candidate {
	takes := l.at.ArgsUsage
	switch {
	case takes == "KIND" && l.count == 0:
		return matching(listOf(report.KindNames()), typed)
	case takes == "SHELL" && l.count == 0:
		return matching(listOf(shells), typed)
	case strings.Contains(takes, "FILE"), strings.Contains(takes, "BUNDLE"):
		return []candidate{{":files", ""}}
	case strings.Contains(takes, "DIR"), strings.Contains(takes, "DEST"), strings.Contains(takes, "SRC"):
		return []candidate{{":dirs", ""}}
	}
	return nil
}

// valuesOf completes the value of a flag. before is what stands before the value
// in the same word.
func (l line) valuesOf(f cli.Flag, before, typed string) (all []candidate) {
	d := describe(f)
	switch d.placeholder {
	case "FILE":
		return []candidate{{":files", ""}}
	case "DIR":
		return []candidate{{":dirs", ""}}
	}
	for _, c := range matching(listOf(l.values(d.names[0], typed)), typed) {
		all = append(all, candidate{before + c.word, c.meaning})
	}
	return all
}

func listOf(words []string) (all []candidate) {
	for _, word := range words {
		all = append(all, candidate{word: word})
	}
	return all
}

// values are what a flag can be given; typed is what has been.
func (l line) values(flag, typed string) []string {
	switch flag {
	case "kind":
		return report.KindNames()
	case "format":
		if l.at.Name == "import" {
			return names(intake.Formats)
		}
		return render.Names()
	case "every":
		return names(schedule.Periods)
	case "scope":
		return strings.Split(scopeNames(), ", ")
	case "as":
		return intake.ObjectNames()
	case "filter":
		return l.filters(typed)
	case "status":
		if l.at.Name == "deliveries" {
			return names(webhook.Statuses)
		}
		return names(exporter.Statuses)
	case "event", "type":
		return names(audit.Types)
	case "paper":
		return []string{string(render.A4), string(render.Letter)}
	case "forwarded-header":
		return []string{server.XForwardedFor, server.Forwarded}
	case "checkpoint":
		return []string{"first", "newest", "cosigned"}
	}
	return nil
}

func names[T ~string](values []T) (all []string) {
	for _, v := range values {
		all = append(all, string(v))
	}
	return all
}

// filters are the names of filters, and the values of those that have few.
func (l line) filters(typed string) (all []string) {
	if list, ok := strings.CutPrefix(typed, "group_by="); ok {
		named := list[:strings.LastIndex(list, ",")+1]
		before := "group_by=" + named
		for _, group := range report.Groupings() {
			if !slices.Contains(strings.Split(named, ","), group) {
				all = append(all, before+group)
			}
		}
		return all
	}
	if strings.HasPrefix(typed, "bucket=") {
		return []string{"bucket=1h", "bucket=1d"}
	}
	for _, kind := range report.KindNames() {
		if l.kind != "" && l.kind != kind {
			continue
		}
		for _, name := range report.FilterNames(report.Kind(kind)) {
			if !slices.Contains(all, name+"=") {
				all = append(all, name+"=")
			}
		}
	}
	return all
}
