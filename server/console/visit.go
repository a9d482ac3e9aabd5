package console

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"

	"licensekit/auth"
	"licensekit/server/client"
)

// visit is a request to a page, with what is known of who makes it.
type visit struct {
	console *Console
	w       http.ResponseWriter
	r       *http.Request
	locale  *locale
	session *session // nil for who has not signed in
	key     auth.Key // of the session
	refusal error    // why a session that is there does not count now
}

// visit finds out who makes a request. A session whose key is no longer good
// is ended; other reasons to refuse it pass.
func (c *Console) visit(w http.ResponseWriter, r *http.Request) *visit {
	v := &visit{console: c, w: w, r: r, locale: localeOf(r)}
	s := c.sessions.find(cookieOf(r))
	if s == nil {
		return v
	}
	key, err := c.api.Resume(w, r, s.keyID)
	switch {
	case err == nil:
		v.session, v.key = s, key
	case errors.Is(err, auth.ErrUnknown), errors.Is(err, auth.ErrExpired), errors.Is(err, auth.ErrNetwork):
		c.end(s)
	default:
		v.refusal = err
	}
	return v
}

// errSignedOut says that a page is for those who have signed in.
var errSignedOut = errors.New("signed out")

// admit tells whether the visitor may have the page.
func (v *visit) admit(p page) error {
	if err := v.console.origin.Check(v.r); err != nil {
		return &failure{Status: http.StatusForbidden, Code: "CROSS_ORIGIN", Message: "the form was sent from another site", Detail: err.Error()}
	}
	if p.public {
		return nil
	}
	if v.refusal != nil {
		return v.refusal
	}
	if v.session == nil {
		return errSignedOut
	}
	if p.scope == "" {
		return nil
	}
	return v.key.Require(p.scope)
}

// nav is the navigation for this visitor.
func (v *visit) nav() (shown []section) {
	for _, s := range sections {
		if v.session != nil && (s.scope == "" || v.key.Allows(s.scope)) {
			shown = append(shown, s)
		}
	}
	return shown
}

// form reads a posted form, which must carry the session's secret.
func (v *visit) form() (url.Values, error) {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		return nil, &failure{Status: http.StatusBadRequest, Code: "INVALID_FORM", Message: "the form can't be read", Detail: err.Error()}
	}
	if v.session != nil && !v.session.owns(v.r.PostForm.Get(csrfField)) {
		return nil, errForged
	}
	return v.r.PostForm, nil
}

// maxForm bounds a form, in bytes.
const maxForm = 1 << 20

var errForged = &failure{
	Status: http.StatusForbidden, Code: "FORM_EXPIRED", Message: "the form is not of this session",
	Detail: "go back, load the page again and send it once more",
}

// call asks the API in the visitor's name.
func (v *visit) call(method, path string, query url.Values, in, out any) (client.Page, error) {
	return client.Within(inner{v}).Call(v.context(), method, path, query, in, out)
}

// do sends a request of the API in the visitor's name, and reads the answer's
// data into out.
func (v *visit) do(request client.Request, out any) error {
	resp, err := client.Within(inner{v}).Do(v.context(), request)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = client.Decode(resp.Body, out)
	return err
}

// context is that of the visitor's requests of the API.
func (v *visit) context() context.Context {
	if v.session == nil {
		return v.r.Context()
	}
	return v.console.api.As(v.r.Context(), v.key)
}

// inner sends requests on to the API as part of a visit: they come from where
// the visit does.
type inner struct{ visit *visit }

// ServeHTTP lets the API answer.
func (i inner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	outer := i.visit.r
	r.RemoteAddr, r.TLS, r.Host, r.Proto, r.ProtoMajor, r.ProtoMinor = outer.RemoteAddr, outer.TLS, outer.Host, outer.Proto, outer.ProtoMajor, outer.ProtoMinor
	r.Header.Set("User-Agent", outer.UserAgent())
	i.visit.console.api.ServeHTTP(w, r)
}

// passOn answers with what the API does at another path: a file. Its errors are
// shown as pages.
func (v *visit) passOn(path string) error {
	target, err := url.Parse(path)
	if err != nil {
		return err
	}
	r := v.r.Clone(v.context())
	r.URL = target
	w := &passed{ResponseWriter: v.w, header: http.Header{}}
	v.console.api.ServeHTTP(w, r)
	if w.refused == nil {
		return nil
	}
	return refusalOf(w.status, w.refused.Bytes())
}

// passed lets a response through, unless it is an error.
type passed struct {
	http.ResponseWriter
	header  http.Header
	status  int
	refused *bytes.Buffer // an error's body; nil if it is none
}

// Header is kept apart until it is known whether it goes out.
func (w *passed) Header() http.Header { return w.header }

// WriteHeader decides.
func (w *passed) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	if w.status = status; status >= 400 {
		w.refused = &bytes.Buffer{}
		return
	}
	for name, values := range w.header {
		w.ResponseWriter.Header()[name] = values
	}
	w.ResponseWriter.Header().Set("Cache-Control", "no-store") // who signs out leaves nothing behind
	w.ResponseWriter.WriteHeader(status)
}

// Write passes on or keeps.
func (w *passed) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.refused != nil {
		return w.refused.Write(p)
	}
	return w.ResponseWriter.Write(p)
}

// redirect sends the visitor to another page of the console.
func (v *visit) redirect(path string) error {
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}
