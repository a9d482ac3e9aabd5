// Package client speaks to a licensekit server, over TCP with a token or over
// a connection of the data directory's owner. It knows the envelope and the
// errors of the LicenseKit contract; what the routes mean is the caller's.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"
)

// Client is a server as seen from outside.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// New gives a client of the server at a URL such as http://127.0.0.1:8080.
func New(base, token string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not the URL of a server, such as http://127.0.0.1:8080", base)
	}
	if u.User != nil {
		return nil, errors.New("a URL must not carry a password; the token comes from a file or the environment")
	}
	return &Client{base: u, token: token, http: newHTTP((&net.Dialer{Timeout: 10 * time.Second}).DialContext)}, nil
}

// Owned gives a client for connections that need no token.
func Owned(dial func(context.Context) (net.Conn, error)) *Client {
	return &Client{
		base: &url.URL{Scheme: "http", Host: "licensekit"},
		http: newHTTP(func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }),
	}
}

func newHTTP(dial func(context.Context, string, string) (net.Conn, error)) *http.Client {
	return &http.Client{
		Transport: &http.Transport{DialContext: dial, ForceAttemptHTTP2: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the server redirects, which it never does: is this a licensekit server?")
		},
	}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Error is an error that the server answered with.
type Error struct {
	Status    int
	Code      string          `json:"code"`
	Message   string          `json:"message"`
	Detail    string          `json:"detail"`
	Result    json.RawMessage `json:"result"`
	RequestID string          `json:"-"`
	Path      string          `json:"-"` // that was asked for

	RetryAfter string `json:"-"` // the header, "" without one
}

// Error reads "message: detail (CODE)". What is missing is named by the path.
func (e *Error) Error() string {
	text := e.Message
	switch {
	case e.Detail != "":
		text += ": " + e.Detail
	case e.Status == http.StatusNotFound && e.Path != "":
		text += ": " + e.Path
	}
	return fmt.Sprintf("%s (%s)", text, e.Code)
}

// Request is a request to a route of the API.
type Request struct {
	Method, Path string
	Query        url.Values
	Header       http.Header
	Body         io.Reader
}

// Do sends a request. The caller closes the response's body. An answer of 400
// or above is an *[Error].
func (c *Client) Do(ctx context.Context, r Request) (*http.Response, error) {
	u := c.base.JoinPath(r.Path)
	u.RawQuery = r.Query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.Method, u.String(), r.Body)
	if err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, explain(err)
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		return nil, errorOf(resp)
	}
	return resp, nil
}

// explain takes the method and URL off an error of net/http: they are not what
// the user typed.
func explain(err error) error {
	var inner *url.Error
	if errors.As(err, &inner) {
		return fmt.Errorf("ask the server: %w", inner.Err)
	}
	return err
}

// maxAnswer bounds a JSON answer, in bytes.
const maxAnswer = 64 << 20

func errorOf(resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	var body struct {
		Error Error `json:"error"`
		Meta  struct {
			RequestID string `json:"request_id"`
		} `json:"meta"`
	}
	if err != nil || json.Unmarshal(text, &body) != nil || body.Error.Code == "" {
		return fmt.Errorf("the server answered %s, without the contract's envelope: is this a licensekit server?", resp.Status)
	}
	body.Error.Status, body.Error.RequestID, body.Error.RetryAfter = resp.StatusCode, body.Meta.RequestID, resp.Header.Get("Retry-After")
	body.Error.Path = resp.Request.URL.Path
	return &body.Error
}

// JSON gives a request with a JSON body.
func JSON(method, path string, body any) (Request, error) {
	text, err := json.Marshal(body)
	return Request{
		Method: method, Path: path, Body: bytes.NewReader(text),
		Header: http.Header{"Content-Type": {"application/json"}},
	}, err
}

// Page tells where a list goes on; NextCursor is nil on its last page.
type Page struct {
	NextCursor *int64 `json:"next_cursor"`
}

// Call sends a JSON body, unless in is nil, and reads the answer's data into
// out, unless that is nil.
func (c *Client) Call(ctx context.Context, method, path string, query url.Values, in, out any) (Page, error) {
	r := Request{Method: method, Path: path}
	if in != nil {
		var err error
		if r, err = JSON(method, path, in); err != nil {
			return Page{}, err
		}
	}
	r.Query = query
	resp, err := c.Do(ctx, r)
	if err != nil {
		return Page{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return Page{}, nil
	}
	return Decode(resp.Body, out)
}

// Decode reads an envelope's data into out, in place of what that held:
// encoding/json leaves in a slice's elements what the text says nothing of.
func Decode(body io.Reader, out any) (Page, error) {
	var envelope struct {
		Data json.RawMessage `json:"data"`
		Page Page            `json:"page_info"`
	}
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(&envelope); err != nil {
		return Page{}, fmt.Errorf("read the server's answer: %w", err)
	}
	if out == nil {
		return envelope.Page, nil
	}
	reflect.ValueOf(out).Elem().SetZero()
	return envelope.Page, json.Unmarshal(envelope.Data, out)
}

// FileName is the file name that an answer suggests, without any directory.
func FileName(resp *http.Response) string {
	_, name, _ := strings.Cut(resp.Header.Get("Content-Disposition"), "filename=")
	name = strings.Trim(name, `"`)
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	return name
}
