package server

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"licensekit/auth"
)

type verification struct {
	Verdict string
	Steps   []struct {
		Step                 int
		Name, Status, Detail string
	}
}

// A verification says step by step what a reviewer with this instance's keys
// would find, also of exports before others and before a rotation.
func TestVerifyExport(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	old := s.ready(t, `{"report_kind":"usage-ledger","format":"csv"}`)
	s.post(t, auth.Admin, "/api/v1/system/keys/rotate", "application/json", "")
	fresh := s.ready(t, jsonExport)
	for _, id := range []string{old.ID, fresh.ID} {
		var whole verification
		s.get(t, exportsPath+"/"+id+"/verification").into(t, 200, &whole)
		if whole.Verdict != "VERIFIED" || len(whole.Steps) < 9 {
			t.Fatalf("%s: verdict %s after %d steps, want VERIFIED after all", id, whole.Verdict, len(whole.Steps))
		}
		for _, step := range whole.Steps[:8] {
			if step.Status != "passed" {
				t.Errorf("%s: step %s %s: %s; want it passed", id, step.Name, step.Status, step.Detail)
			}
		}
		a := s.do(t, call{method: "GET", path: exportsPath + "/" + id + "/verification", token: s.token(t, auth.ReportExport), header: map[string]string{"Accept": "application/x-ndjson"}})
		lines := strings.Split(strings.TrimSpace(string(a.body)), "\n")
		var last verification
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || a.header.Get("Content-Type") != "application/x-ndjson" || len(lines) != len(whole.Steps)+1 || last.Verdict != "VERIFIED" {
			t.Errorf("%s: as a stream %s, want the steps and the result", id, a)
		}
	}
}

// What the disk has done to an artifact is no secret to a verification.
func TestVerifyDamagedExport(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	x := s.ready(t, `{"report_kind":"usage-ledger","format":"csv"}`)
	hex := strings.TrimPrefix(x.ArtifactDigest, "sha256:")
	path := filepath.Join(s.opts.Data, "blobs", "sha256", hex[:2], hex)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.get(t, exportsPath+"/"+x.ID+"/verification").want(t, 500, "ARTIFACT_DAMAGED")
	s.get(t, exportsPath+"/rptx_gone/verification").want(t, 404, "NOT_FOUND")
}
