//go:build cgo

package mupdf

import "golang.org/x/sys/unix"

const architecture = unix.AUDIT_ARCH_X86_64

// otherNumbers refuses those of the x32 ABI, which has the same architecture.
var otherNumbers = []unix.SockFilter{skip(unix.BPF_JGE, 0x40000000, 0, 1), end(kill)}

var ownCalls = []uintptr{unix.SYS_EPOLL_WAIT}
