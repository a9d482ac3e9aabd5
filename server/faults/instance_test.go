//go:build unix

package faults

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"licensekit/server/client"
)

// program is the program under test.
var program string

func TestMain(m *testing.M) { os.Exit(withProgram(m.Run)) }

// withProgram builds the program for a run of the tests. It is built as users
// have it, without the race detector, whatever the tests are built with.
func withProgram(run func() int) int {
	dir, err := os.MkdirTemp("", "licensekit-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "licensekit")
	if out, err := build(program, ""); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return run()
}

// build makes the program, with what keeps copies of its database whole as it
// is, or for "off" or a duration without it or for so long only.
func build(path, copies string) (said []byte, err error) {
	return exec.Command("go", "build", "-o", path, "-ldflags", "-s -w -X licensekit/exporter/metadb.copies="+copies, "licensekit").CombinedOutput()
}

// licensekit runs a command to its end.
func licensekit(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// succeed runs a command that must end well and gives what it printed.
func succeed(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := licensekit(t, args...)
	if code != 0 {
		t.Fatalf("licensekit %v: got exit code %d, want 0:\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

// newDirectory makes a data directory and a token for everything in it.
func newDirectory(t *testing.T, dir string) (token string) {
	t.Helper()
	return strings.TrimSpace(succeed(t, "token", "issue", "--data", dir, "--name", "faults", "--scope", "admin"))
}

// instance is a server that runs.
type instance struct {
	t      *testing.T
	cmd    *exec.Cmd
	pid    int // of the server, where cmd is a tracer that runs it
	url    string
	token  string
	api    *client.Client
	output output
	ended  chan struct{} // closed once the process has
}

// output is what a server says, as it comes, but for the requests that it
// answered.
type output struct {
	mu    sync.Mutex
	text  []byte        // guarded by mu
	url   chan string   // gets its address once
	ended chan struct{} // closed at the end
}

var addressLine = regexp.MustCompile(`answers on +(http://[0-9.:]+)`)

// follow takes over what a process writes.
func (o *output) follow(r io.Reader) {
	defer close(o.ended)
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadBytes('\n')
		o.mu.Lock()
		if !bytes.Contains(line, []byte("level=INFO msg=request ")) { // the rest is what tells
			o.text = append(o.text, line...)
		}
		o.mu.Unlock()
		if found := addressLine.FindSubmatch(line); found != nil {
			o.url <- string(found[1])
		}
		if err != nil {
			return
		}
	}
}

// String is what was said so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

// launch starts a server and does not wait for it. wrapper, if any, is a
// command that runs it.
func launch(t *testing.T, dir string, wrapper []string, args ...string) *instance {
	t.Helper()
	return launchProgram(t, program, dir, wrapper, args...)
}

func launchProgram(t *testing.T, program, dir string, wrapper []string, args ...string) *instance {
	t.Helper()
	line := append(append([]string{}, wrapper...), program, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--token-rate", "0", "--login-failures", "0")
	line = append(line, args...)
	i := &instance{
		t: t, cmd: exec.Command(line[0], line[1:]...), ended: make(chan struct{}),
		output: output{url: make(chan string, 1), ended: make(chan struct{})},
	}
	pipe, err := i.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	i.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that a tracer and what it runs end together
	if err := i.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	i.pid = i.cmd.Process.Pid
	go i.output.follow(pipe)
	go func() {
		<-i.output.ended
		i.cmd.Wait()
		close(i.ended)
	}()
	t.Cleanup(i.kill)
	return i
}

// patience is how long anything may take on a busy machine.
const patience = 2 * time.Minute

// up waits until the server answers; false says that it ended before.
func (i *instance) up(token string) bool {
	i.t.Helper()
	select {
	case i.url = <-i.output.url:
	case <-i.ended:
		return false
	case <-time.After(patience):
		i.t.Fatalf("the server does not come up:\n%s", &i.output)
	}
	api, err := client.New(i.url, token)
	if err != nil {
		i.t.Fatal(err)
	}
	i.api, i.token = api, token
	i.t.Cleanup(api.Close)
	return true
}

// start starts a server that must come up.
func start(t *testing.T, dir, token string, args ...string) *instance {
	t.Helper()
	i := launch(t, dir, nil, args...)
	if !i.up(token) {
		t.Fatalf("start: got the end of the process, want a server:\n%s", &i.output)
	}
	return i
}

// kill ends the server without a warning.
func (i *instance) kill() {
	syscall.Kill(-i.cmd.Process.Pid, syscall.SIGKILL)
	<-i.ended
}

// stop asks the server to end and gives its exit code.
func (i *instance) stop() (code int) {
	i.t.Helper()
	syscall.Kill(i.pid, syscall.SIGTERM)
	return i.wait()
}

// wait gives the exit code of a server that ends by itself.
func (i *instance) wait() (code int) {
	i.t.Helper()
	select {
	case <-i.ended:
	case <-time.After(patience):
		i.t.Fatalf("the server does not end:\n%s", &i.output)
	}
	return i.cmd.ProcessState.ExitCode()
}

// get fetches a route whole.
func (i *instance) get(path string) ([]byte, http.Header, error) {
	resp, err := i.api.Do(i.t.Context(), client.Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return body, resp.Header, err
}
