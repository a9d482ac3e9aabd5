package server

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for path, want := range map[string]map[string]string{
		"/health": {"status": "ok"}, "/healthz": {"status": "ok"}, "/readyz": {"status": "ready", "db": "ok"},
	} {
		got := map[string]string{}
		s.do(t, call{method: "GET", path: path}).into(t, 200, &got)
		for name, value := range want {
			if got[name] != value || len(got) != len(want) {
				t.Errorf("%s = %v, want %v", path, got, want)
			}
		}
	}
}

// A database that can't be read makes the server not ready, but not unhealthy.
func TestNotReady(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.do(t, call{method: "GET", path: "/readyz"})
	if err := s.dir.DB.Close(); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	s.do(t, call{method: "GET", path: "/readyz"}).into(t, 503, &got)
	if got["status"] != "not_ready" || got["db"] != "error" {
		t.Errorf("readyz = %v, want not_ready", got)
	}
	s.do(t, call{method: "GET", path: "/health"}).into(t, 200, &got)
	s.do(t, call{method: "GET", path: exportsPath, token: secrets.any()}).want(t, 500, "INTERNAL")
}

// any gives some token; where the store can't be read, any will do.
func (v *vault) any() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, token := range v.tokens {
		return token
	}
	return ""
}

// metrics reads the page.
func (s *site) families(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(s.do(t, call{method: "GET", path: "/metrics"}).body))
	if err != nil {
		t.Fatal(err)
	}
	return families
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
	s := stocked(t)
	s.ready(t, jsonExport)
	for _, method := range []string{"GET", "BREW", "X-1", "X-2", "PATCH"} {
		for _, target := range []string{"/health", "/a", "/b", exportsPath + "/x"} {
			s.raw(t, method, target)
		}
	}
	families := s.families(t)
	requests := families["licensekit_request_duration_seconds"]
	if got, want := labels(requests, "method"), []string{"GET", "POST", "other"}; !slices.Equal(got, want) {
		t.Errorf("methods = %v, want %v", got, want)
	}
	if got, want := labels(requests, "status"), []string{"200", "201", "401", "404", "405"}; !slices.Equal(got, want) {
		t.Errorf("statuses = %v, want %v", got, want)
	}
	if got, want := labels(families["licensekit_ingested_rows_total"], "result"), []string{"accepted", "conflict", "duplicate", "rejected"}; !slices.Equal(got, want) {
		t.Errorf("results = %v, want %v", got, want)
	}
	if got := families["licensekit_ledger_sequence"].GetMetric()[0].GetGauge().GetValue(); got != 500 {
		t.Errorf("licensekit_ledger_sequence = %v, want 500", got)
	}
	if got := families["licensekit_exports_unfinished"].GetMetric()[0].GetGauge().GetValue(); got != 0 {
		t.Errorf("licensekit_exports_unfinished = %v, want 0", got)
	}
	for name := range families {
		if !strings.HasPrefix(name, "licensekit_") && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("metric %s has a name of nobody's", name)
		}
	}
}

// The published key is the one that exports are signed with, in all its forms.
func TestPublicKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var keys []struct{ KID, Algorithm, PublicKey, Status, Purpose, PEM string }
	var raw []map[string]string
	a := s.do(t, call{method: "GET", path: "/api/v1/system/public-keys"})
	a.into(t, 200, &keys)
	a.into(t, 200, &raw)
	if len(keys) != 2 || keys[0].KID != s.Key().ID() || keys[0].Status != "active" || keys[0].Purpose != "export" {
		t.Fatalf("%s; want the export key %s first, active, and the log's", a, s.Key().ID())
	}
	if keys[1].Purpose != "log" || keys[1].Status != "active" || raw[1]["verifier_key"] == "" || raw[0]["verifier_key"] != "" {
		t.Errorf("%s; want the log's key second, active, and it alone with a verifier_key", a)
	}
	block, _ := pem.Decode([]byte(keys[0].PEM))
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if got := base64.StdEncoding.EncodeToString(parsed.(ed25519.PublicKey)); got != raw[0]["public_key"] {
		t.Errorf("pem holds the key %s, public_key says %s", got, raw[0]["public_key"])
	}
	if x := s.ready(t, jsonExport); !strings.Contains(string(s.get(t, exportsPath+"/"+x.ID).body), keys[0].KID) {
		t.Errorf("export %s does not name the key %s", x.ID, keys[0].KID)
	}
}
