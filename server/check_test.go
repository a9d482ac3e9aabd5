package server

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"licensekit/auth"
	"licensekit/exporter"
)

// check asks the server to look at all that it keeps.
func (s *site) check(t *testing.T) (got exporter.CheckResult) {
	t.Helper()
	s.do(t, call{method: "GET", path: "/api/v1/system/check", token: s.token(t, auth.Admin)}).into(t, 200, &got)
	return got
}

func (s *site) wantSound(t *testing.T) exporter.CheckResult {
	t.Helper()
	got := s.check(t)
	if !got.OK || len(got.Problems) > 0 {
		t.Errorf("check finds %+v, want nothing", got.Problems)
	}
	return got
}

// A flipped bit anywhere in a blob is found and named, and nothing else is.
func TestCheckFindsACorruptedBlob(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	x := s.ready(t, `{"report_kind":"usage-ledger","format":"csv"}`)
	y := s.ready(t, jsonExport)
	sound := s.wantSound(t)
	if c := sound.Checked; c.Exports != 2 || c.Entries != 2 || c.Blobs < 4 || c.Bytes < *x.SizeBytes+*y.SizeBytes {
		t.Errorf("checked %+v, want 2 exports, 2 entries and the blobs of both", c)
	}
	digest := strings.TrimPrefix(x.ArtifactDigest, "sha256:")
	path := filepath.Join(s.opts.Data, "blobs", "sha256", digest[:2], digest)
	for _, offset := range []int64{0, *x.SizeBytes - 1} {
		flip(t, path, offset)
		got := s.check(t)
		if got.OK || len(got.Problems) != 1 || got.Problems[0].What != "blob" || got.Problems[0].ID != digest {
			t.Errorf("with byte %d flipped the check says %+v, want the blob %s alone", offset, got, digest)
		}
		if got.Checked != sound.Checked {
			t.Errorf("checked %+v, want as much as before: %+v", got.Checked, sound.Checked)
		}
		flip(t, path, offset)
	}
	s.wantSound(t)
}

// flip changes a bit of a file; a second time it changes it back.
func flip(t *testing.T, path string, offset int64) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[offset] ^= 1
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// An artifact that the disk lost is named by the check and by the download,
// which does not take it for an export that never was.
func TestALostArtifactIsNamed(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	x := s.ready(t, `{"report_kind":"usage-ledger","format":"csv"}`)
	digest := strings.TrimPrefix(x.ArtifactDigest, "sha256:")
	if err := os.Remove(filepath.Join(s.opts.Data, "blobs", "sha256", digest[:2], digest)); err != nil {
		t.Fatal(err)
	}
	got := s.check(t)
	if got.OK || len(got.Problems) != 1 || got.Problems[0].What != "export" || got.Problems[0].ID != string(x.ID) {
		t.Errorf("the check says %+v, want the export %s alone", got, x.ID)
	}
	path := "/api/v1/reports/exports/" + string(x.ID) + "/download"
	s.do(t, call{method: "GET", path: path, token: s.token(t, auth.ReportExport)}).want(t, 500, "ARTIFACT_DAMAGED")
}

// As a stream a check tells what it turns to, and the result in the last line.
func TestCheckAsAStream(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	s.ready(t, jsonExport)
	a := s.do(t, call{method: "GET", path: "/api/v1/system/check", token: s.token(t, auth.Admin), header: map[string]string{"Accept": "application/x-ndjson"}})
	lines := strings.Split(strings.TrimSpace(string(a.body)), "\n")
	var stages []string
	for _, line := range lines[:len(lines)-1] {
		var now struct{ Stage string }
		if err := json.Unmarshal([]byte(line), &now); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		stages = append(stages, now.Stage)
	}
	stages = slices.Compact(stages)
	if want := []string{"blobs", "exports", "log", "keys", "data"}; !slices.Equal(stages, want) {
		t.Errorf("stages %v, want %v", stages, want)
	}
	var result struct {
		OK      bool
		Checked struct{ Exports int }
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &result); err != nil || !result.OK || result.Checked.Exports != 1 {
		t.Errorf("%s: %v; want one sound export in the last line", a, err)
	}
}
