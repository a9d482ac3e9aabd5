//go:build !unix

package server

import (
	"errors"
	"net"
)

// listenPrivately is not offered where a socket's mode does not keep others out.
func listenPrivately(string) (net.Listener, error) { return nil, errors.ErrUnsupported }
