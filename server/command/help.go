package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// helpWidth bounds the lines of help, in columns.
const helpWidth = 100

// helpRequest ends a command line that asks for help.
type helpRequest struct{ about *cli.Command }

// Error says what is asked for.
func (h *helpRequest) Error() string { return "help on " + h.about.HelpName }

func isHelp(arg string) bool {
	return arg == "-h" || arg == "-help" || arg == "--help"
}

// writeHelp writes the help of a command.
func writeHelp(w io.Writer, c *cli.Command) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s\n\nUsage:\n   %s\n", c.HelpName, c.Usage, synopsis(c))
	if len(c.Subcommands) > 0 {
		text.WriteString("\nCommands:\n")
		for _, sub := range c.Subcommands {
			entry(&text, sub.Name, sub.Usage)
		}
	}
	if c.Description != "" {
		fmt.Fprintf(&text, "\n%s\n", c.Description)
	}
	if len(c.Flags) > 0 {
		text.WriteString("\nFlags:\n")
		for _, f := range c.Flags {
			d := describe(f)
			entry(&text, d.form, d.text())
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// synopsis is how a command line begins and what it takes.
func synopsis(c *cli.Command) string {
	parts := []string{c.HelpName}
	if len(c.Subcommands) > 0 {
		parts = append(parts, "COMMAND")
	}
	if len(c.Flags) > 0 {
		parts = append(parts, "[FLAG…]")
	}
	if c.ArgsUsage != "" {
		parts = append(parts, c.ArgsUsage)
	}
	return strings.Join(parts, " ")
}

// entry writes a name and what it means, beside it or, where the name is long,
// below.
func entry(text *strings.Builder, name, meaning string) {
	const column = 26
	pad := strings.Repeat(" ", column)
	lines := wrapped(meaning, helpWidth-column)
	if len([]rune(name)) > column-5 {
		fmt.Fprintf(text, "   %s\n", name)
	} else {
		fmt.Fprintf(text, "   %-*s%s\n", column-3, name, lines[0])
		lines = lines[1:]
	}
	for _, line := range lines {
		fmt.Fprintf(text, "%s%s\n", pad, line)
	}
}

// wrapped parts a text at spaces into lines of at most width runes; longer words
// stand alone.
func wrapped(text string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len([]rune(*last))+1+len([]rune(word)) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// described is a flag as help, man page and completion show it.
type described struct {
	names       []string // without hyphens, the long one first
	form        string   // --output FILE, -o FILE
	placeholder string   // "" for a flag without value
	meaning     string
	standard    string // the default, "" for none
	variable    string // the environment's, "" for none
}

func describe(f cli.Flag) described {
	d := described{names: f.Names()}
	doc, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return d
	}
	d.meaning = doc.GetUsage()
	if variables := doc.GetEnvVars(); len(variables) > 0 {
		d.variable = variables[0]
	}
	if doc.TakesValue() {
		d.placeholder = "VALUE"
		if before, rest, ok := strings.Cut(d.meaning, "`"); ok {
			name, after, _ := strings.Cut(rest, "`")
			d.placeholder, d.meaning = name, before+name+after
		}
		if text := doc.GetDefaultText(); text != `""` && text != "0" && text != "[]" {
			d.standard = strings.Trim(text, `"`)
		}
	}
	forms := make([]string, len(d.names))
	for i, name := range d.names {
		forms[i] = strings.TrimSpace(hyphened(name) + " " + d.placeholder)
	}
	d.form = strings.Join(forms, ", ")
	return d
}

func (d described) text() string {
	text := d.meaning
	if d.standard != "" {
		text += " (default: " + d.standard + ")"
	}
	if d.variable != "" {
		text += " [" + d.variable + "]"
	}
	return text
}

// hyphened writes the name of a flag as it is typed.
func hyphened(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}
