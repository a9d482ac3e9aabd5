//go:build !linux

package blobstore

import (
	"errors"
	"os"
)

// Only Linux can link a file that has no name.
func canLinkUnnamed(*os.Root) bool { return false }

func openUnnamed(*os.Root) (*os.File, error) { return nil, errors.ErrUnsupported }

func linkUnnamed(*os.File, *os.Root, string) error { return errors.ErrUnsupported }

// startWriteback leaves it to the system when it writes to the disk.
func startWriteback(*os.File, int64, int64) {}

// flush makes the bytes of a file durable.
func flush(f *os.File) error { return f.Sync() }

// forgetPages has no counterpart.
func forgetPages(*os.File) {}
