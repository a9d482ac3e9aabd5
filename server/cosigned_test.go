package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"licensekit/auth"
	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/evidencetest"
	"licensekit/exporter/evidence/witness"
)

const cosignedPath = "/api/v1/log/cosigned"

// cosign adds an auditor's cosignature to a checkpoint of the log that grows.
func (s *site) cosign(t testing.TB, by evidencetest.Auditor, checkpoint []byte) []byte {
	t.Helper()
	return by.Sign(t, s.exports.Log().Key.VerifierKey, checkpoint)
}

// keep hands a cosigned checkpoint to the server.
func (s *site) keep(t testing.TB, checkpoint []byte, named ...evidencetest.Auditor) answer {
	t.Helper()
	body := map[string]any{"checkpoint": string(checkpoint)}
	var keys []string
	for _, a := range named {
		keys = append(keys, a.Key.String())
	}
	if len(keys) > 0 {
		body["witnesses"] = keys
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return s.post(t, auth.Admin, cosignedPath, "application/json", string(text))
}

// A checkpoint goes out to witnesses, comes back, and is in bundles that ask
// for it; those that don't stay as they are.
func TestCosignedCheckpoint(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one, two := evidencetest.NewAuditor(t, "one.example"), evidencetest.NewAuditor(t, "two.example")
	x := s.ready(t, jsonExport)
	s.ready(t, jsonExport)
	path := exportsPath + "/" + x.ID + "/bundle"
	before := s.get(t, path).body
	s.get(t, path+"?checkpoint=cosigned").want(t, 409, "NOT_COSIGNED")
	s.get(t, logPath+"proof/0?checkpoint=cosigned").want(t, 409, "NOT_COSIGNED")

	sent := s.public(t, "checkpoint").body
	var kept cosignedInfo
	s.keep(t, s.cosign(t, one, s.cosign(t, two, sent)), one).into(t, http.StatusOK, &kept)
	if len(kept.Cosignatures) != 1 || kept.Cosignatures[0].Witness != "one.example" || len(kept.LeftOut) != 0 || kept.Size != 2 {
		t.Errorf("kept %+v; want the cosignature of one", kept)
	}
	late := s.ready(t, jsonExport)
	s.get(t, exportsPath+"/"+late.ID+"/bundle?checkpoint=cosigned").want(t, 409, "NOT_COSIGNED").detail(t, "entry 2 of")
	stranger := strings.Replace(string(s.cosign(t, two, sent)), "— two.example", "— other.example", 1)
	s.keep(t, []byte(stranger)).want(t, 422, "VALIDATION_ERROR").detail(t, "no known witness signed it; 1 of")
	s.keep(t, s.cosign(t, two, sent), two).into(t, http.StatusOK, &kept) // one is remembered
	if len(kept.Cosignatures) != 2 {
		t.Errorf("kept %+v; want both cosignatures", kept)
	}

	policy, err := witness.ParsePolicy(fmt.Appendf(nil, "log %s\nwitness one %s\nwitness two %s\ngroup both all one two\nquorum both\n", s.exports.Log().Key.VerifierKey, one.Key, two.Key))
	if err != nil {
		t.Fatal(err)
	}
	trust := evidence.Trust{Keys: []evidence.PublicKey{s.Key()}, Policy: policy}
	for query, want := range map[string]evidence.Verdict{"": evidence.Invalid, "?checkpoint=first": evidence.Invalid, "?checkpoint=newest": evidence.Invalid, "?checkpoint=cosigned": evidence.Verified} {
		bundle := s.get(t, path+query).body
		result, err := evidence.Verify(t.Context(), evidence.Input{Bundle: io.NewSectionReader(bytes.NewReader(bundle), 0, int64(len(bundle)))}, trust)
		if err != nil || result.Verdict != want {
			t.Errorf("bundle%s: got %+v, %v; want %s", query, result, err, want)
		}
		if same := bytes.Equal(bundle, before); same != (query == "" || query == "?checkpoint=first") {
			t.Errorf("bundle%s is what it was before the log went on: %t", query, same)
		}
	}
	for _, path := range []string{cosignedPath, cosignedPath + "?size=2", "/api/v1/logs/1/cosigned"} {
		a := s.do(t, call{method: "GET", path: path}).saying(t, "Content-Type", "text/plain; charset=utf-8")
		if text := string(a.body); !strings.Contains(text, "— one.example ") || !strings.Contains(text, "— two.example ") || !strings.HasPrefix(text, x.LogOrigin+"\n2\n") {
			t.Errorf("%s; want the checkpoint of 2 with both cosignatures", a)
		}
	}
	s.do(t, call{method: "GET", path: cosignedPath + "?size=3"}).want(t, 404, "NOT_FOUND")
	s.do(t, call{method: "GET", path: cosignedPath + "?size=9"}).want(t, 400, "INVALID_QUERY")
	s.get(t, path+"?checkpoint=last").want(t, 400, "INVALID_QUERY")
	if got := string(s.get(t, logPath+"proof/0?checkpoint=cosigned").body); !strings.Contains(got, "— one.example ") {
		t.Errorf("proof %s; want one with the cosigned checkpoint", got)
	}
	s.testListOfCosigned(t, one)
	s.testCheckOfCosigned(t)
}

// testListOfCosigned wants all that is kept, the newest first and page by page.
func (s *site) testListOfCosigned(t *testing.T, one evidencetest.Auditor) {
	t.Helper()
	s.keep(t, s.cosign(t, one, s.public(t, "checkpoint").body)).want(t, http.StatusOK, "")
	for _, path := range []string{"/api/v1/log/cosignatures", "/api/v1/logs/1/cosignatures"} {
		var first, second []cosignedInfo
		s.do(t, call{method: "GET", path: path + "?limit=1"}).into(t, 200, &first)
		s.do(t, call{method: "GET", path: path + "?cursor=3"}).into(t, 200, &second)
		if len(first) != 1 || first[0].Size != 3 || len(first[0].Cosignatures) != 1 || first[0].Cosignatures[0].Witness != "one.example" {
			t.Errorf("the first page of %s is %+v; want that of size 3, by one", path, first)
		}
		if len(second) != 1 || second[0].Size != 2 || len(second[0].Cosignatures) != 2 || second[0].Contradicts {
			t.Errorf("the second page of %s is %+v; want that of size 2, by both", path, second)
		}
	}
	s.do(t, call{method: "GET", path: "/api/v1/log/cosignatures?size=2"}).want(t, 400, "INVALID_QUERY")
	s.do(t, call{method: "GET", path: "/api/v1/logs/2/cosignatures"}).want(t, 404, "NOT_FOUND")
}

// A checkpoint that is damaged is named among the others, until a witness brings
// it again.
func TestDamagedCheckpointIsListed(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(text string) string{
		"its text":       func(text string) string { return strings.Replace(text, "\n2\n", "\n7\n", 1) },
		"a cosignature":  func(text string) string { return strings.TrimRight(text, "=\n")[:len(text)-9] + "AAAAAA==\n" },
		"all of it":      func(text string) string { return strings.Repeat("\x00", len(text)) },
		"its end is cut": func(text string) string { return text[:len(text)-20] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			one := evidencetest.NewAuditor(t, "one.example")
			var second []byte
			for size := range 3 {
				s.ready(t, jsonExport)
				signed := s.cosign(t, one, s.public(t, "checkpoint").body)
				s.keep(t, signed, one).want(t, http.StatusOK, "")
				if size+1 == 2 {
					second = signed
				}
			}
			rotten := filepath.Join(s.dir.Log(), "cosigned", "2")
			kept, err := os.ReadFile(rotten)
			if err == nil {
				err = errors.Join(os.Chmod(rotten, 0o600), os.WriteFile(rotten, []byte(damage(string(kept))), 0o600))
			}
			if err != nil {
				t.Fatal(err)
			}
			s.wantListed(t, "", "CHECKPOINT_DAMAGED", "")
			if name != "a cosignature" { // of which the log's key knows nothing
				s.do(t, call{method: "GET", path: cosignedPath + "?size=2"}).want(t, 500, "CHECKPOINT_DAMAGED")
			}
			if got := s.check(t); got.OK || len(got.Problems) != 1 || !strings.HasSuffix(got.Problems[0].ID, " cosigned 2") {
				t.Errorf("check finds %+v, want the checkpoint of size 2 alone", got.Problems)
			}
			s.keep(t, second).want(t, http.StatusOK, "")
			s.wantListed(t, "", "", "")
			s.wantSound(t)
			if aside, err := os.ReadFile(rotten + ".damaged"); err != nil || string(aside) != damage(string(kept)) {
				t.Errorf("set aside is %q, %v; want what was damaged", aside, err)
			}
		})
	}
}

// A checkpoint that could not be read need not be damaged, and is not called so.
func TestUnreadCheckpointIsNoDamage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one := evidencetest.NewAuditor(t, "one.example")
	s.ready(t, jsonExport)
	s.keep(t, s.cosign(t, one, s.public(t, "checkpoint").body), one).want(t, http.StatusOK, "")
	kept := filepath.Join(s.dir.Log(), "cosigned", "1")
	if err := errors.Join(os.Remove(kept), os.Mkdir(kept, 0o700)); err != nil {
		t.Fatal(err)
	}
	s.do(t, call{method: "GET", path: "/api/v1/log/cosignatures"}).want(t, 500, "INTERNAL")
}

// wantListed wants the checkpoints of sizes 3, 2 and 1 with these errors.
func (s *site) wantListed(t *testing.T, want ...string) {
	t.Helper()
	var page []cosignedInfo
	s.do(t, call{method: "GET", path: "/api/v1/log/cosignatures"}).into(t, 200, &page)
	if len(page) != len(want) {
		t.Fatalf("listed are %+v, want %d checkpoints", page, len(want))
	}
	for i, c := range page {
		got := ""
		if c.Error != nil {
			got = c.Error.Code
		}
		if got != want[i] || (c.Root == nil) != (got != "") || c.Size != int64(len(want)-i) || (len(c.Cosignatures) == 1) != (got == "") {
			t.Errorf("place %d has %+v; want error %q", i, c, want[i])
		}
	}
}

// testCheckOfCosigned wants the check to look at what is kept.
func (s *site) testCheckOfCosigned(t *testing.T) {
	var result struct {
		OK       bool
		Problems []struct{ What, ID, Problem string }
	}
	s.do(t, call{method: "GET", path: "/api/v1/system/check", token: s.token(t, auth.Admin)}).into(t, http.StatusOK, &result)
	if !result.OK {
		t.Errorf("check finds %+v, want nothing", result.Problems)
	}
}

func TestCheckpointsThatAreRefused(t *testing.T) {
	t.Parallel()
	s, other := newSite(t), newSite(t)
	one := evidencetest.NewAuditor(t, "one.example")
	s.ready(t, jsonExport)
	other.ready(t, jsonExport)
	sent := s.public(t, "checkpoint").body
	sound := string(s.cosign(t, one, sent))
	for body, detail := range map[string]string{
		string(sent): "no known witness signed it",
		strings.Replace(sound, "\n1\n", "\n2\n", 1):                      "not signed by the log's key",
		string(other.cosign(t, one, other.public(t, "checkpoint").body)): "which is none of this instance's",
		"hello\n":                                "malformed note",
		strings.TrimSuffix(sound, "=\n") + "A\n": "",
	} {
		s.keep(t, []byte(body), one).want(t, 422, "VALIDATION_ERROR").detail(t, detail)
	}
	s.post(t, auth.Admin, cosignedPath, "application/json", `{"checkpoint":"x","witnesses":["hello"]}`).want(t, 422, "VALIDATION_ERROR").detail(t, "witnesses[0]")
	s.post(t, auth.Admin, cosignedPath, "application/json", `{"note":"x"}`).want(t, 400, "INVALID_JSON")
	s.do(t, call{method: "GET", path: cosignedPath}).want(t, 404, "NOT_FOUND")
}

// What the log's key signed and the log does not hold is told apart from what
// is merely wrong.
func TestCheckpointOfASecondHistory(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one := evidencetest.NewAuditor(t, "one.example")
	s.ready(t, jsonExport)
	s.keep(t, s.cosign(t, one, s.fork(t)), one).want(t, 409, "LOG_CONTRADICTED").detail(t, "it shows 9 entries, the log has 1")
}

// fork gives a checkpoint of size 9 that the log's own key signed.
func (s *site) fork(t *testing.T) []byte {
	t.Helper()
	key, err := evidence.Load(s.dir.Keys(), evidence.ForLog)
	if err != nil {
		t.Fatal(err)
	}
	l, err := evidence.OpenLog(t.TempDir(), key, s.exports.Log().Origin())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 9 {
		if _, err := l.Append(t.Context(), func(int64) ([]byte, error) { return []byte("another history"), nil }); err != nil {
			t.Fatal(err)
		}
	}
	return l.Head().Signed
}
