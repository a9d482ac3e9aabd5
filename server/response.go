package server

import (
	"io"
	"math"
	"net/http"
)

// response remembers what became of a response, for log and metrics, and holds
// the client to the pace.
type response struct {
	http.ResponseWriter
	pace   *pace
	status int // 0 until it is known
	bytes  int64
	keyID  string
	route  string // its pattern, "" if it has none
}

// setRoute says which route answers, unless it does within a page.
func setRoute(w http.ResponseWriter, pattern string) {
	if out, ok := w.(*response); ok && out.route == "" {
		out.route = pattern
	}
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
	w.pace.beforeWrite()
	w.ResponseWriter.WriteHeader(status)
	w.pace.afterWrite()
}

// Write counts.
func (w *response) Write(p []byte) (int, error) {
	w.begin()
	w.pace.beforeWrite()
	n, err := w.ResponseWriter.Write(p)
	w.pace.afterWrite()
	w.bytes += int64(n)
	return n, err
}

// ReadFrom counts, and lets the connection send a file without copying it
// through the process. The kernel is given a stride at a time, each with its
// own deadline.
func (w *response) ReadFrom(r io.Reader) (n int64, err error) {
	w.begin()
	rest, limited := r.(*io.LimitedReader)
	if !limited {
		rest = &io.LimitedReader{R: r, N: math.MaxInt64}
	}
	for rest.N > 0 {
		part := &io.LimitedReader{R: rest.R, N: min(rest.N, stride)}
		w.pace.beforeWrite()
		sent, err := io.Copy(w.ResponseWriter, part)
		w.pace.afterWrite()
		n += sent
		w.bytes += sent
		rest.N -= sent
		if err != nil || part.N > 0 {
			return n, err
		}
	}
	return n, nil
}

func (w *response) begin() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}

// Unwrap serves http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
