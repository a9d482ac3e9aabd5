//go:build cgo && (amd64 || arm64)

package mupdf

import (
	"slices"

	"golang.org/x/sys/unix"
)

// allowed are the system calls that Go's runtime, the C library's memory and
// threads, and two pipes need.
var allowed = append([]uintptr{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_CLOSE,
	unix.SYS_MUNMAP, unix.SYS_MREMAP, unix.SYS_MADVISE, unix.SYS_BRK,
	unix.SYS_FUTEX, unix.SYS_SCHED_YIELD, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY,
	unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_CTL,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_RESTART_SYSCALL,
	unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETRANDOM,
	unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
}, ownCalls...)

// What a filter sees of a system call, by its place in struct seccomp_data. Of
// arguments it is the lower half: both processors are little-endian.
const (
	atNumber       = 0
	atArchitecture = 4
	atArguments    = 16
)

func argument(n uint32) uint32 { return atArguments + 8*n }

// What becomes of a system call.
const (
	allow   = unix.SECCOMP_RET_ALLOW
	kill    = unix.SECCOMP_RET_KILL_PROCESS
	refused = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	absent  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS) // so that the C library takes an older one
)

// program is a filter for the process with this id.
func program(pid int) []unix.SockFilter {
	p := []unix.SockFilter{load(atArchitecture), skip(unix.BPF_JEQ, architecture, 1, 0), end(kill), load(atNumber)}
	p = append(p, otherNumbers...)
	for _, call := range allowed {
		p = append(p, skip(unix.BPF_JEQ, uint32(call), 0, 1), end(allow))
	}
	// No memory that is executed.
	for _, call := range []uint32{unix.SYS_MMAP, unix.SYS_MPROTECT} {
		p = append(p, when(call, load(argument(2)), skip(unix.BPF_JSET, unix.PROT_EXEC, 1, 0), end(allow))...)
	}
	// Threads, no processes.
	p = append(p, when(unix.SYS_CLONE, load(argument(0)), skip(unix.BPF_JSET, unix.CLONE_THREAD, 0, 1), end(allow))...)
	p = append(p, when(unix.SYS_CLONE3, end(absent))...)
	// Signals to itself: the runtime interrupts threads with them.
	p = append(p, when(unix.SYS_TGKILL, load(argument(0)), skip(unix.BPF_JEQ, uint32(pid), 0, 1), end(allow))...)
	return append(p, end(refused))
}

// when does some things for a system call, and ends with a refusal unless they
// came to an end.
func when(call uint32, then ...unix.SockFilter) []unix.SockFilter {
	then = append(slices.Clip(then), end(refused))
	return append([]unix.SockFilter{skip(unix.BPF_JEQ, call, 0, uint8(len(then)))}, then...)
}

func load(at uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
}

// skip leaves out as many of the next instructions, whether a comparison with
// what was loaded holds or not.
func skip(comparison uint16, with uint32, holds, fails uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | comparison | unix.BPF_K, Jt: holds, Jf: fails, K: with}
}

func end(with uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: with}
}
