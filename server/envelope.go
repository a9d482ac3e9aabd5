package server

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"licensekit/exporter/report"
)

func newRequestID() string {
	var random [10]byte
	rand.Read(random[:])
	return "req_" + strings.ToLower(base32.StdEncoding.EncodeToString(random[:]))
}

// known is what the server knows of a request before it looks at the route. A
// page's requests to the API are about the same.
type known struct {
	id   string
	from netip.Addr // where the client is; the zero Addr if that is not known
}

type knownKey struct{}

func requestID(r *http.Request) string { return requestIDOf(r.Context()) }

func requestIDOf(ctx context.Context) string { return knownOf(ctx).id }

// clientOf is the address of the client that a request comes from.
func clientOf(ctx context.Context) netip.Addr { return knownOf(ctx).from }

func knownOf(ctx context.Context) known {
	about, _ := ctx.Value(knownKey{}).(known)
	return about
}

// meta is the contract's `meta` member.
type meta struct {
	RequestID string         `json:"request_id"`
	Timestamp report.Instant `json:"timestamp"`
}

// pageInfo is the contract's `page_info` member of lists.
type pageInfo struct {
	NextCursor *int64 `json:"next_cursor"`
}

// envelope is every JSON response.
type envelope struct {
	Data     any          `json:"data,omitempty"`
	PageInfo *pageInfo    `json:"page_info,omitempty"`
	Error    *errorObject `json:"error,omitempty"`
	Meta     meta         `json:"meta"`
}

// errorObject is the contract's `error` member. Result is ours: what an
// ingestion that failed had done by then.
type errorObject struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Detail  string `json:"detail,omitempty"`
	Result  any    `json:"result,omitempty"`
}

// reply answers with data in the envelope.
func (s *Server) reply(w http.ResponseWriter, r *request, status int, data any) error {
	s.send(w, r.Request, status, envelope{Data: data})
	return nil
}

// replyPage answers with a page of a list; next is 0 on the last one.
func (s *Server) replyPage(w http.ResponseWriter, r *request, data any, next int64) error {
	page := &pageInfo{}
	if next != 0 {
		page.NextCursor = &next
	}
	s.send(w, r.Request, http.StatusOK, envelope{Data: data, PageInfo: page})
	return nil
}

// replyList answers with a list that comes whole, or with as much of its
// beginning as is asked for.
func replyList[T any](s *Server, w http.ResponseWriter, r *request, list func() ([]T, error)) error {
	q, err := queryOf(r, "limit")
	if err != nil {
		return err
	}
	_, limit, err := pageOf(q)
	if err != nil {
		return err
	}
	all, err := list()
	if err != nil {
		return err
	}
	if q.Get("limit") != "" {
		all = all[:min(limit, len(all))]
	}
	return s.reply(w, r, http.StatusOK, all)
}

func (s *Server) send(w http.ResponseWriter, r *http.Request, status int, body envelope) {
	body.Meta = meta{requestID(r), report.Instant(s.opts.Now().UnixMilli())}
	text, err := json.Marshal(body)
	if err != nil {
		s.fail(w, r, fmt.Errorf("encode response: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(text, '\n')) // the client is gone if this fails, and the log has the status
}
