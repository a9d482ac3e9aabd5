package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// maxJSON bounds a JSON body that is not an ingestion, in bytes.
const maxJSON = 1 << 20

// decodeJSON reads a request's body into v. Unknown and repeated members, and
// data behind the value, are errors.
func decodeJSON(w http.ResponseWriter, r *request, v any) error {
	if err := wantType(r, "application/json"); err != nil {
		return err
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSON))
	if err != nil {
		return bodyError(err)
	}
	if err := checkMembers(text); err != nil {
		return invalidJSON(err.Error())
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return invalidJSON(strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// bodyError tells a body that stopped half way from one that is too large.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
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

// checkMembers walks a JSON text and refuses a name that stands twice in one
// object, and anything behind the value.
func checkMembers(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := checkValue(decoder); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("the body is empty or ends early")
		}
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("data behind the JSON value")
	}
	return nil
}

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
