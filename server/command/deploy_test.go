package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// deployed reads a file of .deploy/.
func deployed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", ".deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// installed tells that a test needs a Linux program. On a developer's machine it
// may be missing.
func installed(t *testing.T, program, debian string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the units are for Linux")
	}
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v; apt-get install %s", err, debian)
		}
		t.Skipf("%v; apt-get install %s", err, debian)
	}
}

// built is the program as users have it.
func built(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "licensekit")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", path, "licensekit").CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return path
}

// The units are sound, and leave the service little to do harm with.
func TestUnits(t *testing.T) {
	t.Parallel()
	installed(t, "systemd-analyze", "systemd")
	dir := t.TempDir()
	service := strings.ReplaceAll(deployed(t, "licensekit.service"), "/usr/local/bin/licensekit", "/bin/true")
	for name, text := range map[string]string{"licensekit.service": service, "licensekit.socket": deployed(t, "licensekit.socket")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	unit := filepath.Join(dir, "licensekit.service")
	for _, args := range [][]string{
		{"verify", "--man=no", unit, filepath.Join(dir, "licensekit.socket")},
		{"security", "--no-pager", "--offline=true", "--threshold=15", unit},
	} {
		if out, err := exec.CommandContext(t.Context(), "systemd-analyze", args...).CombinedOutput(); err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}

// filtered are the system calls that a unit's filter allows.
func filtered(t *testing.T, unit string) map[string]bool {
	t.Helper()
	allowed := map[string]bool{}
	for _, line := range regexp.MustCompile(`(?m)^SystemCallFilter=(.*)$`).FindAllStringSubmatch(unit, -1) {
		names, without := strings.CutPrefix(line[1], "~")
		for name := range strings.FieldsSeq(names) {
			for _, call := range callsOf(t, name) {
				if allowed[call] = !without; without {
					delete(allowed, call)
				}
			}
		}
	}
	return allowed
}

// callsOf resolves a group of system calls, which may hold others.
func callsOf(t *testing.T, name string) (calls []string) {
	t.Helper()
	if !strings.HasPrefix(name, "@") {
		return []string{name}
	}
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "syscall-filter", "--no-pager", name).Output()
	if err != nil {
		t.Fatalf("ask for the system calls of %s: %v", name, err)
	}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && line != name && !strings.HasPrefix(line, "#") {
			calls = append(calls, callsOf(t, line)...)
		}
	}
	return calls
}

// All that a server does for its users, MuPDF's process included, passes the
// filter of the unit.
func TestUnitAllowsWhatIsDone(t *testing.T) {
	t.Parallel()
	installed(t, "strace", "strace")
	installed(t, "systemd-analyze", "systemd")
	allowed := filtered(t, deployed(t, "licensekit.service"))
	trace := filepath.Join(t.TempDir(), "trace")
	program := built(t)
	expected := []string{"execve", "mmap", "fsync"}
	if exercise(t, program, t.TempDir(), "strace", "-D", "-f", "-qq", "-e", "trace=all", "-e", "signal=none", "-o", trace, program) {
		expected = append(expected, "seccomp")
	}
	file, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	line := regexp.MustCompile(`^\d+ +(\w+)\(`)
	done := map[string]bool{}
	for s := bufio.NewScanner(file); s.Scan(); {
		if found := line.FindStringSubmatch(s.Text()); found != nil {
			done[found[1]] = true
		}
	}
	for _, call := range expected {
		if !done[call] {
			t.Errorf("the trace has no %s, want the whole of a server in it", call)
		}
	}
	for call := range done {
		if !allowed[call] {
			t.Errorf("the server does %s, which the unit does not allow", call)
		}
	}
}

// exercise has a server start, import, freeze, draw, verify and stop, and tells
// whether it can draw. It is started by a command that ends with the program.
func exercise(t *testing.T, program, dir string, command ...string) (drew bool) {
	t.Helper()
	data := filepath.Join(dir, "data")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	server := exec.CommandContext(ctx, command[0], append(command[1:], "serve", "--data", data, "--listen", "127.0.0.1:0", "--json")...)
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	server.WaitDelay = time.Minute
	server.Stderr = &bytes.Buffer{} // strace holds it too, so that its end is waited for
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		server.Process.Signal(os.Interrupt)
		server.Wait()
	}()
	var up struct{ URL string }
	if err := json.NewDecoder(out).Decode(&up); err != nil {
		t.Fatalf("the server does not say where it answers: %v", err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, program, args...)
		text, err := cmd.Output()
		if exit, failed := errors.AsType[*exec.ExitError](err); failed {
			t.Fatalf("%q: %v: %s", args, err, exit.Stderr)
		} else if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	rows := filepath.Join(dir, "usage.csv")
	if err := os.WriteFile(rows, []byte("id,occurred_at,action,amount\ne1,2025-12-31T23:30:00Z,usage.consumed,5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run("import", "--data", data, "--as", "activities", rows)
	token := run("token", "issue", "--data", data, "--name", "t", "--scope", "report:export")
	for _, format := range []string{"pdf", "xlsx", "csv"} {
		var export struct{ ID string }
		if err := json.Unmarshal([]byte(run("export", "create", "--data", data, "--kind", "usage-ledger", "--format", format, "--json")), &export); err != nil {
			t.Fatal(err)
		}
		paths := []string{"/verification", "/bundle", "/download"}
		if format == "pdf" {
			paths = append(paths, "/pages/1.png")
		}
		for _, path := range paths {
			request, err := http.NewRequestWithContext(ctx, "GET", up.URL+"/api/v1/reports/exports/"+export.ID+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+token)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			drew = drew || strings.HasSuffix(path, ".png") && response.StatusCode == http.StatusOK
			if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNotImplemented {
				t.Errorf("%s of the %s: status %d", path, format, response.StatusCode)
			}
		}
	}
	return drew
}

// instruction is a line of a Containerfile.
type instruction struct{ name, rest string }

func instructions(text string) (list []instruction) {
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		list = append(list, instruction{name, strings.TrimSpace(rest)})
	}
	return list
}

// The image's file is for a program without root, shell or libraries. No
// container engine is needed to see that.
func TestContainerfile(t *testing.T) {
	t.Parallel()
	list := instructions(deployed(t, "Containerfile"))
	module, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(module))
	if first := list[0]; first.name != "FROM" || !strings.HasSuffix(first.rest, "/golang:"+version[1]+" AS build") {
		t.Errorf("it begins with %v, want an image of Go %s, as go.mod has it", first, version[1])
	}
	final := 0
	last := map[string]string{} // of the final stage, by name
	for i, in := range list {
		if in.name == "FROM" {
			final, last = i, map[string]string{}
		}
		last[in.name] = in.rest
		if in.name != "COPY" {
			continue
		}
		words := slices.DeleteFunc(strings.Fields(in.rest), func(word string) bool { return strings.HasPrefix(word, "--") })
		for _, source := range words[:len(words)-1] {
			if strings.Contains(in.rest, "--from=build") {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", "..", source)); errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it copies %s, which is not there", source)
			}
		}
	}
	if final == 0 || last["FROM"] != "scratch" {
		t.Errorf("the image is made from %q, want scratch, in a stage of its own", last["FROM"])
	}
	if run := last["RUN"]; run != "" {
		t.Errorf("the image runs %q, want nothing: it has no shell", run)
	}
	if user := last["USER"]; !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
		t.Errorf("user %q, want numbers that are not root's", user)
	}
	var entry, command []string
	if err := errors.Join(json.Unmarshal([]byte(last["ENTRYPOINT"]), &entry), json.Unmarshal([]byte(last["CMD"]), &command)); err != nil {
		t.Fatalf("entry point %q, command %q: %v; want lists, for there is no shell", last["ENTRYPOINT"], last["CMD"], err)
	}
	if !slices.Equal(entry, []string{"/licensekit"}) || command[0] != "serve" || !strings.Contains(last["VOLUME"], command[2]) {
		t.Errorf("entry point %q, command %q, volume %q; want a server over the volume", entry, command, last["VOLUME"])
	}
	_, port, err := net.SplitHostPort(command[len(command)-1])
	if err != nil || port != last["EXPOSE"] {
		t.Errorf("it listens on %q and exposes %q", command[len(command)-1], last["EXPOSE"])
	}
}

// The release runs where nothing else is, as the image has it: no shell, no
// library, no /proc, another user than root.
func TestImage(t *testing.T) {
	t.Parallel()
	release := os.Getenv(releaseVar)
	if release == "" || os.Getuid() != 0 {
		t.Skipf("%s does not name a directory that .ci/release made, or this is not root", releaseVar)
	}
	installed(t, "chroot", "coreutils")
	root := t.TempDir()
	program, err := os.ReadFile(filepath.Join(release, "licensekit-linux-"+runtime.GOARCH))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		os.Chmod(root, 0o755),
		os.WriteFile(filepath.Join(root, "licensekit"), program, 0o755),
		os.Mkdir(filepath.Join(root, "data"), 0o700), os.Chown(filepath.Join(root, "data"), 65532, 65532),
		os.Mkdir(filepath.Join(root, "tmp"), 0o777), os.Chmod(filepath.Join(root, "tmp"), 0o777),
		os.WriteFile(filepath.Join(root, "tmp", "usage.csv"), []byte("id,occurred_at,action,amount\ne1,2025-12-31T23:30:00Z,usage.consumed,5\n"), 0o644),
	); err != nil {
		t.Fatal(err)
	}
	for parent := filepath.Dir(root); parent != os.TempDir() && parent != "/"; parent = filepath.Dir(parent) {
		if err := os.Chmod(parent, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want string, args ...string) {
		t.Helper()
		args = append([]string{"--userspec=65532:65532", root, "/licensekit"}, args...)
		cmd := exec.CommandContext(t.Context(), "chroot", args...)
		cmd.Env = []string{"LICENSEKIT_DATA=/data"}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v, want %q\n%s", args, err, want, out)
		}
	}
	run("1 accepted", "import", "--as", "activities", "/tmp/usage.csv")
	run("ready", "export", "create", "--kind", "usage-ledger", "--format", "pdf")
	run("rptx_", "export", "list")
	run("", "check")
}
