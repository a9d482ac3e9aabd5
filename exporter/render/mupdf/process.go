//go:build cgo

package mupdf

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

// process is one that reads a file.
type process struct {
	ctx    context.Context
	cmd    *exec.Cmd
	limits limits
	in     io.WriteCloser
	out    io.ReadCloser
	said   tail // on its standard error
	late   atomic.Bool
	ended  bool
}

// ask starts a process, has it confine itself, and gives it the file.
func ask(ctx context.Context, j job, r io.ReaderAt) (*process, error) {
	if j.Size > MaxFile {
		return nil, fmt.Errorf("%w: the file has %d bytes; the limit is %d", ErrUnread, j.Size, MaxFile)
	}
	p, err := start(ctx, j.Limits)
	if err != nil {
		return nil, fmt.Errorf("%w: start a process: %w", ErrUnread, err)
	}
	j.Magic = magic
	if err := p.give(j, r); err != nil {
		p.end()
		return nil, err
	}
	return p, nil
}

// executable is this program, also when its file was replaced since.
func executable() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

func start(ctx context.Context, l limits) (p *process, err error) {
	self, err := executable()
	if err != nil {
		return nil, err
	}
	p = &process{ctx: ctx, limits: l, cmd: exec.CommandContext(ctx, self)}
	// Go's runtime would look for a changed number of processors, and glibc
	// reserve memory for each thread.
	p.cmd.Args = []string{os.Args[0], "reads-pages"} // for those who list processes
	p.cmd.Env = []string{variable + "=1", "GOMAXPROCS=2", "MALLOC_ARENA_MAX=1", "GOTRACEBACK=none"}
	p.cmd.Dir = string(os.PathSeparator)
	p.cmd.Stderr = &p.said
	p.cmd.WaitDelay = 5 * time.Second
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	return p, p.cmd.Start()
}

// give sends the job and, once the process is confined, the file.
func (p *process) give(j job, r io.ReaderAt) error {
	if err := binary.Write(p.in, binary.BigEndian, &j); err != nil {
		return p.fail(err)
	}
	if _, err := p.answer(); err != nil {
		return err
	}
	defer p.watch()()
	source := &reading{Reader: io.NewSectionReader(r, 0, j.Size)}
	if _, err := io.Copy(p.in, source); source.err != nil {
		return source.err
	} else if err != nil {
		return p.fail(err)
	}
	return nil
}

// reading keeps a reader's own error apart from the writer's.
type reading struct {
	io.Reader
	err error
}

func (r *reading) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// watch ends the process unless the function that it gives is called in time.
func (p *process) watch() func() {
	timer := time.AfterFunc(p.limits.Answer, func() {
		p.late.Store(true)
		p.cmd.Process.Kill()
	})
	return func() { timer.Stop() }
}

// answer waits for the next answer.
func (p *process) answer() ([]byte, error) {
	if p.ended {
		return nil, fmt.Errorf("%w: it has ended", ErrUnread)
	}
	stop := p.watch()
	kind, text, err := readAnswer(p.out)
	stop()
	switch {
	case errors.Is(err, errLong):
		p.end()
		return nil, fmt.Errorf("%w: %w", ErrUnread, err)
	case err != nil:
		return nil, p.fail(err)
	case kind == done:
		return text, nil
	case kind == missing:
		return nil, ErrNoPage
	}
	return nil, fmt.Errorf("%w: %s%s", ErrUnread, printable(text), p.remark())
}

// remark is what MuPDF said on its way, and whether it may have lacked memory,
// which it does not say.
func (p *process) remark() (remark string) {
	p.end() // or there is more to come
	if line := p.said.last(); line != "" {
		remark = " (" + line + ")"
	}
	if used := peak(p.cmd.ProcessState); used > p.limits.Memory/2 {
		remark += fmt.Sprintf(", having used %d MiB of memory; it may take about %d", used>>20, p.limits.Memory>>20)
	}
	return remark
}

// end ends the process, whether it was done or not.
func (p *process) end() {
	if p.ended {
		return
	}
	p.ended = true
	p.in.Close()
	p.out.Close()
	p.cmd.Process.Kill()
	p.cmd.Wait() // how it ended is in ProcessState
}

// fail explains why the process can't be spoken to: it has ended, or is about
// to.
func (p *process) fail(err error) error {
	if !p.ended {
		p.ended = true
		stop := p.watch()
		p.in.Close()
		p.cmd.Wait()
		stop()
	}
	if cause := context.Cause(p.ctx); cause != nil {
		return cause
	}
	return fmt.Errorf("%w: %s", ErrUnread, p.reason(err))
}

func (p *process) reason(err error) string {
	state := p.cmd.ProcessState
	switch {
	case p.late.Load():
		return fmt.Sprintf("no answer within %v", p.limits.Answer)
	case state == nil:
		return err.Error()
	case state.SystemTime()+state.UserTime() > p.limits.CPU*9/10:
		return fmt.Sprintf("it did not end within %v of processor time", p.limits.CPU)
	case state.Success():
		return err.Error()
	}
	return fmt.Sprintf("its process ended with %v%s", state, p.remark())
}

// tail is the last of what was written.
type tail struct{ text []byte }

func (t *tail) Write(b []byte) (int, error) {
	const most = 16 << 10
	t.text = append(t.text, b...)
	if n := len(t.text); n > 2*most {
		t.text = append(t.text[:0], t.text[n-most:]...)
	}
	return len(b), nil
}

// last is the last line that is not empty, or that in which Go's runtime says
// why it gives up.
func (t *tail) last() string {
	lines := bytes.Split(bytes.TrimSpace(t.text), []byte("\n"))
	for _, line := range lines {
		if bytes.HasPrefix(line, []byte("fatal error: ")) {
			return printable(line)
		}
	}
	return printable(lines[len(lines)-1])
}

// printable keeps a file from speaking through an error.
func printable(text []byte) string {
	const most = 200
	if len(text) > most {
		text = append(text[:most:most], "..."...)
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, string(text))
}
