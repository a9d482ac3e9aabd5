// Package server speaks the LicenseKit reporting contract over HTTP: a table
// of routes, each with the scope it takes, over an exporter, a ledger and a
// store of tokens.
//
// # Promises
//
//   - Every response is in the contract's envelope, those of the router and of
//     a crashed handler included. The exceptions are downloads, /metrics, the
//     pages of [Options.Pages], and what net/http says to a peer that does not
//     speak HTTP.
//   - A route without a scope is public by name in the table; all others want
//     a bearer token that is allowed it.
//   - A request that comes over the data directory's unix socket, or from
//     within the process, is its owner's and may do everything; all others are
//     judged by their token. Both go through the same handler.
//   - A request may take its time, but a client that neither sends nor takes
//     anything is cut off after a minute or two.
//   - Internals of an error go to the log, never into a response. No token is
//     ever logged.
package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/julienschmidt/httprouter"

	"licensekit/auth"
	"licensekit/exporter"
	"licensekit/exporter/audit"
	"licensekit/exporter/evidence"
	"licensekit/exporter/ledger"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
	"licensekit/server/schedule"
	"licensekit/server/webhook"
)

// Options sets up a server.
type Options struct {
	Data    string // the data directory
	Create  bool   // make it if it is not there
	Keys    string // where the signing keys are; "" for keys/ in the data directory
	Anchor  string // a file outside of the data directory that holds the log's newest checkpoint; "" for none
	Version string // of the program
	Log     *slog.Logger
	Now     func() time.Time
	Workers int          // exports made at a time
	Paper   render.Paper // of PDF pages; A4 if it is ""
	Access  Access

	Scrub        exporter.ScrubOptions   // goes over all that is kept while the server serves; none with a Rate of 0
	Collect      exporter.CollectOptions // of blobs that nothing names; none with a Grace of 0
	MinFree      int64                   // bytes of room on the disk below which the server is not ready
	Drain        time.Duration           // for which [Server.Serve] goes on as not ready when it is to end
	MetricsApart bool                    // /metrics is answered by a listener of [ListenMetrics] alone

	WebhookAllow []netip.Prefix // networks that webhooks may lead to although they are not public; see package auth's ParseNetwork
	WebhookRoots *x509.CertPool // that their receivers' certificates lead to; nil for the system's

	// Pages makes what is there beside the API, for people: what it has a
	// pattern for it answers. With nil there is the API alone.
	Pages func(Local) *http.ServeMux
}

// Server is an opened data directory with its API.
type Server struct {
	dir    *exporter.Directory
	ledger *ledger.Ledger
	tokens *auth.Store
	trail  *audit.Trail
	reads  *audit.Tally // of downloads
	gate   *gate

	connections *connections
	exports     *exporter.Exporter
	summaries   report.Memory // of the ledger
	courier     *webhook.Courier
	schedules   *schedule.Runner
	opts        Options
	limits      limits
	metrics     *metrics
	survey      *survey
	previews    *previews
	router      *httprouter.Router
	pages       *http.ServeMux

	readyMu  sync.Mutex
	notReady map[readyCheck]*reason // what the log was told last; guarded by readyMu

	stopping context.Context // ends when Serve does, so that nobody waits for an export then
	stop     context.CancelFunc
}

// limits bound what a client may ask of a connection.
type limits struct {
	ingest   int64 // bytes of an ingestion's body, packed and unpacked
	patience time.Duration
	head     time.Duration // for all of a request's head
}

// Open opens the data directory and starts the exporter. Errors are those of
// [exporter.OpenDirectory].
func Open(opts Options) (*Server, error) {
	dir, err := exporter.OpenDirectory(opts.Data, opts.Create, opts.Log)
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, opts: opts, limits: limits{ingest: maxIngest, patience: patience, head: headTime}}
	s.stopping, s.stop = context.WithCancel(context.Background())
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) open() (err error) {
	s.metrics = newMetrics()
	if s.ledger, err = ledger.Open(s.dir.DB, ledger.Options{Now: s.opts.Now, Tmp: s.dir.Tmp()}); err != nil {
		return err
	}
	if s.trail, err = audit.Open(s.dir.DB, s.opts.Now); err != nil {
		return err
	}
	if s.tokens, err = auth.Open(s.dir.DB, s.trail, s.opts.Now); err != nil {
		return err
	}
	s.exports, err = exporter.Open(s.stopping, s.dir, s.ledger, exporter.Options{
		Now: s.opts.Now, Log: s.opts.Log, Trail: s.trail, Workers: s.opts.Workers, Version: s.opts.Version, Keys: s.opts.Keys, Anchor: s.opts.Anchor, Paper: s.opts.Paper,
		Measured: s.metrics.ended,
	})
	if err != nil {
		return err
	}
	hooks, err := webhook.Open(s.dir.DB, s.trail, s.opts.Now, s.opts.WebhookAllow)
	if err != nil {
		return err
	}
	s.courier = webhook.NewCourier(hooks, webhook.Options{Log: s.opts.Log, Version: s.opts.Version, Roots: s.opts.WebhookRoots,
		Measured: func(came webhook.Status) { s.metrics.deliveries.WithLabelValues(string(came)).Inc() }})
	plans, err := schedule.Open(s.dir.DB, s.trail, s.opts.Now)
	if err != nil {
		return err
	}
	s.schedules = schedule.NewRunner(plans, schedule.Options{Log: s.opts.Log, Exports: s.exports, Refuse: s.refuseRun})
	s.reads = audit.NewTally(s.trail, func(err error) { s.opts.Log.Error("record downloads", "error", err) })
	s.gate = newGate(s.tokens, s.trail, s.metrics, s.opts.Access, s.opts.Now, func(err error) { s.opts.Log.Error("record failed logins", "error", err) })
	s.connections = newConnections(s.opts.Access)
	s.survey = newSurvey(s.dir, s.opts.Log)
	s.metrics.registry.MustRegister(&state{s, s.survey})
	s.previews = newPreviews(s.exports)
	s.router = s.newRouter()
	s.pages = http.NewServeMux()
	if s.opts.Pages != nil {
		s.pages = s.opts.Pages(Local{s})
	}
	return nil
}

// Close stops the exporter and lets go of the data directory.
func (s *Server) Close() error {
	s.stop()
	if s.survey != nil {
		s.survey.Close()
	}
	var errs []error
	if s.exports != nil {
		errs = append(errs, s.exports.Close())
	}
	if s.reads != nil {
		errs = append(errs, s.reads.Close())
	}
	if s.gate != nil {
		errs = append(errs, s.gate.record.Close())
	}
	if s.tokens != nil {
		errs = append(errs, s.tokens.Close())
	}
	return errors.Join(append(errs, s.dir.Close())...)
}

// Key is the public half of the key that signs exports.
func (s *Server) Key() evidence.PublicKey { return s.exports.Key() }

// ServeHTTP answers a request: request id, log, metrics and panics are seen to
// here, the rest by the route.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.opts.Now()
	id := newRequestID()
	r = r.WithContext(context.WithValue(r.Context(), knownKey{}, known{id, s.opts.Access.clientOf(r)}))
	w.Header().Set("X-Request-Id", id)
	secure(w.Header(), r.TLS != nil)
	out := &response{ResponseWriter: w, pace: &pace{
		control: http.NewResponseController(w), patience: s.limits.patience, http1: r.ProtoMajor == 1,
	}}
	r.Body = out.pace.body(r.Body)
	defer func() {
		took := s.opts.Now().Sub(began)
		s.metrics.observe(r.Method, out.route, out.status, took)
		s.opts.Log.Info("request", "request_id", id, "method", r.Method, "path", r.URL.Path,
			"status", out.status, "bytes", out.bytes, "duration", took, "route", out.route, "key_id", out.keyID)
	}()
	defer func() {
		if crash := recover(); crash != nil {
			s.crashed(out, r, crash)
		}
	}()
	if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
		// It may have had a length beside its chunks, of which net/http says
		// nothing: somebody before us may have seen it end elsewhere, so nothing
		// behind it is a request (RFC 9112, 6.1).
		w.Header().Set("Connection", "close")
	}
	if pattern := s.pageOf(r); pattern != "" {
		out.route = pattern
		s.pages.ServeHTTP(out, r)
		return
	}
	s.router.ServeHTTP(out, r)
}

// pageOf gives the pattern of the page that answers a request, "" if it is none
// of the console's. Paths that it would clean and redirect are nobody's, as in
// the API.
func (s *Server) pageOf(r *http.Request) (pattern string) {
	cleaned := path.Clean(r.URL.Path)
	if strings.HasSuffix(r.URL.Path, "/") && cleaned != "/" {
		cleaned += "/"
	}
	if cleaned != r.URL.Path || isScrape(r.Context()) {
		return ""
	}
	_, pattern = s.pages.Handler(r)
	return pattern
}

// secure sets what a browser is told of every response. What is shown to
// people, the console, sets its own.
func secure(h http.Header, encrypted bool) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if encrypted {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// crashed answers for a handler that panicked. http.ErrAbortHandler is how a
// handler cuts off a response that went wrong half way.
func (s *Server) crashed(w *response, r *http.Request, crash any) {
	if crash == http.ErrAbortHandler {
		panic(crash)
	}
	s.opts.Log.Error("handler crashed", "request_id", requestID(r), "panic", fmt.Sprint(crash), "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	s.fail(w, r, fmt.Errorf("handler crashed: %v", crash))
}
