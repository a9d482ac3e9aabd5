package server

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"licensekit/exporter/report"
)

type requestIDKey struct{}

func newRequestID() string {
	var random [10]byte
	rand.Read(random[:])
	return "req_" + strings.ToLower(base32.StdEncoding.EncodeToString(random[:]))
}

func requestID(r *http.Request) string {
	id, _ := r.Context().Value(requestIDKey{}).(string)
	return id
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

func (s *Server) send(w http.ResponseWriter, r *http.Request, status int, body envelope) {
	body.Meta = meta{requestID(r), report.Instant(s.opts.Now().UnixMilli())}
	text, err := json.Marshal(body)
	if err != nil {
		s.opts.Log.Error("encode response", "request_id", requestID(r), "error", err)
		status, text = http.StatusInternalServerError, []byte(`{"error":{"code":"INTERNAL","message":"the response could not be encoded"},"meta":{}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(text, '\n')) // the client is gone if this fails, and the log has the status
}

// response remembers what became of a response, for log and metrics.
type response struct {
	http.ResponseWriter
	status int
	bytes  int64
	keyID  string
}

func setKeyID(w http.ResponseWriter, id string) {
	if out, ok := w.(*response); ok {
		out.keyID = id
	}
}

// WriteHeader notes the status.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom counts, and lets the connection send a file without copying it
// through the process.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := io.Copy(w.ResponseWriter, r)
	w.bytes += n
	return n, err
}

// Unwrap serves http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
