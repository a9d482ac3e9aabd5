//go:build cgo && linux && (amd64 || arm64)

package mupdf

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

type attempt struct {
	name string
	try  func() error
}

// attempts are what somebody who took over the process would try. They run in
// the process, instead of MuPDF.
var attempts = []attempt{
	{"read a file", func() error { _, err := os.ReadFile("/etc/passwd"); return err }},
	{"write a file", func() error { return os.WriteFile("/tmp/licensekit-left-behind", nil, 0o600) }},
	{"list a directory", func() error { _, err := os.ReadDir("/"); return err }},
	{"look at a file", func() error { _, err := os.Stat("/etc/passwd"); return err }},
	{"open a TCP socket", func() error { return second(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)) }},
	{"open a unix socket", func() error { return second(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)) }},
	{"start a program", func() error { return unix.Exec("/bin/true", []string{"true"}, nil) }},
	{"fork", func() error { return second(syscall.ForkExec("/bin/true", []string{"true"}, nil)) }},
	{"signal another process", func() error { return unix.Kill(os.Getppid(), 0) }},
	{"signal a thread of another", func() error { return unix.Tgkill(1, 1, 0) }},
	{"trace another process", func() error { return unix.PtraceAttach(1) }},
	{"read its memory", func() error {
		_, err := unix.ProcessVMReadv(1, []unix.Iovec{{}}, []unix.RemoteIovec{{}}, 0)
		return err
	}},
	{"raise a limit", func() error { return unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}) }},
	{"take another name space", func() error { return unix.Unshare(unix.CLONE_NEWUSER) }},
	{"duplicate a file", func() error { return second(unix.Dup(0)) }},
	{"use io_uring", func() error {
		var parameters [120]byte
		_, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&parameters)), 0)
		return asError(errno)
	}},
	{"map memory to execute", func() error {
		return second(unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON))
	}},
	{"make memory executable", func() error {
		page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return fmt.Errorf("map memory: %v", err)
		}
		return unix.Mprotect(page, unix.PROT_READ|unix.PROT_EXEC)
	}},
	{"set another filter", func() error { return asError(rawCall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER)) }},
}

func second[T any](_ T, err error) error { return err }

func rawCall(number, first uintptr) syscall.Errno {
	_, _, errno := unix.Syscall(number, first, 0, 0)
	return errno
}

func asError(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// permitted is said of what worked.
const permitted = "it worked"

// The probes, by the job's page.
const (
	tryAll = iota
	crash
)

// The variable is set before the package's init, which is the process.
var _ = func() bool { probe = probes; return true }()

func probes(page int64) []byte {
	if page == crash {
		var nowhere *[1]byte
		return nowhere[:]
	}
	var said []string
	for _, a := range attempts {
		err := a.try()
		switch {
		case err == nil:
			said = append(said, permitted)
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSYS):
			said = append(said, "")
		default:
			said = append(said, err.Error())
		}
	}
	return []byte(strings.Join(said, "\n"))
}

// askProbe has a process do a probe.
func askProbe(t *testing.T, page int64) ([]byte, error) {
	t.Helper()
	p, err := ask(t.Context(), job{Task: runProbe, Page: page, Limits: limits{Memory: 1 << 30, CPU: time.Minute, Answer: time.Minute}}, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	defer p.end()
	return p.answer()
}

// The process can do nothing but answer.
func TestConfined(t *testing.T) {
	text, err := askProbe(t, tryAll)
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Split(string(text), "\n")
	if len(said) != len(attempts) {
		t.Fatalf("%d attempts were told of, want %d: %q", len(said), len(attempts), said)
	}
	for i, a := range attempts {
		if said[i] != "" {
			t.Errorf("%s: %s; want it refused", a.name, said[i])
		}
	}
}

// What is refused there works here, or the test above would show nothing.
func TestUnconfined(t *testing.T) {
	for _, name := range []string{"read a file", "list a directory", "open a TCP socket", "open a unix socket", "duplicate a file", "make memory executable"} {
		i := slices.IndexFunc(attempts, func(a attempt) bool { return a.name == name })
		if err := attempts[i].try(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A process that crashes, as MuPDF may, is an error that says so.
func TestCrash(t *testing.T) {
	text, err := askProbe(t, crash)
	if !errors.Is(err, ErrUnread) || !strings.Contains(err.Error(), "segmentation violation") {
		t.Errorf("answer %q, error %v; want one that names the crash", text, err)
	}
}
