//go:build unix

package ledger

import (
	"syscall"
	"time"
)

// processor is the processor time that this process has used: what a busy
// machine disturbs least.
func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
