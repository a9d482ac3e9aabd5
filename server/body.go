package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxJSON bounds a JSON body that is not an ingestion, in bytes.
const maxJSON = 1 << 20

// decodeJSON reads a request's body, a JSON object, into the fields that its
// members name; a member that is missing leaves its field alone. Members that
// are unknown, or stand twice at any depth, and data behind the object are
// errors. Names are exact, unlike those of encoding/json.
func decodeJSON(w http.ResponseWriter, r *request, fields map[string]any) error {
	text, err := readJSON(w, r)
	if err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return invalidJSON(whyNot("the body", err))
	}
	if members == nil {
		return invalidJSON("the body is null, want an object")
	}
	if err := checkValue(json.NewDecoder(bytes.NewReader(text))); err != nil {
		return invalidJSON(err.Error())
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		field, known := fields[name]
		if !known {
			return invalidJSON(fmt.Sprintf("unknown member %q; this route takes %s", name, strings.Join(slices.Sorted(maps.Keys(fields)), ", ")))
		}
		if err := json.Unmarshal(members[name], field); err != nil {
			return invalidJSON(whyNot(name, err))
		}
	}
	return nil
}

// readJSON reads a body whole.
func readJSON(w http.ResponseWriter, r *request) ([]byte, error) {
	if err := wantType(r, "application/json"); err != nil {
		return nil, err
	}
	if coding := contentCoding(r); coding != identity {
		return nil, unsupportedCoding(coding, identity)
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSON))
	if err != nil {
		return nil, bodyError(err)
	}
	if !utf8.Valid(text) {
		return nil, invalidJSON("the body is not valid UTF-8")
	}
	return text, nil
}

// bodyError tells a body that stopped half way from one that is too large or
// too slow.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return &problem{status: 400, code: "INCOMPLETE_BODY", message: "the request's body ended early", detail: err.Error()}
}

// wantType refuses a body of another media type. One without a type is taken.
func wantType(r *request, want string) error {
	text := r.Header.Get("Content-Type")
	if text == "" {
		return nil
	}
	if media, _, err := mime.ParseMediaType(text); err != nil || media != want {
		return &problem{status: 415, code: "UNSUPPORTED_MEDIA_TYPE", message: "this route takes " + want, detail: "the request's Content-Type is " + text}
	}
	return nil
}

// kindNames are the JSON types that Go types stand for.
var kindNames = map[reflect.Kind]string{
	reflect.String: "a string", reflect.Slice: "a list", reflect.Map: "an object", reflect.Bool: "a boolean", reflect.Int64: "an integer",
}

// whyNot says what is wrong with a JSON value, in words of JSON.
func whyNot(what string, err error) string {
	var (
		mistyped *json.UnmarshalTypeError
		syntax   *json.SyntaxError
	)
	switch {
	case errors.As(err, &mistyped):
		return fmt.Sprintf("%s holds %s where %s belongs", what, mistyped.Value, kindNames[mistyped.Type.Kind()])
	case errors.As(err, &syntax):
		return fmt.Sprintf("%s is no JSON at byte %d: %v", what, syntax.Offset, err)
	}
	return what + ": " + err.Error()
}

// checkValue refuses a name that stands twice in one object of a valid text.
// encoding/json bounds how deep that can be nested.
func checkValue(decoder *json.Decoder) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return checkObject(decoder)
	case json.Delim('['):
		for decoder.More() {
			if err := checkValue(decoder); err != nil {
				return err
			}
		}
		_, err = decoder.Token()
	}
	return err
}

func checkObject(decoder *json.Decoder) error {
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if seen[name] {
			return fmt.Errorf("member %q stands twice", name)
		}
		seen[name] = true
		if err := checkValue(decoder); err != nil {
			return err
		}
	}
	_, err := decoder.Token()
	return err
}
