package command

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// The manual page names every command and flag.
func TestManual(t *testing.T) {
	t.Parallel()
	tree := (&Env{}).tree()
	page := manual(tree, "v1")
	leaves(tree.Subcommands, func(c *cli.Command) {
		if want := ".SS " + roff(c.HelpName); !strings.Contains(page, want) {
			t.Errorf("the manual has no %q", want)
		}
		for _, f := range c.Flags {
			if want := ".B " + roff(describe(f).form) + "\n"; !strings.Contains(page, want) {
				t.Errorf("the manual has no %q", want)
			}
		}
	})
}

// mandoc finds nothing wrong with it, and shows what was meant.
func TestMandoc(t *testing.T) {
	t.Parallel()
	mandoc, err := exec.LookPath("mandoc")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("mandoc is not installed; apt-get install mandoc")
	} else if err != nil {
		t.Skip("install mandoc to run this test")
	}
	page := manual((&Env{}).tree(), "v1")
	lint := exec.CommandContext(t.Context(), mandoc, "-T", "lint", "-W", "warning")
	lint.Stdin = strings.NewReader(page)
	out, err := lint.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "missing date") { // the same version gives the same page
			t.Errorf("mandoc: %s", line)
		}
	}
	if len(out) == 0 && err != nil {
		t.Error(err)
	}
	show := exec.CommandContext(t.Context(), mandoc, "-T", "utf8", "-O", "width=120")
	show.Stdin = strings.NewReader(page)
	shown, err := show.Output()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(shown), "\b", "")
	for _, want := range []string{"licensekit export create", "--time-zone", "LICENSEKIT_DATA", "source <(licensekit completion bash)"} {
		if !strings.Contains(overstruck(string(shown)), want) {
			t.Errorf("the page does not show %q: %.300s", want, text)
		}
	}
}

// overstruck takes out what terminals print bold and underlined with.
func overstruck(text string) string {
	var out []rune
	runes := []rune(text)
	for i := 0; i < len(runes); i++ {
		if i+2 < len(runes) && runes[i+1] == '\b' {
			i += 2
		}
		out = append(out, runes[i])
	}
	return string(out)
}
