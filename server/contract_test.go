package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// contract is openapi.yaml, which every response of every test is held against.
type contract struct {
	doc *openapi3.T

	mu        sync.Mutex
	exercised map[string]bool // operation ids that a test had answered with success; guarded by mu
	kept      sync.Map        // responses that kept the contract, by what [answer.shape] says of them
}

func loadContract() (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	return &contract{doc: doc, exercised: map[string]bool{}}, err
}

// operations gives the operations as "METHOD /path/{id}".
func (c *contract) operations() map[string]*openapi3.Operation {
	all := map[string]*openapi3.Operation{}
	for path, item := range c.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			all[method+" "+path] = operation
		}
	}
	return all
}

// find gives the operation that a request is for, nil if there is none. HEAD
// requests are for their GET.
func (c *contract) find(method, path string) (*routers.Route, map[string]string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for template, item := range c.doc.Paths.Map() {
		rest, _ := item.Extensions["x-rest-of-path"].(string)
		if params, ok := matchPath(template, path, rest); ok && item.GetOperation(method) != nil {
			return &routers.Route{Spec: c.doc, Path: template, PathItem: item, Method: method, Operation: item.GetOperation(method)}, params
		}
	}
	return nil, nil
}

// matchPath finds a template's parameters in a path. OpenAPI knows none that
// have slashes; rest names the last one where it is all of the path's rest.
func matchPath(template, path, rest string) (map[string]string, bool) {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if n := len(want); rest != "" && len(got) > n {
		got = append(got[:n-1:n-1], strings.Join(got[n-1:], "/"))
	}
	if len(want) != len(got) {
		return nil, false
	}
	params := map[string]string{}
	for i, part := range want {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			params[strings.TrimSuffix(name, "}")] = got[i]
		} else if part != got[i] {
			return nil, false
		}
	}
	return params, true
}

// check holds a response against the contract: the operation's, or where the
// request is for none the router's.
func (c *contract) check(r *http.Request, a answer) error {
	route, params := c.find(r.Method, r.URL.Path)
	if route == nil {
		if a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed {
			return fmt.Errorf("openapi.yaml has no such operation")
		}
		return c.checkSchema("ErrorEnvelope", r, a)
	}
	if route.Operation.Responses.Status(a.status) == nil {
		return fmt.Errorf("openapi.yaml does not name this status for %s", route.Operation.OperationID)
	}
	if a.status < 300 {
		c.mu.Lock()
		c.exercised[route.Operation.OperationID] = true
		c.mu.Unlock()
		if err := c.checkRequest(r, route, params); err != nil {
			return err
		}
	}
	return c.checkResponse(r, route, params, a)
}

// checkRequest makes sure that openapi.yaml describes what the server takes.
// Bodies are left out: most are not JSON.
func (c *contract) checkRequest(r *http.Request, route *routers.Route, params map[string]string) error {
	for name := range r.URL.Query() {
		if route.Operation.Parameters.GetByInAndName("query", name) == nil {
			return fmt.Errorf("openapi.yaml does not name the parameter %s", name)
		}
	}
	return openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, QueryParams: r.URL.Query(), Route: route,
		Options: &openapi3filter.Options{ExcludeRequestBody: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	})
}

func (c *contract) checkResponse(r *http.Request, route *routers.Route, params map[string]string, a answer) error {
	if r.Method == http.MethodHead && len(a.body) > 0 {
		return fmt.Errorf("HEAD has a body of %d bytes", len(a.body))
	}
	// The library takes GET's word for HEAD and 304; their headers count here.
	noBody := r.Method == http.MethodHead || a.status == http.StatusNotModified
	get := r.Clone(r.Context())
	get.Method = route.Method
	status := a.status
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: get, PathParams: params, Route: route},
		Status:                 status, Header: a.header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: noBody || !isText(a.header)},
	}
	input.SetBodyBytes(a.body)
	shape := r.Method + " " + route.Operation.OperationID + a.shape()
	if _, seen := c.kept.Load(shape); !seen {
		if err := openapi3filter.ValidateResponse(r.Context(), input); err != nil {
			return err
		}
		c.kept.Store(shape, nil)
	}
	if noBody || strings.HasSuffix(route.Path, "/download") && a.status < 300 {
		return nil
	}
	return checkMeta(a)
}

// shape is what two responses share that differ in request id and time alone.
// The library compiles the schema for each response, so one of them is enough.
func (a answer) shape() string {
	header := a.header.Clone()
	id := header.Get("X-Request-Id")
	header.Del("X-Request-Id")
	header.Del("Date")
	body := stamp.ReplaceAll(bytes.ReplaceAll(a.body, []byte(id), []byte("req")), nil)
	return fmt.Sprintf("%d %v %t %x", a.status, header, requestIDs.MatchString(id), sha256.Sum256(body))
}

var (
	requestIDs = regexp.MustCompile(`^req_[a-z2-7]{16}$`)
	stamp      = regexp.MustCompile(`"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`)
)

func isText(h http.Header) bool {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return media == "application/json" || media == "text/plain"
}

func (c *contract) checkSchema(name string, r *http.Request, a answer) error {
	if r.Method == http.MethodHead {
		return nil
	}
	var value any
	if err := json.Unmarshal(a.body, &value); err != nil {
		return err
	}
	if err := c.doc.Components.Schemas[name].Value.VisitJSON(value, openapi3.EnableJSONSchema2020()); err != nil {
		return err
	}
	return checkMeta(a)
}

// checkMeta holds what a schema can't say of JSON: that meta is about this
// response.
func checkMeta(a answer) error {
	if a.header.Get("Content-Type") != "application/json" {
		return nil
	}
	var body struct{ Meta meta }
	if err := json.Unmarshal(a.body, &body); err != nil {
		return err
	}
	if body.Meta.RequestID == "" || body.Meta.RequestID != a.header.Get("X-Request-Id") {
		return fmt.Errorf("meta.request_id is %q, X-Request-Id %q", body.Meta.RequestID, a.header.Get("X-Request-Id"))
	}
	return nil
}

// call is a request to the server under test.
type call struct {
	method, path string // with the query
	token        string
	header       map[string]string
	body         string
}

// answer is what came back.
type answer struct {
	call   call
	status int
	header http.Header
	body   []byte
}

// do sends a request and holds the response against the contract.
func (s *site) do(t testing.TB, c call) answer {
	t.Helper()
	target, err := url.Parse(s.url + c.path)
	if err != nil {
		t.Fatal(err)
	}
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	r, err := http.NewRequestWithContext(t.Context(), c.method, target.String(), body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	return hold(t, c, r, resp)
}

// hold reads a response and holds it against the contract.
func hold(t testing.TB, c call, r *http.Request, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: read the body: %v", c.method, c.path, err)
	}
	a := answer{c, resp.StatusCode, resp.Header, body}
	if resp.ContentLength >= 0 { // Go takes it out of the header
		a.header.Set("Content-Length", fmt.Sprint(resp.ContentLength))
	}
	if err := spec.check(r, a); err != nil {
		t.Errorf("%s does not keep the contract: %v", a, err)
	}
	return a
}

// String is for failures.
func (a answer) String() string {
	body := a.body
	if len(body) > 2000 {
		body = append(slices.Clone(body[:2000]), "…"...)
	}
	return fmt.Sprintf("%s %s: %d %s", a.call.method, a.call.path, a.status, bytes.TrimSpace(body))
}

// want checks the status, and of an error the code.
func (a answer) want(t testing.TB, status int, code string) answer {
	t.Helper()
	if a.status != status {
		t.Errorf("%s; want status %d %s", a, status, code)
	} else if got := a.err(t).Code; got != code {
		t.Errorf("%s; got code %q, want %q", a, got, code)
	}
	return a
}

// saying checks a header.
func (a answer) saying(t testing.TB, name, want string) answer {
	t.Helper()
	if got := a.header.Get(name); got != want {
		t.Errorf("%s: %s is %q, want %q", a, name, got, want)
	}
	return a
}

// detail checks that an error's detail holds a text.
func (a answer) detail(t testing.TB, want string) answer {
	t.Helper()
	if got := a.err(t).Detail; !strings.Contains(got, want) {
		t.Errorf("%s: detail %q, want one with %q", a, got, want)
	}
	return a
}

type errorBody struct {
	Code, Message, Detail string
	Result                json.RawMessage
}

// err is the error of an answer, the zero one if there is none.
func (a answer) err(t testing.TB) errorBody {
	t.Helper()
	var body struct{ Error errorBody }
	if a.status >= 400 && a.call.method != http.MethodHead {
		if err := json.Unmarshal(a.body, &body); err != nil {
			t.Fatalf("%s: %v", a, err)
		}
	}
	return body.Error
}

// into reads the answer's data, which must have come with this status, and
// gives the next cursor of a list.
func (a answer) into(t testing.TB, status int, data any) *int64 {
	t.Helper()
	var body struct {
		Data json.RawMessage
		Page pageInfo `json:"page_info"`
	}
	if a.status != status {
		t.Fatalf("%s; want status %d", a, status)
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	if err := json.Unmarshal(body.Data, data); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return body.Page.NextCursor
}

// patient is how long a test waits for what may take long on a busy machine.
const patient = time.Minute

// eventually waits for something that happens on its own.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patient); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not happen within %v", what, patient)
		}
	}
}
