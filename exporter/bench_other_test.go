//go:build !linux

package exporter

import "os"

// syncData is how the database syncs here.
func syncData(f *os.File) error { return f.Sync() }
