package server

import (
	"testing"
	"time"

	"licensekit/auth"
	"licensekit/server/schedule"
)

const schedulesPath = "/api/v1/schedules"

const monthlyUsage = `{"name":"monthly","report_kind":"usage-summary","formats":["json","csv"],"filters":{"group_by":["customer_id"]},"period":"month","day":1,"time":"06:00","time_zone":"Europe/Berlin"}`

// schedule asks for one with a token.
func (s *site) schedule(t *testing.T, token, body string) (made schedule.Schedule) {
	t.Helper()
	a := s.do(t, call{method: "POST", path: schedulesPath, token: token, body: body})
	a.into(t, 201, &made)
	a.saying(t, "Location", schedulesPath+"/"+made.ID)
	return made
}

// runs waits until a schedule has so many.
func (s *site) runs(t *testing.T, id string, n int) (runs []schedule.Run) {
	t.Helper()
	eventually(t, "the schedule runs", func() bool {
		s.get(t, schedulesPath+"/"+id+"/runs?limit=50").into(t, 200, &runs)
		return len(runs) == n
	})
	return runs
}

// A schedule freezes in the name of the key that made it, until that is revoked.
func TestScheduleOverHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key, token := s.issue(t, auth.Spec{Scopes: []auth.Scope{auth.ReportExport}})
	made := s.schedule(t, token, monthlyUsage)
	if made.CreatedBy != key.ID || made.Day != 1 || made.NextRunAt.Before(time.Now()) {
		t.Errorf("schedule is %+v, want it of key %s, to run", made, key.ID)
	}
	s.skew.Store(int64(time.Until(made.NextRunAt) + time.Hour))
	other := s.schedule(t, s.token(t, auth.ReportExport), `{"name":"n","report_kind":"usage-ledger","formats":["json"],"period":"day"}`) // wakes the runner
	run := s.runs(t, made.ID, 1)[0]
	if run.Status != schedule.Created || len(run.Exports) != 2 {
		t.Fatalf("run is %+v, want two exports", run)
	}
	var x exportData
	s.get(t, exportsPath+"/"+string(run.Exports[1])).into(t, 200, &x)
	if x.CreatedBy != key.ID || x.Format != "csv" {
		t.Errorf("export is %+v, want csv by %s", x, key.ID)
	}
	if err := s.Server.tokens.Revoke(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	s.skew.Add(int64(32 * 24 * time.Hour))
	s.schedule(t, s.token(t, auth.ReportExport), `{"name":"n","report_kind":"usage-ledger","formats":["json"],"period":"week"}`)
	if run := s.runs(t, made.ID, 2)[0]; run.Status != schedule.Refused || run.Error != "the key that made the schedule is revoked" {
		t.Errorf("run is %+v, want it refused", run)
	}
	if refused := s.only(t, "report_schedule.refused"); refused.ResourceID != made.ID {
		t.Errorf("event is %+v, want it of %s", refused, made.ID)
	}
	var all []schedule.Schedule
	s.get(t, schedulesPath).into(t, 200, &all)
	if len(all) != 3 || all[0].ID != made.ID || all[1].ID != other.ID {
		t.Errorf("schedules are %+v, want three in the order of their creation", all)
	}
	var one schedule.Schedule
	s.get(t, schedulesPath+"/"+made.ID).into(t, 200, &one)
	if one.ID != made.ID {
		t.Errorf("got %+v, want %s", one, made.ID)
	}
	if a := s.do(t, call{method: "DELETE", path: schedulesPath + "/" + made.ID, token: token}); a.status != 401 {
		t.Errorf("with the revoked token: %s; want status 401", a)
	}
	if a := s.do(t, call{method: "DELETE", path: schedulesPath + "/" + made.ID, token: s.token(t, auth.ReportExport)}); a.status != 204 {
		t.Errorf("%s; want status 204", a)
	}
	s.get(t, schedulesPath+"/"+made.ID).want(t, 404, "NOT_FOUND")
	s.get(t, exportsPath+"/"+string(run.Exports[0])).into(t, 200, &x) // stays
}

func TestSchedulesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for body, want := range map[string]struct {
		status       int
		code, detail string
	}{
		`{"name":"n","report_kind":"usage-summary","formats":["json"]}`:                                                          {422, "VALIDATION_ERROR", "period"},
		`{"name":"n","report_kind":"usage-summary","formats":["json"],"period":"month","day":31}`:                                {422, "VALIDATION_ERROR", "day 31"},
		`{"name":"n","report_kind":"usage-summary","formats":["json"],"period":"month","filters":{"to":"2026-01-01T00:00:00Z"}}`: {422, "VALIDATION_ERROR", "from and to"},
		`{"name":"n","report_kind":"usage-summary","formats":"json","period":"month"}`:                                           {400, "INVALID_JSON", "formats"},
		`{"name":"n","report_kind":"usage-summary","formats":["json"],"every":"month"}`:                                          {400, "INVALID_JSON", `unknown member "every"`},
	} {
		s.post(t, auth.ReportExport, schedulesPath, "application/json", body).want(t, want.status, want.code).detail(t, want.detail)
	}
	s.do(t, call{method: "GET", path: schedulesPath + "?offset=1", token: s.token(t, auth.ReportExport)}).want(t, 400, "INVALID_QUERY")
}
