package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what /metrics shows.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	ingested *prometheus.CounterVec
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "licensekit_request_duration_seconds", Help: "How long requests took, by method and status.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}, []string{"method", "status"}),
		ingested: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "licensekit_ingested_rows_total", Help: "Rows that came in, by object and result.",
		}, []string{"object", "result"}),
	}
	m.registry.MustRegister(m.requests, m.ingested,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "licensekit_ledger_sequence", Help: "Activities in the ledger.",
		}, func() float64 {
			sequence, _ := s.sequence(context.Background())
			return float64(sequence)
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "licensekit_exports_unfinished", Help: "Exports that wait or are being made.",
		}, func() float64 { return float64(s.exports.Unfinished()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "licensekit_connections", Help: "Connections that clients hold.",
		}, func() float64 { open, _ := s.connections.count(); return float64(open) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "licensekit_connections_refused_total", Help: "Connections that were one too many.",
		}, func() float64 { _, refused := s.connections.count(); return float64(refused) }),
	)
	return m
}

// observe counts a request that was answered.
func (m *metrics) observe(method string, status int, took time.Duration) {
	switch method { // a client must not be able to make up labels
	case "GET", "HEAD", "POST", "DELETE":
	default:
		method = "other"
	}
	m.requests.WithLabelValues(method, strconv.Itoa(status)).Observe(took.Seconds())
}

// metricsPage answers in the Prometheus exposition format.
func (s *Server) metricsPage(w http.ResponseWriter, r *request) error {
	promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP(w, r.Request)
	return nil
}
