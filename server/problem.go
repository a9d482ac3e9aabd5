package server

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"syscall"

	"licensekit/auth"
	"licensekit/blobstore"
	"licensekit/exporter"
	"licensekit/exporter/ledger/intake"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
	"licensekit/server/schedule"
	"licensekit/server/webhook"
)

// problem is an error that knows how it is told to the client.
type problem struct {
	status                int
	code, message, detail string
	header                map[string]string // that goes with it
	result                any               // what an ingestion had done by then
	cause                 error             // for the log; nil where the message says it all
}

// Error is the cause, or without one the public message.
func (p *problem) Error() string {
	if p.cause != nil {
		return p.cause.Error()
	}
	return p.message
}

// aboutBody are the headers that speak of a body, which the error replaces.
var aboutBody = []string{
	"Accept-Ranges", "Content-Disposition", "Content-Encoding", "Content-Length", "ETag", "Last-Modified", "Location", "Repr-Digest",
}

// fail answers with an error in the envelope. It is the one place that turns
// an error into a status.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil && s.stopping.Err() == nil {
		p = errClientGone
	}
	if p.status >= 500 {
		s.opts.Log.Error("request failed", "request_id", requestID(r), "error", err)
	}
	for _, name := range aboutBody {
		w.Header().Del(name)
	}
	w.Header().Set("Cache-Control", "no-store")
	for name, value := range p.header {
		w.Header().Set(name, value)
	}
	s.send(w, r, p.status, envelope{Error: &errorObject{p.code, p.message, p.detail, p.result}})
}

// errClientGone is for log and metrics: nobody reads it.
var errClientGone = &problem{status: 499, code: "CLIENT_GONE", message: "the client hung up"}

func problemOf(err error) *problem {
	var (
		known    *problem
		scope    *auth.ScopeError
		field    *auth.FieldError
		hook     *webhook.FieldError
		timed    *schedule.FieldError
		filter   *report.FilterError
		file     *intake.FileError
		tooLarge *http.MaxBytesError
		corrupt  *blobstore.CorruptError
		capacity *render.CapacityError
		unlike   *report.IncomparableError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &scope):
		return &problem{status: 403, code: "TOKEN_SCOPE_DENIED", message: "the token lacks a scope that this operation takes", detail: scope.Error(),
			header: map[string]string{"WWW-Authenticate": challenge + `, error="insufficient_scope", scope="` + string(scope.Required) + `"`}}
	case unauthorizedDetail(err) != "":
		return unauthorized(err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &problem{status: 408, code: "REQUEST_TIMEOUT", message: "the request's body stood still for too long"}
	case errors.As(err, &filter):
		return invalid(filter.Error())
	case errors.As(err, &field):
		return invalid(field.Error())
	case errors.As(err, &hook):
		return invalid(hook.Error())
	case errors.As(err, &timed):
		return invalid(timed.Error())
	case errors.As(err, &file):
		return &problem{status: 422, code: file.Code, message: "the file can't be read", detail: file.Error()}
	case errors.Is(err, report.ErrOverflow):
		return &problem{status: 422, code: "TOTAL_OVERFLOW", message: "the report can't be added up", detail: report.ErrOverflow.Error()}
	case errors.Is(err, report.ErrTooManyGroups):
		return &problem{status: 422, code: "TOO_MANY_GROUPS", message: "the report has too many groups", detail: report.ErrTooManyGroups.Error()}
	case errors.As(err, &unlike):
		return &problem{status: 422, code: "INCOMPARABLE", message: "the exports have no columns in common to compare", detail: unlike.Error()}
	case errors.As(err, &capacity):
		return &problem{status: 422, code: capacity.Code(), message: "the format can't hold the report", detail: capacity.Error()}
	case errors.As(err, &tooLarge):
		return &problem{status: 413, code: "PAYLOAD_TOO_LARGE", message: "the request's body is too large", detail: "the limit is " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes"}
	case errors.Is(err, fs.ErrNotExist):
		return &problem{status: 404, code: "NOT_FOUND", message: "there is no such resource"}
	case errors.Is(err, exporter.ErrLost), errors.Is(err, exporter.ErrNotSigned), errors.As(err, &corrupt):
		return &problem{status: 500, code: "ARTIFACT_DAMAGED", message: "the stored artifact is damaged or missing; restore it from a backup", cause: err}
	case errors.Is(err, exporter.ErrCheckpointDamaged):
		p := damagedCheckpoint
		p.cause = err
		return &p
	case errors.Is(err, exporter.ErrNotReady):
		return &problem{status: 409, code: "EXPORT_NOT_READY", message: "the export is not ready", detail: err.Error()}
	case errors.Is(err, webhook.ErrTest):
		return &problem{status: 409, code: "NOT_REPLAYABLE", message: "the delivery can't be sent again", detail: webhook.ErrTest.Error()}
	case errors.Is(err, exporter.ErrNotCosigned):
		return &problem{status: 409, code: "NOT_COSIGNED", message: "no checkpoint that witnesses signed covers the entry yet", detail: err.Error()}
	case errors.Is(err, exporter.ErrCheckpoint):
		return invalid(err.Error())
	case errors.Is(err, exporter.ErrBehind):
		return &problem{status: 503, code: "LOG_BEHIND", message: "the data directory is an older copy whose log lacks entries; nothing can be frozen before licensekit log restart", detail: err.Error(), header: retryAfter(3600)}
	case errors.Is(err, exporter.ErrRolledBack):
		return &problem{status: 409, code: "LOG_CONTRADICTED", message: "the log's key signed something else than the log holds: keep the checkpoint, it shows a second history or a log that was rolled back", detail: err.Error()}
	case errors.Is(err, exporter.ErrIdempotency):
		return &problem{status: 409, code: "IDEMPOTENCY_CONFLICT", message: "this Idempotency-Key was used for another request", detail: err.Error()}
	case errors.Is(err, exporter.ErrBusy):
		return &problem{status: 429, code: "TOO_MANY_REQUESTS", message: "too many exports are waiting", header: retryAfter(10)}
	case exporter.IsOutage(err):
		return &problem{status: 503, code: "UNAVAILABLE", message: "the disk failed, and the server is stopping", header: retryAfter(5), cause: err}
	case errors.Is(err, exporter.ErrClosed), errors.Is(err, context.Canceled):
		return &problem{status: 503, code: "UNAVAILABLE", message: "the server is shutting down", header: retryAfter(5)}
	case errors.Is(err, syscall.ENOSPC):
		return &problem{status: 503, code: "STORAGE_FULL", message: "the disk is full", header: retryAfter(60)}
	}
	return &problem{status: 500, code: "INTERNAL", message: "the request could not be carried out; the server's log says why"}
}

func invalid(detail string) *problem {
	return &problem{status: 422, code: "VALIDATION_ERROR", message: "the request is not valid", detail: detail}
}

func invalidJSON(detail string) *problem {
	return &problem{status: 400, code: "INVALID_JSON", message: "the request's body is not the JSON that this route takes", detail: detail}
}

func invalidQuery(detail string) *problem {
	return &problem{status: 400, code: "INVALID_QUERY", message: "the query is not valid", detail: detail}
}

func retryAfter(seconds int) map[string]string {
	return map[string]string{"Retry-After": strconv.Itoa(seconds)}
}

// challenge says how to authenticate (RFC 6750).
const challenge = `Bearer realm="licensekit"`

func unauthorized(err error) *problem {
	header := challenge
	if !errors.Is(err, auth.ErrMissing) {
		header += `, error="invalid_token"`
	}
	return &problem{status: 401, code: "UNAUTHORIZED", message: "the request carries no valid token",
		detail: unauthorizedDetail(err), header: map[string]string{"WWW-Authenticate": header}}
}

// unauthorizedDetail says what is wrong with a token, "" for other errors.
// Unknown and revoked tokens are not told apart.
func unauthorizedDetail(err error) string {
	switch {
	case errors.Is(err, auth.ErrMissing):
		return "send Authorization: Bearer lkm_…"
	case errors.Is(err, auth.ErrMalformed):
		return "the token is mistyped or cut off"
	case errors.Is(err, auth.ErrUnknown):
		return "the token is unknown or revoked"
	case errors.Is(err, auth.ErrExpired):
		return "the token has expired"
	case errors.Is(err, auth.ErrNetwork):
		return "the token may not be used from this network"
	}
	return ""
}
