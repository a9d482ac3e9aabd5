//go:build cgo

package mupdf

import "golang.org/x/sys/unix"

const architecture = unix.AUDIT_ARCH_AARCH64

var otherNumbers []unix.SockFilter

var ownCalls []uintptr
