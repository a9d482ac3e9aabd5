//go:build linux

package faults

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tracedCalls are the system calls by which a file, a name or an open file can
// change, or come to the disk. What the replay does not know of them ends it.
var tracedCalls = []string{
	"open", "openat", "openat2", "creat", "close", "close_range", "dup", "dup2", "dup3", "fcntl", "lseek",
	"write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "splice", "vmsplice", "copy_file_range", "ioctl",
	"ftruncate", "truncate", "fallocate", "mmap", "msync", "io_uring_setup",
	"fsync", "fdatasync", "sync", "syncfs", "sync_file_range",
	"link", "linkat", "symlink", "symlinkat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir",
	"mkdir", "mkdirat", "mknod", "mknodat", "bind", "chmod", "fchmod", "fchmodat", "fchmodat2",
	"clone", "clone3", "fork", "vfork", "execve", "execveat", "chdir", "fchdir", "chroot",
}

// tracer is the command that runs a program and writes its trace to a file, all
// text and data in hex and whole.
func tracer(trace string) []string {
	return []string{
		"strace", "-f", "--seccomp-bpf", "-y", "-xx", "-ttt", "-s", strconv.Itoa(longestWrite), "-e", "signal=none", "-qq",
		"-o", trace, "-e", "trace=?" + strings.Join(tracedCalls, ",?"), // ? for those that an older strace lacks
	}
}

const longestWrite = 64 << 20

// call is a system call. Its arguments are as strace prints them.
type call struct {
	thread int
	name   string
	args   []string
	result string // a number, or a descriptor; "" if it failed or never returned
	failed bool
	data   []byte // that it wrote, once somebody has asked
}

// moment is when a call begins, or has ended. Between the two it may have been
// done or not.
type moment struct {
	*call
	ended bool
	at    time.Time // not before
	of    *trace
}

// trace is what a program did, its threads and their children.
type trace struct {
	moments []moment
	threads map[int]bool // whether it is one of the program itself, not of a child
	cut     []*call      // calls of the program that the end of the process came into
}

// readTrace reads what strace wrote.
func readTrace(path string) (*trace, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &trace{threads: map[int]bool{}}
	entered := map[int]*call{} // by thread
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if err := t.add(strings.TrimSuffix(line, "\n"), entered); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w: %.100s…%s", filepath.Base(path), number, err, line, line[max(0, len(line)-100):])
		}
	}
	for _, c := range entered {
		t.unreturned(c)
	}
	return t, t.follow()
}

// unreturned is for a call that the end of the process came into.
func (t *trace) unreturned(c *call) {
	if c == unbegun {
		return
	}
	if len(c.args) == 1 { // all that was printed
		c.args = splitArgs(strings.TrimPrefix(c.args[0], c.name+"("))
	}
	t.cut = append(t.cut, c)
}

// unbegun stands for a call of which nothing is known: the end of the process
// came as a thread was about to make it, so that it did nothing.
var unbegun = &call{name: "???"}

var errTrace = errors.New("not understood")

// add takes in a line. What a call printed before that of another thread came
// between is kept with it in args.
func (t *trace) add(line string, entered map[int]*call) error {
	number, rest, _ := strings.Cut(line, " ")
	thread, err := strconv.Atoi(number)
	if err != nil {
		return errTrace
	}
	stamp, rest, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	at, err := parseStamp(stamp)
	if err != nil {
		return err
	}
	c := entered[thread]
	if c == nil && strings.HasPrefix(rest, "???(") || c == unbegun && strings.HasPrefix(rest, "<... ??? resumed>") {
		if _, result, ended := strings.Cut(rest, " = "); ended && result != "?" {
			return errTrace
		}
		entered[thread] = unbegun
		return nil
	}
	if strings.HasPrefix(rest, "+++ exited with ") || strings.HasPrefix(rest, "+++ killed by ") {
		if c != nil {
			t.unreturned(c)
		}
		delete(entered, thread)
		return nil
	}
	if resumed, ok := strings.CutPrefix(rest, "<... "); ok {
		name, tail, found := strings.Cut(resumed, " resumed>")
		if c == nil || c.name != name || !found {
			return errTrace
		}
		delete(entered, thread)
		rest = c.args[0] + tail
	} else if c != nil {
		return fmt.Errorf("%w: %s of this thread has not ended", errTrace, c.name)
	} else {
		name, _, found := strings.Cut(rest, "(")
		if !found || !slices.Contains(tracedCalls, name) {
			return errTrace
		}
		c = &call{thread: thread, name: name}
		t.moments = append(t.moments, moment{c, false, at, t})
	}
	if begun, unfinished := strings.CutSuffix(rest, " <unfinished ...>"); unfinished {
		c.args, entered[thread] = []string{begun}, c
		return nil
	}
	if begun, killed := strings.CutSuffix(rest, " <detached ...>"); killed {
		c.args = []string{begun}
		t.unreturned(c)
		return nil
	}
	returned, err := c.parse(rest)
	if returned {
		t.moments = append(t.moments, moment{c, true, at, t})
	} else if err == nil {
		t.cut = append(t.cut, c)
	}
	return err
}

func parseStamp(text string) (time.Time, error) {
	seconds, micros, found := strings.Cut(text, ".")
	s, err := strconv.ParseInt(seconds, 10, 64)
	if !found || err != nil || len(micros) != 6 {
		return time.Time{}, errTrace
	}
	us, err := strconv.ParseInt(micros, 10, 64)
	if err != nil {
		return time.Time{}, errTrace
	}
	return time.Unix(s, us*1000), nil
}

// parse reads a whole call: name(args) = result. It has not returned if the
// process ended within it.
func (c *call) parse(text string) (returned bool, err error) {
	end := strings.LastIndex(text, " = ")
	if end < 0 {
		return false, errTrace
	}
	inner, closed := strings.CutSuffix(strings.TrimRight(text[:end], " "), ")")
	inner, opened := strings.CutPrefix(inner, c.name+"(")
	if !opened || !closed {
		return false, errTrace
	}
	c.args = splitArgs(strings.TrimSuffix(inner, " <unfinished ...>"))
	result := text[end+len(" = "):]
	if result == "?" || result == "? <unavailable>" || strings.HasPrefix(result, "-1 (errno ") { // as they are shown after a kill
		return false, nil
	}
	if c.failed = strings.HasPrefix(result, "-1 E") || strings.HasPrefix(result, "? ERESTART"); c.failed {
		return true, nil
	}
	c.result, _, _ = strings.Cut(result, " ")
	if c.result == "" || c.result[0] < '0' || c.result[0] > '9' {
		return false, errTrace
	}
	return true, nil
}

// splitArgs parts arguments at the commas that are outside of brackets. Texts
// and paths are in hex, so that there are none in them.
func splitArgs(text string) (args []string) {
	depth, start := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"': // may be long
			i += 1 + max(0, strings.IndexByte(text[i+1:], '"'))
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ',':
			if depth == 0 {
				args = append(args, strings.TrimSpace(text[start:i]))
				start = i + 1
			}
		}
	}
	if start < len(text) {
		args = append(args, strings.TrimSpace(text[start:]))
	}
	return args
}

// follow finds out which threads are the program's own.
func (t *trace) follow() error {
	if len(t.moments) == 0 || t.moments[0].name != "execve" {
		return fmt.Errorf("trace: got no execve at the beginning")
	}
	t.threads[t.moments[0].thread] = true
	for _, m := range t.moments { // a thread's first call may come before clone has returned
		if !m.ended || m.failed {
			continue
		}
		switch m.name {
		case "clone", "clone3", "fork", "vfork":
			child, err := strconv.Atoi(m.result)
			if err != nil {
				return fmt.Errorf("trace: %s = %s: %w", m.name, m.result, errTrace)
			}
			t.threads[child] = t.threads[m.thread] && strings.Contains(strings.Join(m.args, ","), "CLONE_THREAD")
		}
	}
	for _, m := range t.moments {
		if _, known := t.threads[m.thread]; !known {
			return fmt.Errorf("trace: thread %d comes from nowhere", m.thread)
		}
	}
	return nil
}

// descriptor is an argument or a result such as 5</path> or AT_FDCWD</path>.
type descriptor struct {
	number int // -1 of AT_FDCWD
	path   string
}

func parseDescriptor(text string) (d descriptor, err error) {
	number, path, _ := strings.Cut(text, "<")
	path, _, _ = strings.Cut(path, ">")
	if d.number = -1; number != "AT_FDCWD" {
		if d.number, err = strconv.Atoi(number); err != nil {
			return d, fmt.Errorf("descriptor %q: %w", text, errTrace)
		}
	}
	decoded, err := unhex(path)
	d.path = string(decoded)
	return d, err
}

// unquote decodes a text that was printed whole.
func unquote(text string) ([]byte, error) {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return nil, fmt.Errorf("text %.80q: %w", text, errTrace)
	}
	return unhex(text[1 : len(text)-1])
}

func unhex(text string) ([]byte, error) {
	if len(text)%4 != 0 {
		return nil, fmt.Errorf("text %.80q: %w", text, errTrace)
	}
	decoded := make([]byte, len(text)/4)
	for i := range decoded {
		if text[4*i] != '\\' || text[4*i+1] != 'x' {
			return nil, fmt.Errorf("text %.80q: %w", text, errTrace)
		}
		if _, err := hex.Decode(decoded[i:i+1], []byte(text[4*i+2:4*i+4])); err != nil {
			return nil, fmt.Errorf("text %.80q: %w", text, errTrace)
		}
	}
	return decoded, nil
}

func TestReadTrace(t *testing.T) {
	const head = "7 100.000001 execve(\"\\x2f\", [], 0x7 /* 2 vars */) = 0\n"
	write := func(text string) (*trace, error) {
		path := filepath.Join(t.TempDir(), "trace")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return readTrace(path)
	}
	got, err := write(head +
		"7 100.000002 clone3({flags=CLONE_VM|CLONE_THREAD, stack=0x7} => {parent_tid=[8]}, 88) = 8\n" +
		"7 100.000003 pwrite64(5<\\x2f\\x61>, \"\\x61\\x2c\", 2, 4096 <unfinished ...>\n" +
		"8 100.000004 fsync(5<\\x2f\\x61>(deleted)) = -1 EIO (Input/output error)\n" +
		"7 100.000005 <... pwrite64 resumed>)      = 2\n" +
		"7 100.000006 vfork() = 9\n" +
		"9 100.000007 close(5<\\x2f\\x61> <unfinished ...>\n" +
		"9 100.000008 +++ killed by SIGKILL +++\n" +
		"8 100.000009 write(5<\\x2f\\x61>, \"\\x61\", 1 <unfinished ...>) = ?\n" +
		"7 100.000010 fcntl(5<\\x2f\\x61>, F_GETFL) = ? <unavailable>\n" +
		"8 100.000010 +++ exited with 0 +++\n" +
		"8 100.000011 ???()           = ?\n" +
		"7 100.000011 ???( <unfinished ...>\n" +
		"7 100.000012 <... ??? resumed>)      = ?\n" +
		"7 100.000012 +++ killed by SIGKILL +++\n")
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, m := range got.moments {
		order = append(order, fmt.Sprintf("%d %s %t %t", m.thread, m.name, m.ended, m.failed))
	}
	want := []string{
		"7 execve false false", "7 execve true false", "7 clone3 false false", "7 clone3 true false", "7 pwrite64 false false",
		"8 fsync false true", "8 fsync true true", "7 pwrite64 true false", "7 vfork false false", "7 vfork true false", "9 close false false", "8 write false false",
		"7 fcntl false false",
	}
	if !slices.Equal(order, want) {
		t.Errorf("moments: got %q, want %q", order, want)
	}
	if !got.threads[8] || got.threads[9] {
		t.Errorf("threads: got %v, want 7 and 8", got.threads)
	}
	p := got.moments[4].call
	fd, err := parseDescriptor(p.args[0])
	if err != nil || fd.number != 5 || fd.path != "/a" {
		t.Errorf("descriptor: got %+v, %v; want 5 of /a", fd, err)
	}
	if data, err := unquote(p.args[1]); string(data) != "a," || err != nil || len(p.args) != 4 || p.args[3] != "4096" {
		t.Errorf("arguments: got %q, %q, %v", p.args, data, err)
	}
	for name, text := range map[string]string{
		"a call that is not traced": head + "7 100.000002 read(5) = 0\n",
		"one that never began":      head + "7 100.000002 <... write resumed>) = 5\n",
		"another one resumed":       head + "7 100.000002 write(5 <unfinished ...>\n7 100.000003 <... fsync resumed>) = 0\n",
		"one that went on":          head + "7 100.000002 ???( <unfinished ...>\n7 100.000003 fsync(5) = 0\n",
		"one that had a result":     head + "7 100.000002 ???() = 0\n",
		"one resumed as another":    head + "7 100.000002 ???( <unfinished ...>\n7 100.000003 <... fsync resumed>) = 0\n",
		"two at once":               head + "7 100.000002 write(5 <unfinished ...>\n7 100.000003 fsync(5) = 0\n",
		"a signal":                  head + "7 100.000002 --- SIGURG {si_signo=SIGURG} ---\n",
		"an unknown result":         head + "7 100.000002 fsync(5) = !\n",
		"half a line":               head + "7 100.000002 fsync(5",
		"an unknown thread":         head + "8 100.000002 fsync(5) = 0\n",
		"no beginning":              "7 100.000002 fsync(5) = 0\n",
	} {
		if got, err := write(text); err == nil {
			t.Errorf("%s: got %d moments, want an error", name, len(got.moments))
		}
	}
	for _, text := range []string{`"\x61"...`, `"a"`, `"\x6"`, `0x7f00`} {
		if got, err := unquote(text); err == nil {
			t.Errorf("unquote %s: got %q, want an error", text, got)
		}
	}
}
