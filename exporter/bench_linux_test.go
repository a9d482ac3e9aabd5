package exporter

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData is how the database syncs here.
func syncData(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }
