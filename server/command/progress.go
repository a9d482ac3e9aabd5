package command

import (
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// progress shows on stderr how far something has come: as a bar, on a terminal
// only, or with --json as lines of JSON, at most one a second.
type progress struct {
	bar  *progressbar.ProgressBar // nil for none
	env  *Env
	told time.Time // when the last line was written
	line *progressLine
}

// progressLine is what --json shows, as {"progress":…}.
type progressLine struct {
	What  string `json:"what"`
	Done  int64  `json:"done"`
	Total int64  `json:"total,omitempty"` // if it is known
	Unit  string `json:"unit"`            // bytes or rows
}

// every is how often a line is written.
const every = time.Second

// progress counts the bytes of a transfer; size is -1 where it is not known.
func (env *Env) progress(c *cli.Context, name string, size int64) *progress {
	return env.newProgress(c, progressLine{What: name, Total: max(size, 0), Unit: "bytes"}, progressbar.OptionShowBytes(true))
}

// spinner counts the rows of work that goes on elsewhere.
func (env *Env) spinner(c *cli.Context, name string) *progress {
	return env.newProgress(c, progressLine{What: name, Unit: "rows"}, progressbar.OptionShowCount(), progressbar.OptionSetItsString("rows"))
}

func (env *Env) newProgress(c *cli.Context, line progressLine, unit ...progressbar.Option) *progress {
	if c.Bool("json") {
		return &progress{env: env, line: &line, told: time.Now()}
	}
	f, ok := env.Stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &progress{}
	}
	size := line.Total
	if size == 0 {
		size = -1
	}
	return &progress{bar: progressbar.NewOptions64(size, append(unit,
		progressbar.OptionSetDescription(line.What), progressbar.OptionSetWriter(env.Stderr),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())...)}
}

func (p *progress) set(n int64) {
	if p.bar != nil {
		p.bar.Set64(n)
	}
	if p.line != nil {
		p.line.Done = n
		p.tell()
	}
}

func (p *progress) describe(name string) {
	if p.bar != nil {
		p.bar.Describe(name)
	}
	if p.line != nil {
		p.line.What = name
	}
}

// Write counts what passes.
func (p *progress) Write(data []byte) (int, error) {
	if p.bar != nil {
		p.bar.Add(len(data)) // a display that fails is no reason to stop
	}
	if p.line != nil {
		p.line.Done += int64(len(data))
		p.tell()
	}
	return len(data), nil
}

func (p *progress) tell() {
	if now := time.Now(); now.Sub(p.told) >= every {
		p.told = now
		writeJSON(p.env.Stderr, map[string]*progressLine{"progress": p.line})
	}
}

func (p *progress) finish() {
	if p.bar != nil {
		p.bar.Finish()
	}
}

// add counts bytes that passed elsewhere.
func (p *progress) add(n int64) {
	if p.bar != nil {
		p.bar.Add64(n)
	}
	if p.line != nil {
		p.line.Done += n
		p.tell()
	}
}
