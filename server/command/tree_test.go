package command

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// withoutJSON names the commands that have no --json, and why.
var withoutJSON = map[string]string{
	"licensekit export download": "stdout is the artifact",
	"licensekit export bundle":   "stdout is the bundle",
	"licensekit key export":      "stdout is the key",
	"licensekit log checkpoint":  "stdout is the signed note",
	"licensekit log prove":       "stdout is the proof",
	"licensekit log consistency": "stdout is the proof",
	"licensekit log witness":     "stdout is the signed note",
	"licensekit completion":      "stdout is the script",
	"licensekit man":             "stdout is the page",
}

// leaves calls each with every command that has no subcommands.
func leaves(commands []*cli.Command, each func(*cli.Command)) {
	for _, c := range commands {
		if len(c.Subcommands) == 0 {
			each(c)
		}
		leaves(c.Subcommands, each)
	}
}

// TestTree holds every command to what all of them promise.
func TestTree(t *testing.T) {
	tree := (&Env{}).tree()
	seen := map[string]bool{}
	leaves(tree.Subcommands, func(c *cli.Command) {
		path := c.HelpName
		seen[path] = true
		_, excused := withoutJSON[path]
		if json, _ := findFlag(c.Flags, "--json"); (json == nil) != excused {
			t.Errorf("%s: has --json: %v, excused from it: %v", path, json != nil, excused)
		}
		if c.Usage == "" || strings.ContainsAny(c.Usage, ".\n") || c.Usage != strings.TrimSpace(c.Usage) {
			t.Errorf("%s: usage %q, want one sentence without a stop", path, c.Usage)
		}
		if !strings.Contains("\n"+c.Description, "\n   "+path) && !strings.Contains(c.Description, "("+path) {
			t.Errorf("%s: the description has no line that begins with three spaces and %q, to paste", path, path)
		}
		if _, codes, ok := strings.Cut(c.Description, "Exit codes: 0 "); !ok || !strings.Contains(codes, "2 usage") {
			t.Errorf("%s: the description does not end with Exit codes: 0 …, 2 usage", path)
		}
	})
	for path := range withoutJSON {
		if !seen[path] {
			t.Errorf("%s is excused from --json, and is no command", path)
		}
	}
}

// TestVariables shows that every flag has a variable, named after it or after
// its command and it, and that a variable means the same wherever it is read.
func TestVariables(t *testing.T) {
	type meaning struct{ command, text string }
	known := map[string]meaning{}
	leaves((&Env{}).tree().Subcommands, func(c *cli.Command) {
		words := strings.Fields(c.HelpName)[1:]
		for _, f := range c.Flags {
			d := describe(f)
			name := d.names[0]
			allowed := []string{variable(name), variable(append(slices.Clone(words), name)...)}
			for _, word := range words {
				allowed = append(allowed, variable(word, name))
			}
			if !slices.Contains(allowed, d.variable) {
				t.Errorf("%s --%s: variable %q, want one of %q", c.HelpName, name, d.variable, allowed)
			}
			text, _, _ := strings.Cut(d.meaning, " (default")
			if before, ok := known[d.variable]; ok && before.text != text {
				t.Errorf("%s means %q to %s and %q to %s: one of them needs a variable of its own", d.variable, before.text, before.command, text, c.HelpName)
			}
			known[d.variable] = meaning{c.HelpName, text}
		}
	})
}

func variable(words ...string) string {
	return "LICENSEKIT_" + strings.ToUpper(strings.ReplaceAll(strings.Join(words, "_"), "-", "_"))
}

// TestHelpWidth shows that help fits into a window, and names all there is.
func TestHelpWidth(t *testing.T) {
	check := func(c *cli.Command) {
		var help strings.Builder
		if err := writeHelp(&help, c); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(help.String()) {
			if width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > helpWidth {
				t.Errorf("%s --help: %d columns, want at most %d: %s", c.HelpName, width, helpWidth, line)
			}
		}
		for _, f := range c.Flags {
			if d := describe(f); !strings.Contains(help.String(), d.form) || !strings.Contains(help.String(), d.variable) {
				t.Errorf("%s --help lacks %s or %s", c.HelpName, d.form, d.variable)
			}
		}
	}
	tree := (&Env{}).tree()
	check(tree)
	for _, c := range tree.Subcommands {
		check(c)
	}
	leaves(tree.Subcommands, check)
}

// TestExamples shows that every example of help is a command line that is
// taken: its commands and flags exist.
func TestExamples(t *testing.T) {
	tree := (&Env{}).tree()
	try := func(source, line string) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " > ")
		line, _, _ = strings.Cut(line, " # ")
		words := strings.Fields(line)[1:]
		at, rest := tree, words
		for len(rest) > 0 && at.Command(rest[0]) != nil {
			at, rest = at.Command(rest[0]), rest[1:]
		}
		if len(at.Subcommands) > 0 {
			t.Errorf("%s: %s: there is no such command", source, line)
			return
		}
		if _, err := arrange(tree, words); err != nil {
			t.Errorf("%s: %s: %v", source, line, err)
		}
		for _, word := range rest {
			if f, _ := findFlag(at.Flags, word); f == nil && len(word) > 1 && word[0] == '-' {
				t.Errorf("%s: %s: there is no flag %s", source, line, word)
			}
		}
	}
	leaves(tree.Subcommands, func(c *cli.Command) {
		for line := range strings.Lines(strings.ReplaceAll(c.Description, "\\\n", " ")) {
			if strings.HasPrefix(line, "   licensekit ") {
				try(c.HelpName+" --help", line)
			}
		}
	})
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(strings.ReplaceAll(string(readme), "\\\n", " ")) {
		if strings.HasPrefix(line, "    licensekit ") && !strings.Contains(line, "licensekit.json") {
			try("README.md", strings.ReplaceAll(line, "     # ", " # "))
		}
	}
}
