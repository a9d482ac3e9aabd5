//go:build cgo && (amd64 || arm64)

package mupdf

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// confine gives up what the process does not need.
func confine(l limits) error {
	time.Sleep(time.Millisecond) // the runtime opens what it waits for timers with
	space, err := addressSpace()
	if err != nil {
		return err
	}
	for _, limit := range []struct {
		name     string
		resource int
		most     uint64
	}{
		{"memory", unix.RLIMIT_AS, space + uint64(l.Memory)},
		{"processor time", unix.RLIMIT_CPU, uint64(max(l.CPU/time.Second, 1))},
		{"size of files", unix.RLIMIT_FSIZE, 0},
		{"size of core dumps", unix.RLIMIT_CORE, 0},
		{"open files", unix.RLIMIT_NOFILE, 0}, // those that are open stay so
	} {
		if err := lower(limit.resource, limit.most); err != nil {
			return fmt.Errorf("limit the %s to %d: %w", limit.name, limit.most, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("refuse to be traced: %w", err)
	}
	return filterCalls()
}

// lower sets a limit, unless it is lower already.
func lower(resource int, most uint64) error {
	var now unix.Rlimit
	if err := unix.Getrlimit(resource, &now); err != nil {
		return err
	}
	most = min(most, now.Max)
	return unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most})
}

// addressSpace is how much of it the process has by now, in bytes. The runtime
// reserves far more than it uses, with the race detector terabytes.
func addressSpace() (uint64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	pages, err := strconv.ParseUint(first, 10, 64)
	return pages * uint64(os.Getpagesize()), err
}

// filterCalls lets all threads do no system calls but those of program, for
// good.
func filterCalls() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	filter := program(os.Getpid())
	code := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&code)))
	switch {
	case errno != 0:
		return fmt.Errorf("filter system calls: %w", errno)
	case thread != 0:
		return fmt.Errorf("filter system calls: thread %d has another filter", thread)
	}
	return nil
}

// peak is the most memory that a process held which has ended, in bytes.
func peak(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss << 10
}
