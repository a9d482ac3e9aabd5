package command

import (
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a transfer has come, on a terminal only.
type progress struct {
	bar *progressbar.ProgressBar
}

// progress counts the bytes of a transfer; size is -1 where it is not known.
func (env *Env) progress(name string, size int64) *progress {
	return env.newProgress(name, size, progressbar.OptionShowBytes(true))
}

// spinner counts the rows of work that goes on elsewhere.
func (env *Env) spinner(name string) *progress {
	return env.newProgress(name, -1, progressbar.OptionShowCount(), progressbar.OptionSetItsString("rows"))
}

func (env *Env) newProgress(name string, size int64, unit ...progressbar.Option) *progress {
	f, ok := env.Stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &progress{}
	}
	return &progress{progressbar.NewOptions64(size, append(unit,
		progressbar.OptionSetDescription(name), progressbar.OptionSetWriter(env.Stderr),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())...)}
}

func (p *progress) set(n int64) {
	if p.bar != nil {
		p.bar.Set64(n)
	}
}

func (p *progress) describe(name string) {
	if p.bar != nil {
		p.bar.Describe(name)
	}
}

// Write counts what passes.
func (p *progress) Write(data []byte) (int, error) {
	if p.bar != nil {
		p.bar.Add(len(data)) // a display that fails is no reason to stop
	}
	return len(data), nil
}

func (p *progress) finish() {
	if p.bar != nil {
		p.bar.Finish()
	}
}
