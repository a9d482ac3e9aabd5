package server

import (
	"context"
	"net/http"

	"licensekit/auth"
)

// Local is the API for code in this process that acts for people who signed
// in, such as the console. It answers what a client with their token would get.
type Local struct{ server *Server }

// SignIn finds the key of a token that a person typed, as a request that
// carries it would. Errors: those of [gate.enter].
func (l Local) SignIn(w http.ResponseWriter, r *http.Request, token string) (auth.Key, error) {
	key, err := l.server.gate.enter(r.Context(), token, clientOf(r.Context()))
	if err == nil {
		setKeyID(w, key.ID)
	}
	return key, err
}

// Resume gives the key of somebody who signed in before, as long as it may
// still be used from where they are. Errors: those of [auth.Store.Resume], a
// *problem for who asks too often.
func (l Local) Resume(w http.ResponseWriter, r *http.Request, keyID string) (auth.Key, error) {
	key, err := l.server.tokens.Resume(r.Context(), keyID, clientOf(r.Context()))
	if err == nil {
		err = l.server.gate.admit(key)
	}
	if err == nil {
		setKeyID(w, key.ID)
	}
	return key, err
}

type signedInKey struct{}

// As gives a context whose requests are made with a key that SignIn or Resume
// has just given.
func (l Local) As(ctx context.Context, key auth.Key) context.Context {
	return context.WithValue(ctx, signedInKey{}, key)
}

// ServeHTTP answers a request of the API within the request to a page: it is
// part of that one's id, log line and deadlines.
func (l Local) ServeHTTP(w http.ResponseWriter, r *http.Request) { l.server.router.ServeHTTP(w, r) }

// Tmp is a directory for files that a restart may lose.
func (l Local) Tmp() string { return l.server.dir.Tmp() }

// Problem says how an error is told to a client.
func (l Local) Problem(err error) (status int, code, message, detail string) {
	p := problemOf(err)
	return p.status, p.code, p.message, p.detail
}
