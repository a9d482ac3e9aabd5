package console_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"licensekit/auth"
)

func TestExportPage(t *testing.T) {
	t.Parallel()
	s := newSite(t).stock(t)
	id := s.freeze(t, `{"report_kind":"usage-ledger","format":"pdf","filters":{"from":"2024-01-01T00:00:00Z","to":"2027-01-01T00:00:00Z"}}`)
	b := s.signedIn(t, auth.ReportExport)
	b.open("/console/exports/" + id)
	b.shows("Usage ledger", "ready", "1 Jan 2024 – 31 Dec 2026", "4,029", "Digest of the data", "Owner")
	b.until(`document.querySelector("img.page").naturalWidth > 500`, "the first page is drawn")
	b.inspect("export")
	b.click("a[rel=next]")
	b.shows("Page 2 of")
	b.until(`document.querySelector("img.page").naturalWidth > 500`, "the second page is drawn")
	if line := b.text("#curl_get"); !strings.Contains(line, s.url+"/api/v1/reports/exports/"+id+"/download") {
		t.Errorf("the curl line is %q", line)
	}
	if line := b.text("#cli_make"); !strings.Contains(line, "--kind usage-ledger --format pdf --filter from=2024-01-01T00:00:00.000Z --filter to=2027") {
		t.Errorf("the line that freezes the same is %q", line)
	}
	b.click(".actions a[href*='verification']")
	b.shows("VERIFIED", "A pinned key signed the manifest", "self-check")
	b.inspect("verification")
	b.open("/console/exports/" + id)
	b.click(".actions a[href*='new']")
	b.shows("4,029 rows", "1 Jan 2024 – 31 Dec 2026")
	if status := b.open("/console/exports/rptx_gone"); status != 404 {
		t.Errorf("an export that is not gives status %d, want 404", status)
	}
	b.open("/console/exports/rptx_gone/verification")
	b.shows("There is no such resource")
}

// Downloads are those of the API, and what it refuses is a page.
func TestDownloadsThroughTheConsole(t *testing.T) {
	t.Parallel()
	s := newSite(t).stock(t)
	id := s.freeze(t, `{"report_kind":"usage-ledger","format":"csv"}`)
	var x struct {
		ArtifactDigest string `json:"artifact_digest"`
	}
	s.api(t, "GET", "/api/v1/reports/exports/"+id, "", nil, &x)
	_, token := s.token(t, "me", auth.ReportExport)
	v := newVisitor(t, s.url)
	v.send("POST", "/console/sign-in", url.Values{"token": {token}})
	resp, body := v.send("GET", "/console/exports/"+id+"/download", nil)
	sum := sha256.Sum256([]byte(body))
	if got := "sha256:" + hex.EncodeToString(sum[:]); got != x.ArtifactDigest || !strings.Contains(resp.Header.Get("Content-Disposition"), id) {
		t.Errorf("the download hashes to %s, named %q; want %s", got, resp.Header.Get("Content-Disposition"), x.ArtifactDigest)
	}
	if resp, _ := v.send("GET", "/console/exports/"+id+"/download", nil, "Range", "bytes=0-9"); resp.StatusCode != http.StatusPartialContent || resp.ContentLength != 10 {
		t.Errorf("a range gives status %d and %d bytes, want 206 and 10", resp.StatusCode, resp.ContentLength)
	}
	if resp, body := v.send("GET", "/console/exports/"+id+"/bundle", nil); resp.StatusCode != 200 || !strings.HasPrefix(body, "PK") || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the bundle: status %d, Cache-Control %q", resp.StatusCode, resp.Header.Get("Cache-Control"))
	}
	for path, want := range map[string]int{"/pages/1.png": 404, "/pages/x": 404, "/download/x": 404} {
		if resp, body := v.send("GET", "/console/exports/"+id+path, nil); resp.StatusCode != want || !strings.Contains(body, "<html") {
			t.Errorf("%s gives status %d, want the page of %d", path, resp.StatusCode, want)
		}
	}
}

// A page of a PDF was viewed when its picture was fetched, not when it was offered.
func TestPageViewsAreCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t).stock(t)
	id := s.freeze(t, `{"report_kind":"usage-summary","format":"pdf"}`)
	v := s.visitor(t, auth.ReportExport)
	for _, step := range []struct {
		path, contains string
		views          int
	}{
		{"/console/exports/" + id, `src="/console/exports/` + id + `/pages/1.png" alt="Page 1 of `, 0},
		{"/console/exports/" + id + "?page=999", "There is no such page", 0},
		{"/console/exports/" + id + "/pages/1.png", "PNG", 1},
	} {
		resp, page := v.send("GET", step.path, nil)
		if resp.StatusCode != 200 || !strings.Contains(page, step.contains) {
			t.Errorf("%s gives status %d, want 200 with %s", step.path, resp.StatusCode, step.contains)
		}
		var views []struct{}
		s.api(t, "GET", "/api/v1/events?event_type=report_export.page_viewed", "", nil, &views)
		if len(views) != step.views {
			t.Errorf("after %s there are %d events of pages viewed, want %d", step.path, len(views), step.views)
		}
	}
}
