package command

import (
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a transfer has come, on a terminal only.
type progress struct {
	bar *progressbar.ProgressBar
}

func (env *Env) progress(name string, size int64) *progress {
	f, ok := env.Stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &progress{}
	}
	return &progress{progressbar.NewOptions64(size,
		progressbar.OptionSetDescription(name), progressbar.OptionSetWriter(env.Stderr),
		progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100e6), progressbar.OptionClearOnFinish())}
}

// spinner shows that work goes on elsewhere, and how many rows it has done.
func (env *Env) spinner(name string) *progress {
	shown := env.progress(name, -1)
	if shown.bar != nil {
		shown.bar.Describe(name)
	}
	return shown
}

func (p *progress) set(n int64) {
	if p.bar != nil {
		p.bar.Set64(n)
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
