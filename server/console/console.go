// Package console is the web console: what the API does, for people who would
// rather look and click.
//
// # Promises
//
//   - It does nothing that the API does not. A page is made from what the API
//     answers to whoever signed in, so what a token may not do over the API its
//     holder may not do here. The one exception shows who imports a file its own
//     first rows.
//   - It works offline: everything it shows comes from this server, and what is
//     embedded needs no build. Pages work without JavaScript, which adds what is
//     pleasant: progress that moves, copying, drawing.
//   - No page runs or loads anything inline or from elsewhere: the
//     Content-Security-Policy of [policy] forbids it.
//   - A token is read once, from the body of the sign-in form. It is never in a
//     URL, a cookie, a page or on the disk. The cookie names a session in this
//     process's memory: random, HttpOnly, SameSite=Strict, and Secure over TLS.
//   - A session is bound to its API key and ends with it: it is asked for at
//     each request whether the key is revoked, expired or used from elsewhere.
//   - What changes anything comes from a form of the same origin (Sec-Fetch-Site,
//     Origin) that carries the session's own secret.
//
// # Limits
//
// A session ends an hour after its last request, twelve hours after it began,
// and with the process. There are at most [maxSessions]; the one that was used
// least recently makes room. Files that are being imported lie in the server's
// directory for what a restart may lose, a few for each session, while it lasts and
// for three hours at most.
//
// # Language
//
// Pages are in English or German, with the dates and numbers of the browser's
// Accept-Language. Instants are shown in UTC, and by the pointer in local time.
// What the API says of errors is shown in its own English words.
package console

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"licensekit/auth"
)

// API is the server as the console sees it.
type API interface {
	// ServeHTTP answers requests of the API. Those with a context from As need
	// no token.
	http.Handler
	As(context.Context, auth.Key) context.Context
	// SignIn finds the key of a token, and Resume a key that was found before;
	// both only if it may be used from where the request comes. w is that of the
	// page, whose log line is to name the key.
	SignIn(w http.ResponseWriter, r *http.Request, token string) (auth.Key, error)
	Resume(w http.ResponseWriter, r *http.Request, keyID string) (auth.Key, error)
	// Tmp is a directory for files that a restart may lose.
	Tmp() string
	// Problem says how the API tells an error of its own.
	Problem(error) (status int, code, message, detail string)
}

// Options sets up a console.
type Options struct {
	Version string // of the program
	Now     func() time.Time
	Log     *slog.Logger
}

// Console answers with pages.
type Console struct {
	api      API
	opts     Options
	sessions *sessions
	uploads  *uploads
	origin   *http.CrossOriginProtection
	rotating sync.Mutex // held while the key that signs exports is replaced
}

// New gives the console of an API, as the patterns that it answers.
func New(api API, opts Options) *http.ServeMux {
	c := &Console{api: api, opts: opts, sessions: newSessions(opts.Now), uploads: &uploads{dir: api.Tmp(), now: opts.Now}, origin: http.NewCrossOriginProtection()}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", http.RedirectHandler(home, http.StatusSeeOther))
	mux.Handle("GET /console", http.RedirectHandler(home, http.StatusSeeOther))
	mux.Handle("GET /console/assets/{name}", http.HandlerFunc(serveAsset))
	mux.Handle("GET "+apiPath+"/{name}", http.HandlerFunc(serveSwagger))
	mux.Handle("GET /console/verify.html", http.HandlerFunc(serveVerifier))
	for _, p := range c.pages() {
		mux.Handle(p.pattern, c.handle(p))
	}
	return mux
}

// home is where who signed in begins.
const home = "/console/"

// policy is the Content-Security-Policy of every page.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
}
