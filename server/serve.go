package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// shutdownGrace is how long a stop waits for requests that are under way.
const shutdownGrace = 20 * time.Second

// Serve answers on the listeners until ctx ends, one of them breaks or the disk
// fails, then lets requests that are under way finish within a grace. The
// listeners are closed when it returns, and the server answers no more. An
// error that [exporter.IsOutage] knows means that the data directory must be
// opened again before anything more is written.
func (s *Server) Serve(ctx context.Context, listeners ...Listener) error {
	defer s.recordStart(listeners)()
	group, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, s.stop)()
	group.Go(func() error { return s.outage(ctx) })
	for _, l := range listeners {
		server := s.httpServer(l.owner)
		group.Go(func() error {
			defer l.Close() // net/http leaves it open where the certificate can't be read
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

// outage waits until the disk fails or ctx ends.
func (s *Server) outage(ctx context.Context) error {
	select {
	case <-s.dir.DB.Failed():
		return s.dir.DB.Err()
	case <-s.exports.Failed():
		return s.exports.Err()
	case <-ctx.Done():
		return nil
	}
}

func (s *Server) httpServer(owner bool) *http.Server {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		// net/http would answer OPTIONS * itself, without the envelope.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelWarn),
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

// Loopback tells whether an address is one that only this machine reaches.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
