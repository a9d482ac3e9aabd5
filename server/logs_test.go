package server

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"licensekit/exporter"
	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/tilelog"
)

const logsPath = "/api/v1/logs"

// twoLogs gives a site with a closed log of three exports and one that grows,
// and each export's bundle from before the restart.
func twoLogs(t *testing.T) (s *site, exports []exportData, bundles [][]byte) {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	at := func(o *Options) { o.Data = data }
	first := newSite(t, at)
	for range 3 {
		x := first.ready(t, jsonExport)
		exports = append(exports, x)
		bundles = append(bundles, first.get(t, exportsPath+"/"+x.ID+"/bundle").body)
	}
	first.shut(t)
	dir, err := exporter.OpenDirectory(data, false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exporter.RestartLog(t.Context(), dir, exporter.Options{Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	if err := dir.Close(); err != nil {
		t.Fatal(err)
	}
	return newSite(t, at), exports, bundles
}

// A closed log is there as it was: its list entry, checkpoint, tiles, proofs.
func TestClosedLogs(t *testing.T) {
	t.Parallel()
	s, exports, bundles := twoLogs(t)
	fresh := s.ready(t, jsonExport)
	var list []logInfo
	s.do(t, call{method: "GET", path: logsPath}).into(t, http.StatusOK, &list)
	if len(list) != 2 || list[0].Status != "closed" || list[1].Status != "active" || list[0].Origin != exports[0].LogOrigin || list[1].Origin != fresh.LogOrigin || list[0].Size != 3 || list[1].Size != 2 {
		t.Fatalf("logs %+v; want a closed one of 3 and an active one of 2", list)
	}
	for i, l := range list {
		key, err := evidence.ParseLogKey([]byte(l.VerifierKey))
		if err != nil {
			t.Fatal(err)
		}
		head := s.do(t, call{method: "GET", path: l.URL + "/checkpoint"}).saying(t, "Content-Type", "text/plain; charset=utf-8")
		c, err := tilelog.ParseCheckpoint(head.body)
		if err != nil || c.Origin != key.Origin() || c.Size != l.Size || c.Root.String() != l.Root || l.Number != i+1 {
			t.Errorf("%s; %v; want the checkpoint of %+v", head, err, l)
		}
	}
	s.testClosedTiles(t, exports)
	s.testClosedProofs(t, exports)
	for i, x := range exports {
		if got := s.get(t, exportsPath+"/"+x.ID+"/bundle").body; !bytes.Equal(got, bundles[i]) {
			t.Errorf("the bundle of %s changed when its log was closed", x.ID)
		}
	}
	for _, number := range []string{"0", "3", "01", "x", "-1", "1.0", "%20"} {
		s.do(t, call{method: "GET", path: logsPath + "/" + number + "/checkpoint"}).want(t, 404, "NOT_FOUND").detail(t, "from 1 to 2")
	}
}

func (s *site) testClosedTiles(t *testing.T, exports []exportData) {
	s.do(t, call{method: "GET", path: logsPath + "/1/tile/0/000.p/3"}).saying(t, "Content-Length", "96").saying(t, "Cache-Control", "public, max-age=31536000, immutable")
	s.do(t, call{method: "GET", path: logsPath + "/1/tile/entries/000.p/3"}).want(t, 401, "UNAUTHORIZED")
	s.do(t, call{method: "GET", path: logsPath + "/1/tile/0/000.p/4"}).want(t, 404, "NOT_FOUND")
	leaves := splitEntries(t, s.get(t, logsPath+"/1/tile/entries/000.p/3"))
	for i, x := range exports {
		if want := inZip(t, s.get(t, exportsPath+"/"+x.ID+"/bundle").body, "manifest.json"); !bytes.Equal(leaves[i], want) {
			t.Errorf("entry %d is %s, want %s", i, leaves[i], want)
		}
	}
}

func (s *site) testClosedProofs(t *testing.T, exports []exportData) {
	for from := range 4 {
		for to := max(from, 1); to <= 3; to++ { // every size that a bundle shows
			a := s.do(t, call{method: "GET", path: fmt.Sprintf("%s/1/consistency?from=%d&to=%d", logsPath, from, to)})
			if c, err := tilelog.ParseConsistency(a.body); err != nil || c.Old != int64(from) || c.Size != int64(to) || c.Origin != exports[0].LogOrigin {
				t.Errorf("%s; %v; want a proof from %d to %d", a, err, from, to)
			}
		}
	}
	s.do(t, call{method: "GET", path: logsPath + "/1/consistency?from=0&to=0"}).want(t, 400, "INVALID_QUERY").detail(t, "the log is closed")
	a := s.get(t, logsPath+"/1/proof/1")
	if p, err := tilelog.ParseProof(a.body); err != nil || p.Index != 1 || p.Size != 3 {
		t.Errorf("%s; %v; want the proof of entry 1 in 3", a, err)
	}
	s.get(t, logsPath+"/1/proof/3").want(t, 404, "NOT_FOUND").detail(t, "3 entries")
}

// A reviewer who pins both keys finds the exports of either log proven by it.
func TestBundlesOfTwoLogs(t *testing.T) {
	t.Parallel()
	s, exports, _ := twoLogs(t)
	trust := evidence.Trust{Keys: []evidence.PublicKey{s.Key()}}
	for _, l := range s.exports.Logs() {
		key, err := evidence.ParseLogKey([]byte(l.Key.VerifierKey))
		if err != nil {
			t.Fatal(err)
		}
		trust.LogKeys = append(trust.LogKeys, key)
	}
	for _, x := range append(exports, s.ready(t, jsonExport)) {
		bundle := s.get(t, exportsPath+"/"+x.ID+"/bundle").body
		result, err := evidence.Verify(t.Context(), evidence.Input{Bundle: io.NewSectionReader(bytes.NewReader(bundle), 0, int64(len(bundle)))}, trust)
		if err != nil || result.Verdict != evidence.Verified || result.Steps[5].Outcome != evidence.Passed {
			t.Errorf("%s: got %+v, %v; want VERIFIED by its log", x.ID, result, err)
		}
	}
}
