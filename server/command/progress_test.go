package command

import (
	"flag"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// With --json progress is lines on stderr, at most one a second; elsewhere than
// on a terminal there is none without it.
func TestProgress(t *testing.T) {
	t.Parallel()
	for _, asJSON := range []bool{true, false} {
		var stderr strings.Builder
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		flags.Bool("json", asJSON, "")
		p := (&Env{Stderr: &stderr}).progress(cli.NewContext(nil, flags, nil), "usage.csv", 100)
		p.Write(make([]byte, 10)) // too early to tell
		p.told = p.told.Add(-2 * every)
		p.Write(make([]byte, 20))
		p.Write(make([]byte, 30))
		p.finish()
		want := ""
		if asJSON {
			want = `{"progress":{"what":"usage.csv","done":30,"total":100,"unit":"bytes"}}` + "\n"
		}
		if got := stderr.String(); got != want {
			t.Errorf("with --json %v: got %q, want %q", asJSON, got, want)
		}
	}
}
