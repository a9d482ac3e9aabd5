package server

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"

	"licensekit/auth"
	"licensekit/server/schedule"
)

// createSchedule has a report frozen on the clock, in the caller's name.
func (s *Server) createSchedule(w http.ResponseWriter, r *request) error {
	spec := schedule.Spec{CreatedBy: r.caller.id, TimeZone: "UTC", Time: "00:00"}
	filters := json.RawMessage("{}")
	err := decodeJSON(w, r, map[string]any{
		"name": &spec.Name, "report_kind": &spec.Kind, "formats": &spec.Formats, "filters": &filters,
		"period": &spec.Period, "day": &spec.Day, "time": &spec.Time, "time_zone": &spec.TimeZone,
	})
	if err != nil {
		return err
	}
	if spec.Filters = filters; string(filters) == "null" {
		spec.Filters = []byte("{}")
	}
	made, err := s.schedules.Create(r.Context(), spec)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/schedules/"+made.ID)
	return s.reply(w, r, http.StatusCreated, made)
}

// listSchedules answers with the schedules, oldest first.
func (s *Server) listSchedules(w http.ResponseWriter, r *request) error {
	return replyList(s, w, r, s.schedules.List)
}

func (s *Server) getSchedule(w http.ResponseWriter, r *request) error {
	found, err := s.schedules.Get(r.params.ByName("id"))
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, found)
}

func (s *Server) deleteSchedule(w http.ResponseWriter, r *request) error {
	if err := s.schedules.Delete(r.Context(), r.params.ByName("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// listRuns answers with a schedule's runs, newest first.
func (s *Server) listRuns(w http.ResponseWriter, r *request) error {
	q, err := queryOf(r, "cursor", "limit")
	if err != nil {
		return err
	}
	before, limit, err := pageOf(q)
	if err != nil {
		return err
	}
	page, next, err := s.schedules.Runs(r.params.ByName("id"), before, limit)
	if err != nil {
		return err
	}
	return s.replyPage(w, r, page, next)
}

// refuseRun says why a key may no longer freeze, "" if it may. The owner always
// may.
func (s *Server) refuseRun(ctx context.Context, createdBy string) (why string, err error) {
	if createdBy == ownerID {
		return "", nil
	}
	key, err := s.tokens.Get(ctx, createdBy)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "the key that made the schedule is gone", nil
	case err != nil:
		return "", err
	case !key.Active:
		return "the key that made the schedule is revoked", nil
	case !key.ExpiresAt.IsZero() && !s.opts.Now().Before(key.ExpiresAt):
		return "the key that made the schedule has expired", nil
	case !key.Allows(auth.ReportExport):
		return "the key that made the schedule may not export", nil
	}
	return "", nil
}
