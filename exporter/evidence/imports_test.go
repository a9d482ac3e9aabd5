package evidence

import (
	"os/exec"
	"strings"
	"testing"
)

// Verification must work where there is neither server, database nor network.
func TestImports(t *testing.T) {
	own, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{join .Imports "\n"}}`, ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	all, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{"licensekit/exporter/durable": true, "licensekit/exporter/report": true, "licensekit/exporter/render": true, "licensekit/exporter/evidence/tilelog": true, "licensekit/exporter/evidence/witness": true}
	for _, path := range strings.Fields(string(own)) {
		if path == "net" || strings.HasPrefix(path, "net/") || strings.HasPrefix(path, "licensekit/") && !allowed[path] {
			t.Errorf("imports %s itself, want neither network nor other packages of ours", path)
		}
	}
	for _, path := range strings.Fields(string(all)) {
		if strings.HasPrefix(path, "go.etcd.io/bbolt") || strings.HasPrefix(path, "licensekit/server") {
			t.Errorf("depends on %s, want neither database nor server", path)
		}
	}
}
