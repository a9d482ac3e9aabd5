package server

import (
	"context"
	"net/http"
	"strings"

	"licensekit/auth"
	"licensekit/exporter/audit"
)

// caller is who makes a request.
type caller struct {
	id  string // an API key's id, or "owner"
	key auth.Key
}

// ownerID names the owner of the data directory where an API key's id stands
// otherwise.
const ownerID = audit.Owner

type ownerKey struct{}

// asOwner marks the requests of a connection that only the data directory's
// owner can make.
func asOwner(ctx context.Context) context.Context {
	return context.WithValue(ctx, ownerKey{}, true)
}

// authorize finds out who calls and whether they may. Errors: those of
// [gate.enter], *[auth.ScopeError].
func (s *Server) authorize(w http.ResponseWriter, r *request, scope auth.Scope) error {
	if scope == "" {
		return nil
	}
	if r.Context().Value(ownerKey{}) != nil {
		r.is(w, caller{id: ownerID}, audit.ByTheSystem)
		return nil
	}
	key, signedIn := r.Context().Value(signedInKey{}).(auth.Key)
	if !signedIn {
		var err error
		if key, err = s.gate.enter(r.Context(), bearer(r.Request), r.from); err != nil {
			return err
		}
	}
	r.is(w, caller{id: key.ID, key: key}, audit.ByKey)
	return key.Require(scope)
}

// is says who calls, to the handler, the log and the audit trail.
func (r *request) is(w http.ResponseWriter, who caller, kind audit.ActorType) {
	r.caller = who
	setKeyID(w, who.id)
	by := audit.Origin{ActorType: kind, ActorID: who.id, IPAddress: addressText(r.from), RequestID: requestID(r.Request)}
	r.Request = r.WithContext(audit.With(r.Context(), by))
}

// bearer is the token of the Authorization header (RFC 6750), "" for none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
