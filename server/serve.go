package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// shutdownGrace is how long a stop waits for requests that are under way.
const shutdownGrace = 20 * time.Second

// Serve answers on the listeners until ctx ends, then lets requests that are
// under way finish within a grace.
func (s *Server) Serve(ctx context.Context, listeners ...Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		server := s.httpServer(l.owner)
		group.Go(func() error {
			var err error
			if l.certFile != "" {
				err = server.ServeTLS(l.Listener, l.certFile, l.keyFile)
			} else {
				err = server.Serve(l.Listener)
			}
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return fmt.Errorf("serve on %s: %w", l.Addr(), err)
		})
		group.Go(func() error {
			<-ctx.Done()
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
			defer cancel()
			if err := server.Shutdown(grace); err != nil {
				return errors.Join(fmt.Errorf("stop serving on %s: %w", l.Addr(), err), server.Close())
			}
			return nil
		})
	}
	return group.Wait()
}

func (s *Server) httpServer(owner bool) *http.Server {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelWarn),
	}
	if owner {
		server.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return asOwner(ctx) }
	}
	return server
}

// Listener is where a server answers, and for whom.
type Listener struct {
	net.Listener
	owner             bool
	certFile, keyFile string
}

// ListenTCP listens for clients with tokens, over TLS where files are named.
func ListenTCP(address, certFile, keyFile string) (Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return Listener{}, fmt.Errorf("listen on %s: %w", address, err)
	}
	return Listener{Listener: l, certFile: certFile, keyFile: keyFile}, nil
}

// ListenOwner listens on the data directory's socket, which nobody but its
// owner can open. A socket that a crash left behind is replaced: the lock on
// the database has shown that no other server runs.
func ListenOwner(data string) (Listener, error) {
	path := SocketPath(data)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Listener{}, fmt.Errorf("remove old socket %s: %w", path, err)
	}
	short, done, err := shortPath(path)
	if err != nil {
		return Listener{}, err
	}
	defer done()
	l, err := listenPrivately(short)
	if err != nil {
		return Listener{}, fmt.Errorf("listen on %s: %w", path, err)
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

// Loopback tells whether an address is one that only this machine reaches.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
