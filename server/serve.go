package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// shutdownGrace is how long a stop waits for requests that are under way.
const shutdownGrace = 20 * time.Second

// headTime is how long the head of a request may take, and a TLS handshake.
const headTime = 10 * time.Second

// Serve answers on the listeners until ctx ends, one of them breaks or the disk
// fails. Told to end, it goes on as not ready for as long as the options say,
// so that others stop sending requests; then it lets those that are under way
// finish within a grace. The listeners are closed when it returns, and the
// server answers no more. An error that [exporter.IsOutage] knows means that the
// data directory must be opened again before anything more is written.
func (s *Server) Serve(ctx context.Context, listeners ...Listener) error {
	defer s.recordStart(listeners)()
	told := ctx
	group, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, s.stop)()
	drained := make(chan struct{})
	group.Go(func() error {
		defer close(drained)
		<-ctx.Done()
		s.drain(told)
		return nil
	})
	group.Go(func() error { return s.outage(ctx) })
	group.Go(func() error { s.dir.DB.KeepSnapshots(ctx); return nil })
	if public(listeners) != nil { // a command that opens the directory for a moment leaves them to the server
		group.Go(func() error { s.courier.Run(ctx); return nil })
		group.Go(func() error { s.schedules.Run(ctx); return nil })
	}
	if s.opts.Collect.Grace > 0 {
		group.Go(func() error { s.exports.KeepCollected(ctx, s.opts.Collect); return nil })
	}
	if s.opts.Scrub.Rate > 0 {
		group.Go(func() error { s.exports.Scrub(ctx, s.opts.Scrub); return nil })
	}
	for _, l := range listeners {
		server := s.httpServer(l)
		group.Go(func() error {
			var err error
			if l.certificate != nil {
				server.TLSConfig = l.certificate.config()
				err = server.ServeTLS(l.Listener, "", "")
			} else {
				err = server.Serve(l.Listener)
			}
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return fmt.Errorf("serve on %s: %w", l.Addr(), err)
		})
		if l.certificate != nil {
			group.Go(func() error { l.certificate.watch(ctx); return nil })
		}
		group.Go(func() error {
			<-drained
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

// drain lets others find out that the server is not ready, where it was told to
// end.
func (s *Server) drain(told context.Context) {
	if told.Err() == nil || s.opts.Drain == 0 {
		return
	}
	s.opts.Log.Info("told to stop, not ready from now on", "for", s.opts.Drain)
	select {
	case <-time.After(s.opts.Drain):
	case <-s.dir.DB.Failed():
	case <-s.exports.Failed():
	}
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

func (s *Server) httpServer(l Listener) *http.Server {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: s.limits.head,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		// net/http would answer OPTIONS * itself, without the envelope.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelWarn),
		// A peer of HTTP/2 that is gone is noticed by a ping, and one that takes
		// nothing by what it does not take.
		HTTP2: &http.HTTP2Config{SendPingTimeout: patience, PingTimeout: 15 * time.Second, WriteByteTimeout: 2 * patience, MaxConcurrentStreams: 100},
	}
	switch {
	case l.owner:
		server.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return asOwner(ctx) }
	case l.scrapes:
		server.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return asScrape(ctx) }
		server.ConnState = newConnections(Access{Connections: maxScrapers}).watch // its own: who floods the API must not keep those out who watch it
	default:
		server.ConnState = s.connections.watch
	}
	return server
}

// Listener is where a server answers, and for whom.
type Listener struct {
	net.Listener
	owner       bool
	scrapes     bool         // for metrics and health alone
	certificate *Certificate // nil without TLS
}

// ListenTCP listens for clients with tokens, over TLS if there is a
// certificate.
func ListenTCP(address string, certificate *Certificate) (Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return Listener{}, fmt.Errorf("listen on %s: %w", address, err)
	}
	return Listener{Listener: l, certificate: certificate}, nil
}

// ListenInherited takes over a TCP socket that another process listens on.
func ListenInherited(socket *os.File, certificate *Certificate) (Listener, error) {
	l, err := net.FileListener(socket)
	if err != nil {
		return Listener{}, fmt.Errorf("take over socket %s: %w", socket.Name(), err)
	}
	socket.Close() // the listener has a descriptor of its own
	if l.Addr().Network() != "tcp" {
		return Listener{}, errors.Join(fmt.Errorf("take over socket %s: it is no TCP socket, but %s", socket.Name(), l.Addr().Network()), l.Close())
	}
	return Listener{Listener: l, certificate: certificate}, nil
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
