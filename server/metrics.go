package server

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"licensekit/auth"
	"licensekit/exporter"
	"licensekit/exporter/ledger/intake"
	"licensekit/server/webhook"
)

// metrics are what /metrics shows of this process. What it shows of the data
// directory is in [state].
type metrics struct {
	registry *prometheus.Registry

	requests    *prometheus.CounterVec
	took        *prometheus.HistogramVec
	rows        *prometheus.CounterVec
	waited      prometheus.Histogram
	made        *prometheus.HistogramVec
	logins      *prometheus.CounterVec
	rateLimited *prometheus.CounterVec
	deliveries  *prometheus.CounterVec
}

var (
	requestBuckets = []float64{0.002, 0.01, 0.05, 0.2, 1, 5, 20, 60} // seconds; a create may wait for 60
	exportBuckets  = []float64{0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000}
)

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "licensekit_http_requests_total", Help: "Requests that were answered, by method, route and status.",
		}, []string{"method", "route", "code"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "licensekit_http_request_duration_seconds", Help: "How long requests took to their last byte, by route.", Buckets: requestBuckets,
		}, []string{"route"}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "licensekit_ingested_rows_total", Help: "Rows that came in, by object and result.",
		}, []string{"object", "result"}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "licensekit_export_wait_seconds", Help: "How long exports waited in the queue, over restarts too.", Buckets: exportBuckets,
		}),
		made: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "licensekit_export_duration_seconds", Help: "How long exports took from their snapshot to their end, by kind, format and status.", Buckets: exportBuckets,
		}, []string{"kind", "format", "status"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "licensekit_login_failures_total", Help: "Tokens that were refused, by reason. A request without a token is none.",
		}, []string{"reason"}),
		rateLimited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "licensekit_rate_limited_total", Help: "Requests that were answered with 429, by what was used up: the rate of a token, failed logins of an address, the queue of exports.",
		}, []string{"limit"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "licensekit_webhook_attempts_total", Help: "Attempts to deliver events to webhooks, by what they came to: delivered, pending (it is tried again), failed (it was given up).",
		}, []string{"status"}),
	}
	m.registry.MustRegister(m.requests, m.took, m.rows, m.waited, m.made, m.logins, m.rateLimited, m.deliveries,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.beginAtZero()
	return m
}

// beginAtZero shows what has not happened yet, so that the first time it does
// is an increase.
func (m *metrics) beginAtZero() {
	for _, reason := range loginReasons {
		m.logins.WithLabelValues(reason)
	}
	for _, limit := range []limit{limitToken, limitLogins, limitQueue} {
		m.rateLimited.WithLabelValues(string(limit))
	}
	for _, status := range webhook.Statuses {
		m.deliveries.WithLabelValues(string(status))
	}
	for _, result := range []string{"accepted", "duplicate", "conflict", "rejected"} {
		m.rows.WithLabelValues(intake.Activities, result)
	}
}

// limit is what a request that is answered with 429 has used up.
type limit string

const (
	limitToken  limit = "token"
	limitLogins limit = "logins"
	limitQueue  limit = "queue"
)

func (m *metrics) limited(by limit) { m.rateLimited.WithLabelValues(string(by)).Inc() }

// observe counts a request that was answered. route is its pattern in the route
// table, "" where it has none.
func (m *metrics) observe(method, route string, status int, took time.Duration) {
	switch method { // a client must not be able to make up labels
	case "GET", "HEAD", "POST", "PATCH", "DELETE":
	default:
		method = "other"
	}
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.took.WithLabelValues(route).Observe(took.Seconds())
}

// ended counts an export that has come to its end.
func (m *metrics) ended(c exporter.Course) {
	m.waited.Observe(c.Waited.Seconds())
	m.made.WithLabelValues(string(c.Kind), c.Format, string(c.Status)).Observe(c.Made.Seconds())
}

func (m *metrics) ingested(object string, r intake.Result) {
	for result, n := range map[string]int64{"accepted": r.Accepted, "duplicate": r.Duplicates, "conflict": r.Conflicts, "rejected": r.Rejected} {
		m.rows.WithLabelValues(object, result).Add(float64(n))
	}
}

// loginReasons are the values of the label.
var loginReasons = []string{"mistyped", "unknown", "expired", "network"}

func (m *metrics) loginFailed(err error) {
	for i, reason := range []error{auth.ErrMalformed, auth.ErrUnknown, auth.ErrExpired, auth.ErrNetwork} {
		if errors.Is(err, reason) {
			m.logins.WithLabelValues(loginReasons[i]).Inc()
		}
	}
}

// metricsPage answers in the Prometheus exposition format. What can't be read
// is left out, and the log says why.
func (s *Server) metricsPage(w http.ResponseWriter, r *request) error {
	promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, ErrorLog: scrapeLog{s.opts.Log},
	}).ServeHTTP(w, r.Request)
	return nil
}
