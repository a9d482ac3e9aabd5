package server

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"licensekit/auth"
)

// metricName finds the metrics that an expression or a text speaks of.
var metricName = regexp.MustCompile(`\b(licensekit|process|go)_[a-z_]+`)

// named gives them, without what a histogram's names end in.
func named(texts ...string) map[string]bool {
	names := map[string]bool{}
	for _, text := range texts {
		for _, name := range metricName.FindAllString(text, -1) {
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				name = strings.TrimSuffix(name, suffix)
			}
			names[name] = true
		}
	}
	return names
}

// exposed are the metrics of a server on which everything has happened once.
func exposed(t *testing.T) families {
	t.Helper()
	s := newSite(t)
	s.ready(t, jsonExport)
	s.do(t, call{method: "GET", path: "/api/v1/system/check", token: s.token(t, auth.Admin)}).want(t, 200, "")
	return s.families(t)
}

// What dashboard and alerts ask for is there, and what is there is documented.
func TestOperationsNameTheMetrics(t *testing.T) {
	t.Parallel()
	families := exposed(t)
	for file, names := range map[string]map[string]bool{
		"grafana.json": named(expressions(t)...), "alerts.yaml": named(slices.Collect(maps.Values(alerts(t)))...), "operations.md": named(operations(t, "operations.md")),
	} {
		for name := range names {
			if families[name] == nil && !strings.HasSuffix(name, "_") {
				t.Errorf(".deploy/%s speaks of %s, which the server does not show", file, name)
			}
		}
		if len(names) < 10 {
			t.Errorf(".deploy/%s speaks of %d metrics only: %v", file, len(names), slices.Sorted(maps.Keys(names)))
		}
	}
	documented := operations(t, "operations.md")
	for name, family := range families {
		if !strings.HasPrefix(name, "licensekit_") {
			continue
		}
		line := regexp.MustCompile("(?m)^\\| `" + name + "` .*$").FindString(documented)
		if line == "" {
			t.Errorf("%s is not in the table of .deploy/operations.md", name)
		}
		for _, label := range family.GetMetric()[0].GetLabel() {
			if !strings.Contains(line, "`"+label.GetName()+"`") {
				t.Errorf(".deploy/operations.md does not name the label %s of %s: %s", label.GetName(), name, line)
			}
		}
	}
}

// Each alert has a paragraph about what to do.
func TestOperationsNameTheAlerts(t *testing.T) {
	documented := operations(t, "operations.md")
	for name := range alerts(t) {
		if !strings.Contains(documented, "**"+strings.TrimPrefix(name, "Licensekit")+"**") {
			t.Errorf(".deploy/operations.md does not say what to do about %s", name)
		}
	}
}

func operations(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile("../.deploy/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// alerts gives the expressions of the alert rules by name.
func alerts(t *testing.T) map[string]string {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
				Labels      map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(operations(t, "alerts.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if rule.Annotations["summary"] == "" || rule.Labels["severity"] == "" {
				t.Errorf("alert %s has no summary or no severity", rule.Alert)
			}
			found[rule.Alert] = rule.Expr
		}
	}
	return found
}

// expressions gives those of the dashboard.
func expressions(t *testing.T) (found []string) {
	t.Helper()
	var dashboard any
	if err := json.Unmarshal([]byte(operations(t, "grafana.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(value any) {
		switch value := value.(type) {
		case []any:
			for _, one := range value {
				walk(one)
			}
		case map[string]any:
			for name, one := range value {
				if text, ok := one.(string); ok && (name == "expr" || name == "query") {
					found = append(found, text)
				}
				walk(one)
			}
		}
	}
	walk(dashboard)
	return found
}
