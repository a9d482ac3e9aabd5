package client

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
)

// Within gives a client of a handler in this process, which runs on the
// caller's goroutine. An answer is held in memory, so it is for JSON.
func Within(handler http.Handler) *Client {
	return &Client{base: &url.URL{Scheme: "http", Host: "licensekit"}, http: &http.Client{Transport: within{handler}}}
}

type within struct{ handler http.Handler }

// RoundTrip lets the handler answer.
func (t within) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody // as handlers expect
	}
	a := &answer{header: http.Header{}}
	t.handler.ServeHTTP(a, r)
	if a.full {
		return nil, errors.New("the answer is too large")
	}
	a.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
	}, nil
}

// answer is what a handler wrote.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
	full   bool // there was more than is held
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.full = a.full || a.body.Len()+len(p) > maxAnswer; a.full {
		return 0, errors.New("the answer is too large")
	}
	return a.body.Write(p)
}
