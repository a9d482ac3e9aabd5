package console_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The description renders whole, without a report of the policy and without
// asking anything of elsewhere, as the end of each tab checks.
func TestAPIPage(t *testing.T) {
	t.Parallel()
	s := sharedSite(t)
	text := string(s.fetch(t, "/openapi.yaml"))
	operations := strings.Count(text, "\n      operationId: ")
	if !strings.HasPrefix(text, "openapi: 3.1.0\n") || operations < 40 {
		t.Fatalf("openapi.yaml begins with %.40q and has %d operations", text, operations)
	}
	b := newTab(t, s.url, "en-GB")
	b.open("/console/api")
	b.until(`document.querySelector("#swagger[data-done]") && document.querySelectorAll("#swagger .opblock").length > 0`, "the operations are there")
	if got := b.count("#swagger .opblock"); got != operations {
		t.Errorf("the page shows %d operations, want %d", got, operations)
	}
	b.press("#operations-exports-estimateReportExport .opblock-summary-control")
	b.until(`["x-required-scopes", "report:export", "usage-ledger", "40117"].every((text) => document.querySelector("#operations-exports-estimateReportExport").textContent.includes(text))`, "an operation shows its scope and its examples")
	b.do(chromedp.EmulateViewport(390, 844))
	if over := evaluate[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		t.Errorf("on a phone the page is %d pixels wider than the window", over)
	}
	evaluate[chromedp.Void](b, `document.querySelector("#swagger").replaceChildren()`) // what is in it is not ours
	b.inspect("api")
}

// Swagger UI comes packed or not, and nothing else of its folder.
func TestSwaggerFiles(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, sharedSite(t).url)
	for name, want := range map[string]string{"swagger-ui-bundle.js": "SwaggerUIBundle", "swagger-ui.css": ".swagger-ui"} {
		for _, coding := range []string{"identity", "gzip"} {
			resp, body := v.send("GET", "/console/api/"+name, nil, "Accept-Encoding", coding)
			if resp.StatusCode != 200 || (resp.Header.Get("Content-Encoding") == "gzip") != (coding == "gzip") || coding == "identity" && !strings.Contains(body, want) {
				t.Errorf("%s as %s: status %d, Content-Encoding %q", name, coding, resp.StatusCode, resp.Header.Get("Content-Encoding"))
			}
		}
	}
	if resp, _ := v.send("GET", "/console/api/oauth2-redirect.html", nil); resp.StatusCode != 404 {
		t.Errorf("another file gives status %d, want 404", resp.StatusCode)
	}
}
