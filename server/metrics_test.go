package server

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"licensekit/auth"
)

// families are what /metrics shows, by name.
type families map[string]*dto.MetricFamily

func (s *site) families(t *testing.T) families {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(bytes.NewReader(s.do(t, call{method: "GET", path: "/metrics"}).body))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// value gives that of the metric with these labels, by name and value in turn,
// of a histogram the count.
func (f families) value(name string, labels ...string) (value float64, found bool) {
	for _, metric := range f[name].GetMetric() {
		given := map[string]string{}
		for _, label := range metric.GetLabel() {
			given[label.GetName()] = label.GetValue()
		}
		matches := true
		for i := 0; i < len(labels); i += 2 {
			matches = matches && given[labels[i]] == labels[i+1]
		}
		if matches {
			return metric.GetGauge().GetValue() + metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount()), true
		}
	}
	return 0, false
}

func (f families) want(t *testing.T, name string, want float64, labels ...string) {
	t.Helper()
	if got, found := f.value(name, labels...); !found || got != want {
		t.Errorf("%s%v = %v, there %v; want %v", name, labels, got, found, want)
	}
}

// atLeast is want for what grows.
func (f families) atLeast(t *testing.T, name string, least float64, labels ...string) {
	t.Helper()
	if got, found := f.value(name, labels...); !found || got < least {
		t.Errorf("%s%v = %v, there %v; want at least %v", name, labels, got, found, least)
	}
}

// labels gives the values that a metric's label takes.
func labels(family *dto.MetricFamily, name string) (values []string) {
	for _, metric := range family.GetMetric() {
		for _, label := range metric.GetLabel() {
			if label.GetName() == name && !slices.Contains(values, label.GetValue()) {
				values = append(values, label.GetValue())
			}
		}
	}
	slices.Sort(values)
	return values
}

// A client can't make up labels, however it asks.
func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t, withConsole)
	s.ready(t, jsonExport)
	for _, method := range []string{"GET", "BREW", "X-1", "X-2", "PURGE"} {
		for _, target := range []string{"/health", "/made-up", exportsPath + "/made-up-a", exportsPath + "/made-up-b"} {
			s.raw(t, method, target)
		}
	}
	for _, page := range []string{"made-up", "exports/made-up", "../made-up"} {
		s.replies(t, "GET /console/"+page+" HTTP/1.1\r\nHost: licensekit\r\n\r\n")
	}
	families := s.families(t)
	requests := families["licensekit_http_requests_total"]
	if got, want := labels(requests, "method"), []string{"GET", "POST", "other"}; !slices.Equal(got, want) {
		t.Errorf("methods = %v, want %v", got, want)
	}
	routes := labels(requests, "route")
	for _, route := range routes {
		if strings.Contains(route, "made-up") {
			t.Errorf("routes = %v, with one that a client made up", routes)
		}
	}
	families.want(t, "licensekit_http_requests_total", 2, "method", "GET", "route", exportsPath+"/:id", "code", "401")
	families.want(t, "licensekit_http_requests_total", 2, "method", "GET", "route", "none", "code", "404")
	if !slices.ContainsFunc(routes, func(route string) bool { return strings.Contains(route, "/console/") }) {
		t.Errorf("routes = %v, want pages too", routes)
	}
	for name := range families {
		if !strings.HasPrefix(name, "licensekit_") && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("metric %s has a name of nobody's", name)
		}
	}
}

// What is there is counted over a restart.
func TestMetricsOfTheDirectory(t *testing.T) {
	t.Parallel()
	first := stocked(t)
	first.ready(t, jsonExport)
	first.ready(t, `{"report_kind":"usage-ledger","format":"csv"}`)
	families := first.families(t)
	families.want(t, "licensekit_ingested_rows_total", 500, "object", "activities", "result", "accepted")
	families.want(t, "licensekit_ingested_rows_total", 0, "object", "activities", "result", "conflict")
	families.want(t, "licensekit_export_duration_seconds", 1, "kind", "usage-ledger", "format", "csv", "status", "ready")
	families.want(t, "licensekit_export_wait_seconds", 2)
	families.want(t, "licensekit_last_check_timestamp_seconds", 0)
	families.want(t, "licensekit_last_backup_timestamp_seconds", 0)
	first.do(t, call{method: "GET", path: "/api/v1/system/check", token: first.token(t, auth.Admin)}).want(t, 200, "")
	first.post(t, auth.Admin, backupsPath, "application/json", `{"exports":2}`).want(t, 204, "")
	first.shut(t)

	s := newSite(t, func(o *Options) { o.Data, o.Workers = first.opts.Data, 0 })
	s.createWith(t, `{"report_kind":"usage-summary","format":"pdf"}`, map[string]string{"Prefer": "wait=0"}).want(t, 202, "")
	s.skew.Add(int64(time.Hour))
	if err := os.WriteFile(filepath.Join(s.opts.Data, "blobs", "quarantine", "x"), make([]byte, 7), 0o600); err != nil {
		t.Fatal(err)
	}
	families = s.families(t)
	families.want(t, "licensekit_build_info", 1, "version", "test", "instance", s.dir.Instance)
	families.want(t, "licensekit_exports", 1, "kind", "usage-summary", "format", "json", "status", "ready")
	families.want(t, "licensekit_exports", 1, "kind", "usage-ledger", "format", "csv", "status", "ready")
	families.want(t, "licensekit_exports", 1, "kind", "usage-summary", "format", "pdf", "status", "pending")
	families.want(t, "licensekit_exports_unfinished", 1)
	families.want(t, "licensekit_exports_waiting", 1)
	families.atLeast(t, "licensekit_export_oldest_unfinished_seconds", 3590)
	families.want(t, "licensekit_ledger_activities", 500)
	families.want(t, "licensekit_log_entries", 2, "log", "licensekit/"+s.dir.Instance)
	families.want(t, "licensekit_events_total", 2, "type", "report_export.ready")
	families.want(t, "licensekit_last_check_problems", 0)
	families.atLeast(t, "licensekit_last_check_timestamp_seconds", float64(time.Now().Add(-time.Hour).Unix()))
	families.atLeast(t, "licensekit_last_backup_timestamp_seconds", float64(time.Now().Add(-time.Hour).Unix()))
	families.want(t, "licensekit_files", 4, "part", "blobs") // two artifacts, two manifests
	families.atLeast(t, "licensekit_files_bytes", 10_000, "part", "blobs")
	families.want(t, "licensekit_files", 1, "part", "quarantine")
	families.want(t, "licensekit_files_bytes", 7, "part", "quarantine")
	families.want(t, "licensekit_files", 0, "part", "trash")
	families.atLeast(t, "licensekit_files", 3, "part", "log")
	families.atLeast(t, "licensekit_files_bytes", 1, "part", "snapshots")
	families.atLeast(t, "licensekit_database_bytes", 4096, "use", "live")
	families.atLeast(t, "licensekit_disk_free_bytes", 1)
	for _, check := range readyChecks {
		families.want(t, "licensekit_ready", 1, "check", string(check))
	}
}

func TestMetricsOfRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.Access = Access{LoginFailures: 4, TokenRate: 1} })
	for range 50 { // two in a burst, and one each second
		if s.do(t, call{method: "GET", path: exportsPath, token: s.token(t, auth.ReportExport)}).status == 429 {
			break
		}
	}
	tries := 0
	for _, stranger := range s.strangers(t) {
		if s.do(t, call{method: "GET", path: exportsPath, token: stranger}); stranger != "" {
			tries++
		}
	}
	families := s.families(t)
	families.atLeast(t, "licensekit_rate_limited_total", 1, "limit", "token")
	families.want(t, "licensekit_rate_limited_total", float64(tries-4), "limit", "logins")
	families.want(t, "licensekit_rate_limited_total", 0, "limit", "queue")
	sum := 0.0
	for _, reason := range loginReasons {
		n, _ := families.value("licensekit_login_failures_total", "reason", reason)
		sum += n
		families.atLeast(t, "licensekit_login_failures_total", 1, "reason", reason)
	}
	if sum != float64(tries) {
		t.Errorf("licensekit_login_failures_total is %v altogether, want %d", sum, tries)
	}
}

// With a listener of their own, metrics are nowhere else, and nothing else is
// there.
func TestMetricsApart(t *testing.T) {
	t.Parallel()
	s := openSite(t, withConsole, func(o *Options) { o.MetricsApart = true })
	l, err := ListenMetrics("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inside, dial := InProcess()
	s.serve(t, l, inside)
	apart := &site{Server: s.Server, url: "http://" + l.Addr().String(), address: l.Addr().String(), client: s.client}
	token := s.token(t, auth.Admin)
	for _, site := range []*site{apart, s.owned(dial)} {
		site.families(t).want(t, "licensekit_ledger_activities", 0)
	}
	s.do(t, call{method: "GET", path: "/metrics"}).want(t, 404, "NOT_FOUND")
	s.do(t, call{method: "GET", path: "/metrics", token: token}).want(t, 404, "NOT_FOUND")
	for _, path := range []string{"/health", "/healthz", "/readyz"} {
		if a := apart.do(t, call{method: "GET", path: path}); a.status != http.StatusOK {
			t.Errorf("%s apart: %s; want status 200", path, a)
		}
	}
	for _, line := range []string{"GET " + exportsPath, "POST " + exportsPath, "GET /api/v1/log/checkpoint", "GET /console/", "GET /nowhere"} {
		got := apart.replies(t, line+" HTTP/1.1\r\nHost: licensekit\r\nAuthorization: Bearer "+token+"\r\n\r\n")
		if !bytes.HasPrefix(got, []byte("HTTP/1.1 404 ")) || !bytes.Contains(got, []byte(`"code":"NOT_FOUND"`)) {
			t.Errorf("%s apart: %s; want 404 in the envelope", line, got)
		}
	}
}
