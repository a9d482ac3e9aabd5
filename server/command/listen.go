package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"licensekit/exporter"
	"licensekit/server"
)

// serveOptions say where a server answers.
type serveOptions struct {
	data, address, cert, key string
	metrics                  string // the address for metrics alone, "" for none
	log                      *slog.Logger
}

// addresses are the URLs that a server answers at.
type addresses struct{ api, metrics string } // metrics is "" without a listener of its own

// listenAndServe answers on the address, or on the sockets that a service
// manager handed over, and on the owner's socket, until ctx ends; up is told
// where once all of them listen.
func (env *Env) listenAndServe(ctx context.Context, s *server.Server, o serveOptions, up func(addresses) error) error {
	listeners, err := env.listen(ctx, o)
	if err != nil {
		return err
	}
	scheme := "http"
	if o.cert != "" {
		scheme = "https"
	}
	for _, l := range listeners {
		if address := l.Addr().String(); o.cert == "" && !server.Loopback(address) {
			fmt.Fprintf(env.Stderr, "warning: %s is reached from other machines, and without --tls-cert tokens travel in the clear\n", address)
		}
	}
	at := addresses{api: scheme + "://" + listeners[0].Addr().String()}
	if o.metrics != "" {
		l, err := server.ListenMetrics(o.metrics)
		if err != nil {
			return errors.Join(failed(err, "--metrics-listen takes an address of this machine and a port of its own, such as 127.0.0.1:9090"), closeAll(listeners))
		}
		listeners = append(listeners, l)
		at.metrics = "http://" + l.Addr().String() + "/metrics"
	}
	owner, err := server.ListenOwner(o.data)
	if err != nil {
		return errors.Join(directoryHint(err, o.data), closeAll(listeners))
	}
	if err := up(at); err != nil {
		return errors.Join(err, owner.Close(), closeAll(listeners))
	}
	if _, err := daemon.SdNotify(true, daemon.SdNotifyReady); err != nil {
		o.log.Warn("tell the service manager that the server is ready", "error", err)
	}
	err = s.Serve(ctx, append(listeners, owner)...)
	if exporter.IsOutage(err) {
		return failed(err, "see to the disk and start again: all that was answered is there, exports under way are made anew")
	}
	return err
}

// listen gives at least one listener.
func (env *Env) listen(ctx context.Context, o serveOptions) ([]server.Listener, error) {
	certificate, err := loadCertificate(ctx, o)
	if err != nil {
		return nil, err
	}
	if files := activation.Files(true); len(files) > 0 {
		return inherit(files, certificate)
	}
	l, err := server.ListenTCP(o.address, certificate)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, failed(err, "another server has the port; --listen takes another address")
	case err != nil:
		return nil, failed(err, "--listen takes an address of this machine and a port, such as 127.0.0.1:8080")
	}
	return []server.Listener{l}, nil
}

// inherit takes the sockets over that a service manager listens on (systemd's
// LISTEN_FDS).
func inherit(files []*os.File, certificate *server.Certificate) (listeners []server.Listener, err error) {
	for _, f := range files {
		l, one := server.ListenInherited(f, certificate)
		if one == nil {
			listeners = append(listeners, l)
		}
		err = errors.Join(err, one)
	}
	if err != nil {
		return nil, failed(errors.Join(err, closeAll(listeners)), "the socket unit may name TCP addresses alone, as ListenStream=")
	}
	return listeners, nil
}

func closeAll(listeners []server.Listener) (err error) {
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}

// loadCertificate reads the certificate, if one is named, and reads it again
// whenever SIGHUP comes; without one that ends the process, as ever.
func loadCertificate(ctx context.Context, o serveOptions) (*server.Certificate, error) {
	if o.cert == "" {
		return nil, nil
	}
	certificate, err := server.LoadCertificate(o.cert, o.key, o.log)
	if err != nil {
		return nil, failed(err, certificateHint(err))
	}
	hangUps := make(chan os.Signal, 1)
	signal.Notify(hangUps, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangUps)
		for {
			select {
			case <-hangUps:
				certificate.ReloadAndTell()
			case <-ctx.Done():
				return
			}
		}
	}()
	return certificate, nil
}

func certificateHint(err error) string {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return "--tls-cert and --tls-key name files that this user can read"
	}
	if strings.Contains(err.Error(), "does not match") {
		return "the key must be that of the first certificate in the file"
	}
	return "both are PEM: the certificate with its chain, and its key without a password"
}
