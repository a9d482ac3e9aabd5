package server

import "context"

// A listener of its own for metrics answers these routes and no other.
const metricsPath = "/metrics"

var scrapePaths = []string{metricsPath, "/health", "/healthz", "/readyz"}

const maxScrapers = 64 // connections at a time; a quarter of them from one address

// ListenMetrics listens for who collects metrics, without TLS and tokens.
func ListenMetrics(address string) (Listener, error) {
	l, err := ListenTCP(address, nil)
	l.scrapes = true
	return l, err
}

type scrapeKey struct{}

// asScrape marks the requests of a connection to such a listener.
func asScrape(ctx context.Context) context.Context {
	return context.WithValue(ctx, scrapeKey{}, true)
}

func isScrape(ctx context.Context) bool { return ctx.Value(scrapeKey{}) != nil }
