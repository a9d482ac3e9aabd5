package server

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strconv"
	"syscall"

	"licensekit/auth"
	"licensekit/exporter"
	"licensekit/exporter/ledger/intake"
	"licensekit/exporter/report"
)

// problem is an error that knows how it is told to the client.
type problem struct {
	status                int
	code, message, detail string
	retryAfter            int // seconds; 0 for none
	result                any
}

// Error is the public message.
func (p *problem) Error() string { return p.message }

// fail answers with an error in the envelope. It is the one place that turns
// an error into a status.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.status >= 500 {
		s.opts.Log.Error("request failed", "request_id", requestID(r), "error", err)
	}
	if p.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="licensekit"`)
	}
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	s.send(w, r, p.status, envelope{Error: &errorObject{p.code, p.message, p.detail, p.result}})
}

func problemOf(err error) *problem {
	var (
		known    *problem
		scope    *auth.ScopeError
		field    *auth.FieldError
		filter   *report.FilterError
		file     *intake.FileError
		tooLarge *http.MaxBytesError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &scope):
		return &problem{status: 403, code: "TOKEN_SCOPE_DENIED", message: "the token lacks a scope that this operation takes", detail: scope.Error()}
	case isUnauthorized(err):
		return &problem{status: 401, code: "UNAUTHORIZED", message: "the request carries no valid token", detail: unauthorizedDetail(err)}
	case errors.As(err, &filter):
		return invalid(filter.Error())
	case errors.As(err, &field):
		return invalid(field.Error())
	case errors.As(err, &file):
		return &problem{status: 422, code: file.Code, message: "the file can't be read", detail: file.Error()}
	case errors.As(err, &tooLarge):
		return &problem{status: 413, code: "PAYLOAD_TOO_LARGE", message: "the request's body is too large", detail: "the limit is " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes"}
	case errors.Is(err, fs.ErrNotExist):
		return &problem{status: 404, code: "NOT_FOUND", message: "there is no such resource"}
	case errors.Is(err, exporter.ErrNotReady):
		return &problem{status: 409, code: "EXPORT_NOT_READY", message: "the export is not ready", detail: err.Error()}
	case errors.Is(err, exporter.ErrIdempotency):
		return &problem{status: 409, code: "IDEMPOTENCY_CONFLICT", message: "this Idempotency-Key was used for another request", detail: err.Error()}
	case errors.Is(err, exporter.ErrBusy):
		return &problem{status: 429, code: "TOO_MANY_REQUESTS", message: "too many exports are waiting", retryAfter: 10}
	case errors.Is(err, exporter.ErrClosed), errors.Is(err, context.Canceled):
		return &problem{status: 503, code: "UNAVAILABLE", message: "the server is shutting down", retryAfter: 5}
	case errors.Is(err, syscall.ENOSPC):
		return &problem{status: 503, code: "STORAGE_FULL", message: "the disk is full", retryAfter: 60}
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

func isUnauthorized(err error) bool { return unauthorizedDetail(err) != "" }

// unauthorizedDetail says what is wrong with a token. Unknown and revoked
// tokens are not told apart.
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
