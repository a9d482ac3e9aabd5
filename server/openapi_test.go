package server

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"licensekit/auth"
)

// The document is valid OpenAPI, its examples keep their schemas.
func TestOpenAPIIsValid(t *testing.T) {
	if err := spec.doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if got, want := spec.doc.OpenAPI, "3.1.0"; got != want {
		t.Errorf("openapi is %q, want %q", got, want)
	}
}

// The library's own check of examples stops at component references; this one
// takes each example where it stands.
func TestOpenAPIExamplesKeepTheirSchemas(t *testing.T) {
	for name, operation := range spec.operations() {
		if operation.RequestBody != nil {
			for media, content := range operation.RequestBody.Value.Content {
				if checkExamples(t, name+" request "+media, content) == 0 {
					t.Errorf("%s request %s has no example", name, media)
				}
			}
		}
		for status, response := range operation.Responses.Map() {
			for media, content := range response.Value.Content {
				if checkExamples(t, name+" "+status+" "+media, content) == 0 {
					t.Errorf("%s %s %s has no example", name, status, media)
				}
			}
		}
	}
}

// Whoever tries an operation finds a value for all that it must be given.
func TestOpenAPIParametersHaveExamples(t *testing.T) {
	for path, item := range spec.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			for _, p := range slices.Concat(item.Parameters, operation.Parameters) {
				examples := examplesOf(p.Value)
				if p.Value.Required && len(examples) == 0 {
					t.Errorf("%s %s: parameter %s is required and has no example", method, path, p.Value.Name)
				}
				for _, value := range examples {
					if err := p.Value.Schema.Value.VisitJSON(plain(t, value), openapi3.EnableJSONSchema2020()); err != nil {
						t.Errorf("%s %s: parameter %s: example %v: %v", method, path, p.Value.Name, value, err)
					}
				}
			}
		}
	}
}

// examplesOf are the values that a parameter's description names.
func examplesOf(p *openapi3.Parameter) []any {
	examples := []any{p.Example}
	for _, example := range p.Examples {
		examples = append(examples, example.Value.Value)
	}
	if p.Schema != nil {
		examples = append(append(examples, p.Schema.Value.Example, p.Schema.Value.Default), p.Schema.Value.Enum...)
	}
	return slices.DeleteFunc(examples, func(value any) bool { return value == nil })
}

// checkExamples gives how many there were.
func checkExamples(t *testing.T, where string, content *openapi3.MediaType) (n int) {
	t.Helper()
	values := map[string]any{}
	if content.Example != nil {
		values["example"] = content.Example
	}
	for name, example := range content.Examples {
		values[name] = example.Value.Value
	}
	for name, value := range values {
		if content.Schema == nil {
			continue
		}
		if err := content.Schema.Value.VisitJSON(plain(t, value), openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("%s: example %s: %v", where, name, err)
		}
	}
	return len(values)
}

// plain turns what YAML gave into what JSON would have.
func plain(t *testing.T, value any) (out any) {
	t.Helper()
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What the contract promises would mean little if the library let anything
// pass: each of these responses is wrong in one place.
func TestContractNoticesWhatIsWrong(t *testing.T) {
	meta := `"meta":{"request_id":"req_aaaaaaaaaaaaaaaa","timestamp":"2026-01-01T00:00:00.000Z"}`
	key := `"id":"key_aaaaaaaaaaaaaaaaaaaaaaaaaa","name":"n","key_prefix":"lkm_aaaaaaaa","scopes":["admin"],"allowed_cidrs":[],"is_active":true,"created_at":"2026-01-01T00:00:00Z"`
	for name, test := range map[string]struct {
		path, body string
		status     int
		ok         bool
	}{
		"right":               {"/api/v1/api-keys", `{"data":[{` + key + `}],` + meta + `}`, 200, true},
		"status not named":    {"/api/v1/api-keys", `{"data":[{` + key + `}],` + meta + `}`, 206, false},
		"no meta":             {"/api/v1/api-keys", `{"data":[{` + key + `}]}`, 200, false},
		"unknown member":      {"/api/v1/api-keys", `{"data":[{` + key + `,"secret":"x"}],` + meta + `}`, 200, false},
		"unknown scope":       {"/api/v1/api-keys", strings.Replace(`{"data":[{`+key+`}],`+meta+`}`, `"admin"`, `"root"`, 1), 200, false},
		"wrong type":          {"/api/v1/api-keys", strings.Replace(`{"data":[{`+key+`}],`+meta+`}`, "true", "1", 1), 200, false},
		"another request's":   {"/api/v1/api-keys", `{"data":[],"meta":{"request_id":"req_bbbbbbbbbbbbbbbb","timestamp":"2026-01-01T00:00:00.000Z"}}`, 200, false},
		"not a time":          {"/health", `{"data":{"status":"ok"},"meta":{"request_id":"req_aaaaaaaaaaaaaaaa","timestamp":"now"}}`, 200, false},
		"cursor null":         {exportsPath, `{"data":[],"page_info":{"next_cursor":null},` + meta + `}`, 200, true},
		"cursor a number":     {exportsPath, `{"data":[],"page_info":{"next_cursor":7},` + meta + `}`, 200, true},
		"cursor a string":     {exportsPath, `{"data":[],"page_info":{"next_cursor":"7"},` + meta + `}`, 200, false},
		"code of another":     {exportsPath, `{"error":{"code":"INVALID_JSON","message":"m"},` + meta + `}`, 400, false},
		"code of this one":    {exportsPath, `{"error":{"code":"INVALID_QUERY","message":"m"},` + meta + `}`, 400, true},
		"unknown route, 200":  {"/api/v2", `{"data":{},` + meta + `}`, 200, false},
		"unknown route, 404":  {"/api/v2", `{"error":{"code":"NOT_FOUND","message":"m"},` + meta + `}`, 404, true},
		"unknown route, text": {"/api/v2", `404 page not found`, 404, false},
	} {
		r, err := http.NewRequest("GET", test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := answer{status: test.status, body: []byte(test.body), header: http.Header{
			"Content-Type": {"application/json"}, "X-Request-Id": {"req_aaaaaaaaaaaaaaaa"},
		}}
		probe := &contract{doc: spec.doc, exercised: map[string]bool{}}
		if err := probe.check(r, a); (err == nil) != test.ok {
			t.Errorf("%s: check gives %v, want ok %v", name, err, test.ok)
		}
	}
}

// The document and the route table name the same operations and scopes.
func TestOpenAPINamesTheRoutes(t *testing.T) {
	want := map[string][]string{}
	for _, route := range openSite(t).routes() {
		scopes := []string{}
		if route.scope != "" {
			scopes = append(scopes, string(route.scope))
		}
		want[route.method+" "+braces(route.path)] = scopes
	}
	operations := spec.operations()
	ids := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(operations)) {
		operation := operations[name]
		if other := ids[operation.OperationID]; operation.OperationID == "" || other != "" {
			t.Errorf("%s: operationId %q, want one of its own (%s has it)", name, operation.OperationID, other)
		}
		ids[operation.OperationID] = name
		scopes, ok := want[name]
		if !ok {
			t.Errorf("openapi.yaml names %s, which is not in the route table", name)
			continue
		}
		checkScopes(t, name, operation, scopes)
		for _, status := range []string{"401", "403", "429"} {
			if len(scopes) > 0 && operation.Responses.Value(status) == nil {
				t.Errorf("%s takes a token and does not name the response %s", name, status)
			}
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("openapi.yaml does not name %v", slices.Sorted(maps.Keys(want)))
	}
}

func checkScopes(t *testing.T, name string, operation *openapi3.Operation, want []string) {
	t.Helper()
	given, _ := operation.Extensions["x-required-scopes"].([]any)
	got := []string{}
	for _, scope := range given {
		text, _ := scope.(string)
		if _, err := auth.ParseScope(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got = append(got, text)
	}
	if given == nil || !slices.Equal(got, want) {
		t.Errorf("%s: x-required-scopes %v, want %v", name, operation.Extensions["x-required-scopes"], want)
	}
	public := operation.Security != nil && len(*operation.Security) == 0
	if public != (len(want) == 0) {
		t.Errorf("%s: security leaves it open: %v, want %v", name, public, len(want) == 0)
	}
}

// braces writes a router's path as OpenAPI does.
func braces(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, ":") || strings.HasPrefix(part, "*") {
			parts[i] = "{" + part[1:] + "}"
		}
	}
	return strings.Join(parts, "/")
}
