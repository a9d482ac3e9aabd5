//go:build !windows

package blobstore

import "os"

// syncDir makes the names in an open directory durable.
func syncDir(dir *os.File) error { return dir.Sync() }

// syncFound makes a file durable that was opened for reading.
func syncFound(f *os.File) error { return f.Sync() }
