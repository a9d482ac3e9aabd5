package server

import (
	"errors"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"licensekit/auth"
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

// unready wants the server to be alive and not ready, for these reasons.
func (s *site) unready(t *testing.T, codes ...string) {
	t.Helper()
	var got struct {
		Status, DB string
		Reasons    []struct{ Code, Message string }
	}
	s.do(t, call{method: "GET", path: "/readyz"}).into(t, 503, &got)
	var found []string
	for _, reason := range got.Reasons {
		found = append(found, reason.Code)
	}
	if !slices.Equal(found, codes) || got.Status != "not_ready" || (got.DB == "error") != slices.Contains(codes, "DATABASE_FAILED") {
		t.Errorf("readyz = %+v, want the reasons %v", got, codes)
	}
	for _, path := range []string{"/health", "/healthz"} {
		if a := s.do(t, call{method: "GET", path: path}); a.status != http.StatusOK {
			t.Errorf("%s: %s; want status 200", path, a)
		}
	}
}

// A database that can't be read makes the server not ready, but not unhealthy.
func TestNotReadyWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.do(t, call{method: "GET", path: "/readyz"})
	if err := s.dir.DB.Close(); err != nil {
		t.Fatal(err)
	}
	s.unready(t, "DATABASE_FAILED")
	s.do(t, call{method: "GET", path: exportsPath, token: secrets.any()}).want(t, 500, "INTERNAL")
	families := s.families(t) // what can still be told is
	families.want(t, "licensekit_ready", 0, "check", "database")
	families.want(t, "licensekit_ready", 1, "check", "disk")
	if families["licensekit_exports"] != nil || families["licensekit_events_total"] != nil {
		t.Errorf("metrics of a database that can't be read: %v, %v; want none", families["licensekit_exports"], families["licensekit_events_total"])
	}
}

// What a check finds damaged makes the server not ready until one finds it whole.
func TestNotReadyWithDamage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hex := strings.TrimPrefix(s.ready(t, jsonExport).ArtifactDigest, "sha256:")
	path := filepath.Join(s.opts.Data, "blobs", "sha256", hex[:2], hex)
	aside := path + ".aside"
	check := func() {
		t.Helper()
		s.do(t, call{method: "GET", path: "/api/v1/system/check", token: s.token(t, auth.Admin)}).want(t, 200, "")
	}
	if err := os.Rename(path, aside); err != nil {
		t.Fatal(err)
	}
	check()
	s.unready(t, "DAMAGE_FOUND")
	s.families(t).want(t, "licensekit_damage", 1)
	s.ready(t, `{"report_kind":"usage-ledger"}`)
	if err := os.Rename(aside, path); err != nil {
		t.Fatal(err)
	}
	check()
	if a := s.do(t, call{method: "GET", path: "/readyz"}); a.status != http.StatusOK {
		t.Errorf("with all as it was: %s; want status 200", a)
	}
}

// An older copy that knows of log entries that it lacks serves all but what
// would be entered in its log.
func TestNotReadyWithALogThatIsBehind(t *testing.T) {
	t.Parallel()
	first := newSite(t)
	old := first.ready(t, jsonExport)
	first.shut(t)
	older := filepath.Join(t.TempDir(), "older")
	if err := os.CopyFS(older, os.DirFS(first.opts.Data)); err != nil {
		t.Fatal(err)
	}
	second := newSite(t, func(o *Options) { o.Data = first.opts.Data })
	second.ready(t, `{"report_kind":"usage-ledger"}`)
	seen := filepath.Join(older, "log", "cosigned")
	if err := errors.Join(os.MkdirAll(seen, 0o700), os.WriteFile(filepath.Join(seen, "2"), second.public(t, "checkpoint").body, 0o600)); err != nil {
		t.Fatal(err)
	}

	s := newSite(t, func(o *Options) { o.Data, o.Keys = older, filepath.Join(first.opts.Data, "keys") })
	s.unready(t, "LOG_BEHIND")
	s.families(t).want(t, "licensekit_ready", 0, "check", "log")
	if got := s.check(t); got.OK || len(got.Problems) != 1 || got.Problems[0].Code != "LOG_BEHIND" || got.Problems[0].ID != old.LogOrigin {
		t.Errorf("check finds %+v; want that the log is behind, and nothing else", got.Problems)
	}
	s.unready(t, "LOG_BEHIND") // which is no damage
	s.families(t).want(t, "licensekit_damage", 0)
	s.create(t, jsonExport).want(t, 503, "LOG_BEHIND")
	s.get(t, exportsPath+"/"+old.ID+"/download").want(t, 200, "")
	s.post(t, auth.ReportWrite, "/api/v1/activities", "application/json", `[]`).want(t, 200, "")
	var cosigned []cosignedInfo
	s.do(t, call{method: "GET", path: "/api/v1/log/cosignatures"}).into(t, 200, &cosigned)
	if len(cosigned) != 1 || cosigned[0].Size != 2 || !cosigned[0].Contradicts {
		t.Errorf("cosigned checkpoints %+v; want the one that the log does not continue", cosigned)
	}
}

func TestNotReadyWithoutRoom(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.MinFree = math.MaxInt64 })
	s.unready(t, "DISK_LOW")
	s.ready(t, jsonExport) // what there is room for is done
	s.families(t).want(t, "licensekit_ready", 0, "check", "disk")
}

// Told to stop, a server goes on for a while and says so.
func TestNotReadyWhileItDrains(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.Drain = 10 * time.Second })
	s.do(t, call{method: "GET", path: "/readyz"})
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	<-s.stopping.Done()
	s.unready(t, "SHUTTING_DOWN")
	s.createWith(t, jsonExport, nil).want(t, 202, "") // nobody waits for it now
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}
