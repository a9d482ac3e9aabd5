package console

import (
	"net/http"
	"net/url"
	"strings"
)

const signInPath = "/console/sign-in"

// signInRefused is what the page says of a token that is not accepted.
const signInRefused = "this token does not let you in"

// signInForm is what the sign-in page shows.
type signInForm struct {
	Next    string   // where to go then
	Failure *failure // of the last try
	Ended   bool     // a session was, and is no more
}

func (c *Console) showSignIn(v *visit) error {
	if v.session != nil {
		return v.redirect(home)
	}
	next := localPath(v.r.URL.Query().Get("next"))
	return v.show(http.StatusOK, "sign-in", signInForm{Next: next, Ended: cookieOf(v.r) != ""})
}

// signIn begins a session. The token is forgotten with the request.
func (c *Console) signIn(v *visit) error {
	v.session = nil // who signs in anew is judged by the token alone
	form, err := v.form()
	if err != nil {
		return err
	}
	key, err := c.api.SignIn(v.w, v.r, strings.TrimSpace(form.Get("token")))
	if err != nil {
		status, code, message, detail := c.api.Problem(err)
		if status == http.StatusUnauthorized {
			message = signInRefused
		}
		return v.show(status, "sign-in", signInForm{Next: localPath(form.Get("next")), Failure: &failure{Status: status, Code: code, Message: message, Detail: detail}})
	}
	if old := c.sessions.find(cookieOf(v.r)); old != nil {
		c.end(old)
	}
	_, cookie := c.sessions.begin(key.ID)
	giveCookie(v.w, v.r, cookie)
	return v.redirect(localPath(form.Get("next")))
}

func (c *Console) signOut(v *visit) error {
	if v.session != nil {
		if _, err := v.form(); err != nil {
			return err
		}
		c.end(v.session)
	}
	takeCookie(v.w)
	return v.redirect(signInPath)
}

// end ends a session, and with it what was kept for it.
func (c *Console) end(gone *session) {
	c.sessions.end(gone)
	c.uploads.leave(gone)
}

// localPath gives a path of the console to go to, home where it is none.
func localPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, home) || strings.HasPrefix(u.Path, signInPath) || strings.ContainsAny(path, "\\\r\n") {
		return home
	}
	return path
}
