package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"licensekit/exporter"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// How long a create waits for its export to be ready: by default, and at most
// (RFC 7240, Prefer: wait).
const (
	defaultWait = 10 * time.Second
	maxWait     = 60 * time.Second
)

// createExport freezes a report. 201 with a ready (or failed) export, 202 with
// one that is still being made.
func (s *Server) createExport(w http.ResponseWriter, r *request) error {
	ask, err := exportRequest(w, r)
	if err != nil {
		return err
	}
	wait, err := waitOf(r)
	if err != nil {
		return err
	}
	export, made, err := s.exports.Create(r.Context(), ask)
	if errors.Is(err, exporter.ErrBusy) {
		s.metrics.limited(limitQueue)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	if export, err = s.exports.Wait(ctx, export.ID); err != nil {
		return err
	}
	if !made {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	w.Header().Set("Location", "/api/v1/reports/exports/"+string(export.ID))
	status := http.StatusAccepted
	if export.Status.Final() {
		status = http.StatusCreated
	}
	return s.reply(w, r, status, export)
}

func exportRequest(w http.ResponseWriter, r *request) (exporter.Request, error) {
	kind, format, filters := "", "json", json.RawMessage("{}")
	if err := decodeJSON(w, r, map[string]any{"report_kind": &kind, "format": &format, "filters": &filters}); err != nil {
		return exporter.Request{}, err
	}
	ask := exporter.Request{CreatedBy: r.caller.id, IdempotencyKey: r.Header.Get("Idempotency-Key")}
	if problem := report.CheckText(ask.IdempotencyKey, 255); problem != "" {
		return ask, invalid("Idempotency-Key " + problem)
	}
	var err error
	if ask.Kind, err = report.ParseKind(kind); err != nil {
		return ask, err
	}
	if ask.Format, err = render.Parse(format); err != nil {
		return ask, err
	}
	if string(filters) == "null" {
		filters = json.RawMessage("{}")
	}
	ask.Filters, err = report.UnmarshalFilters(ask.Kind, filters)
	return ask, err
}

// estimateExport answers with what an export of the same request would be if it
// were made now.
func (s *Server) estimateExport(w http.ResponseWriter, r *request) error {
	ask, err := exportRequest(w, r)
	if err != nil {
		return err
	}
	estimate, err := s.exports.Estimate(r.Context(), ask)
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, estimate)
}

// waitOf reads `Prefer: wait=N`, in seconds.
func waitOf(r *request) (time.Duration, error) {
	for _, line := range r.Header.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			text, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(preference)), "wait=")
			if !ok {
				continue
			}
			seconds, err := strconv.ParseUint(text, 10, 31)
			if err != nil {
				return 0, &problem{status: 400, code: "INVALID_HEADER", message: "the Prefer header is not valid", detail: "wait takes a whole number of seconds, not " + text}
			}
			return min(time.Duration(seconds)*time.Second, maxWait), nil
		}
	}
	return defaultWait, nil
}

// getExport answers with an export's metadata.
func (s *Server) getExport(w http.ResponseWriter, r *request) error {
	export, err := s.exports.Get(r.Context(), exporter.ID(r.params.ByName("id")))
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, export)
}

// listExports answers with exports, newest first.
func (s *Server) listExports(w http.ResponseWriter, r *request) error {
	q, err := queryOf(r, "report_kind", "format", "status", "created_by", "cursor", "limit")
	if err != nil {
		return err
	}
	query := exporter.Query{CreatedBy: q.Get("created_by"), Status: exporter.Status(q.Get("status"))}
	if kind := q.Get("report_kind"); kind != "" {
		if query.Kind, err = report.ParseKind(kind); err != nil {
			return invalidQuery(err.Error())
		}
	}
	if format := q.Get("format"); format != "" {
		known, err := render.Parse(format)
		if err != nil {
			return invalidQuery(err.Error())
		}
		query.Format = known.Name
	}
	if err := oneOf("status", query.Status, exporter.Statuses); err != nil {
		return err
	}
	if query.Before, query.Limit, err = pageOf(q); err != nil {
		return err
	}
	page, next, err := s.exports.List(r.Context(), query)
	if err != nil {
		return err
	}
	return s.replyPage(w, r, page, next)
}
