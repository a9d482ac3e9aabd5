package console

import (
	"errors"
	"net/http"
	"net/url"

	"licensekit/server/client"
)

// failure is an error as a page shows it.
type failure struct {
	Status    int
	Code      string
	Message   string
	Detail    string
	RequestID string
}

// Error is for logs.
func (f *failure) Error() string { return f.Message + " (" + f.Code + ")" }

// remedies say what to do about errors, by their code.
var remedies = map[string]string{
	"TOKEN_SCOPE_DENIED":   "Sign in with a token that has this scope, or ask whoever issues tokens for one.",
	"NOT_FOUND":            "Check the address, or start again from the list.",
	"CROSS_ORIGIN":         "Open the console itself and use the form there.",
	"FORM_EXPIRED":         "Go back, load the page again and send the form once more.",
	"TOO_MANY_REQUESTS":    "Wait a little and try again.",
	"STORAGE_FULL":         "Make room on the server's disk and try again.",
	"UNAVAILABLE":          "Try again in a moment.",
	"INTERNAL":             "The server's log says why, under the request's id.",
	"ARTIFACT_DAMAGED":     "Restore the data directory from a backup; licensekit check names what is damaged.",
	"CHECKPOINT_DAMAGED":   "Keep the witness's file again, or restore it from a backup; licensekit check names what is damaged.",
	"EXPORT_NOT_READY":     "Wait until it is ready; its page shows how far it is.",
	"VALIDATION_ERROR":     "Correct the value and send the form again.",
	"INVALID_QUERY":        "Correct the value and apply the filter again.",
	"METHOD_NOT_ALLOWED":   "Start again from the list.",
	"UPLOAD_GONE":          "Choose the file once more.",
	"FORM_SENT":            "Issue another one if it was not copied, and revoke that one.",
	"ATOMIC_REJECTED":      "Correct the rows, or import the good ones alone.",
	"UNKNOWN_FIELD":        "Choose for each column what it is read into.",
	"MISSING_FIELD":        "Choose the column that has it, or give it one value for all rows.",
	"LOG_BEHIND":           "Bring the newest copy of the data directory; if there is none, stop the server and run licensekit log restart.",
	"LOG_CONTRADICTED":     "Keep the file, and find out who has the log's key.",
	"KEY_CHANGED":          "Look at the keys before you replace another one.",
	"IDEMPOTENCY_CONFLICT": "Load the form again and send it once more.",
}

// Remedy is what to do about it, "" where nothing general can be said.
func (f *failure) Remedy() string { return remedies[f.Code] }

// failureOf says how an error is shown.
func (v *visit) failureOf(err error) *failure {
	var (
		own    *failure
		answer *client.Error
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &answer):
		return &failure{answer.Status, answer.Code, answer.Message, answer.Detail, answer.RequestID}
	}
	status, code, message, detail := v.console.api.Problem(err)
	return &failure{Status: status, Code: code, Message: message, Detail: detail}
}

// fail answers with an error as a page, or with the way to sign in.
func (v *visit) fail(err error) {
	if errors.Is(err, errSignedOut) {
		v.askToSignIn()
		return
	}
	f := v.failureOf(err)
	if f.Status == http.StatusUnauthorized { // the key ended after the visit began
		v.askToSignIn()
		return
	}
	if f.RequestID == "" {
		f.RequestID = v.w.Header().Get("X-Request-Id")
	}
	if f.Status >= 500 {
		v.console.opts.Log.Error("page failed", "request_id", f.RequestID, "path", v.r.URL.Path, "error", err)
	}
	if err := v.show(f.Status, "failure", f); err != nil {
		v.console.opts.Log.Error("page failed", "request_id", f.RequestID, "path", v.r.URL.Path, "error", err)
		http.Error(v.w, f.Message, f.Status)
	}
}

func (v *visit) askToSignIn() {
	query := url.Values{}
	if v.r.Method == http.MethodGet && v.r.URL.Path != home {
		query.Set("next", v.r.URL.RequestURI())
	}
	target := url.URL{Path: signInPath, RawQuery: query.Encode()}
	v.redirect(target.String())
}
