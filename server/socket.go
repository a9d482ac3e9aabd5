package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// SocketPath is where the server of a data directory listens for the
// directory's owner.
func SocketPath(data string) string { return filepath.Join(data, "serve.sock") }

// ListenOwner listens on the socket of an opened data directory, which nobody
// but the directory's owner can open. A socket that a crash left behind is
// replaced: the lock on the database has shown that no other server runs.
//
// The socket is made in tmp/, which only the owner can enter, and gets its
// place once its mode is right: the data directory itself may be older than
// this program and open to others.
func ListenOwner(data string) (Listener, error) {
	path := SocketPath(data)
	staged := filepath.Join(data, "tmp", filepath.Base(path))
	short, done, err := shortPath(staged)
	if err != nil {
		return Listener{}, err
	}
	defer done()
	l, err := listenPrivately(short)
	if err != nil {
		return Listener{}, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Rename(staged, path); err != nil {
		return Listener{}, errors.Join(fmt.Errorf("listen on %s: %w", path, err), l.Close(), os.Remove(staged))
	}
	return Listener{Listener: unlinking{l, path}, owner: true}, nil
}

// unlinking removes the socket by its full name when it is closed.
type unlinking struct {
	net.Listener
	path string
}

// Close stops listening.
func (l unlinking) Close() error {
	err := l.Listener.Close()
	os.Remove(l.path) // gone already, or replaced at the next start
	return err
}

// DialOwner connects to the server that holds a data directory. The error is
// fs.ErrNotExist or ECONNREFUSED where none does.
func DialOwner(ctx context.Context, data string) (net.Conn, error) {
	short, done, err := shortPath(SocketPath(data))
	if err != nil {
		return nil, err
	}
	defer done()
	var dialer net.Dialer
	return dialer.DialContext(ctx, "unix", short)
}

// maxSocketPath is what fits into the sockaddr_un of every system.
const maxSocketPath = 100

// shortPath gives a name of a socket that fits where its own is too long: by
// way of an open directory, which Linux names in /proc.
func shortPath(path string) (short string, done func(), err error) {
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	short = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	if _, err := os.Stat(filepath.Dir(short)); err != nil {
		dir.Close()
		return "", nil, fmt.Errorf("the path of %s is too long for a unix socket; move the data directory", path)
	}
	return short, func() { dir.Close() }, nil
}
