package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

func (env *Env) man() *cli.Command {
	return &cli.Command{
		Name:  "man",
		Usage: "print the manual page",
		Description: "   licensekit man > /usr/local/share/man/man1/licensekit.1\n" +
			"   licensekit man > licensekit.1\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage.",
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			_, err := io.WriteString(env.Stdout, manual(env.tree(), env.Version))
			return err
		},
	}
}

// manual is the manual page of a tree of commands, in the man macros of roff.
func manual(tree *cli.Command, version string) string {
	var text strings.Builder
	fmt.Fprintf(&text, ".TH LICENSEKIT 1 \"\" \"licensekit %s\" \"User Commands\"\n", roff(version))
	fmt.Fprintf(&text, ".SH NAME\n%s \\- %s\n", roff(tree.Name), roff(tree.Usage))
	fmt.Fprintf(&text, ".SH SYNOPSIS\n.B %s\n.I COMMAND\n[FLAG\\[u2026]] [ARGUMENT\\[u2026]]\n", roff(tree.Name))
	var about strings.Builder
	manualText(&about, tree.Description)
	fmt.Fprintf(&text, ".SH DESCRIPTION\n%s.SH COMMANDS\n", strings.TrimPrefix(about.String(), ".PP\n"))
	manualCommands(&text, tree.Subcommands)
	return text.String()
}

func manualCommands(text *strings.Builder, commands []*cli.Command) {
	for _, c := range commands {
		fmt.Fprintf(text, ".SS %s\n%s.\n", roff(synopsis(c)), roff(strings.ToUpper(c.Usage[:1])+c.Usage[1:]))
		manualText(text, c.Description)
		for _, f := range c.Flags {
			d := describe(f)
			fmt.Fprintf(text, ".TP\n.B %s\n%s\n", roff(d.form), roff(d.text()))
		}
		manualCommands(text, c.Subcommands)
	}
}

// manualText writes paragraphs; lines that begin with spaces are examples, and
// stay as they are.
func manualText(text *strings.Builder, description string) {
	example, begins := false, true
	for line := range strings.Lines(description) {
		line = strings.TrimSuffix(line, "\n")
		code := strings.HasPrefix(line, "   ")
		if example && !code {
			text.WriteString(".fi\n")
			begins = true
		}
		switch {
		case line == "":
			begins = true
		case code && !example:
			text.WriteString(".IP \"\" 4\n.nf\n")
		case !code && begins:
			text.WriteString(".PP\n")
			begins = false
		}
		if example = code; line != "" {
			fmt.Fprintln(text, roff(strings.TrimPrefix(line, "   ")))
		}
	}
	if example {
		text.WriteString(".fi\n")
	}
}

// roff writes text so that it stands for itself: hyphens can be pasted into a
// shell, and what is not ASCII is named.
func roff(text string) string {
	var out strings.Builder
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		out.WriteString(`\&`)
	}
	for _, r := range text {
		switch {
		case r == '\\':
			out.WriteString(`\e`)
		case r == '-':
			out.WriteString(`\-`)
		case r == '"':
			out.WriteString(`\(dq`)
		case r == '\'':
			out.WriteString(`\(aq`)
		case r == '`':
			out.WriteString(`\(ga`)
		case r == '~':
			out.WriteString(`\(ti`)
		case r == '^':
			out.WriteString(`\(ha`)
		case r > '~':
			fmt.Fprintf(&out, `\[u%04X]`, r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
