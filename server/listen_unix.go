//go:build unix

package server

import (
	"net"
	"os"
)

// listenPrivately makes a unix socket that only its owner can open, in a
// directory that is the owner's alone, so that nobody gets between the two
// calls.
func listenPrivately(path string) (net.Listener, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}
