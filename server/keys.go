package server

import (
	"fmt"
	"net/http"
	"time"

	"licensekit/auth"
)

// issueKey makes an API key; its token is shown this once.
func (s *Server) issueKey(w http.ResponseWriter, r *request) error {
	spec, err := keySpec(w, r)
	if err != nil {
		return err
	}
	key, token, err := s.tokens.Issue(r.Context(), spec)
	if err != nil {
		return err
	}
	s.opts.Log.Info("token issued", "request_id", requestID(r.Request), "by", r.caller.id, "key_id", key.ID, "scopes", fmt.Sprint(key.Scopes))
	w.Header().Set("Location", "/api/v1/api-keys/"+key.ID)
	return s.reply(w, r, http.StatusCreated, map[string]any{"api_key": key, "token": token.Reveal()})
}

func keySpec(w http.ResponseWriter, r *request) (spec auth.Spec, err error) {
	var expires *string
	err = decodeJSON(w, r, map[string]any{
		"name": &spec.Name, "scopes": &spec.Scopes, "allowed_cidrs": &spec.AllowedCIDRs, "expires_at": &expires,
	})
	if err != nil || expires == nil {
		return spec, err
	}
	at, err := time.Parse(time.RFC3339Nano, *expires)
	if err != nil {
		return spec, &auth.FieldError{Field: "expires_at", Value: *expires, Problem: "is not an RFC 3339 time such as 2030-01-31T00:00:00Z"}
	}
	spec.ExpiresAt = &at
	return spec, nil
}

// listKeys answers with the API keys, oldest first, revoked ones too.
func (s *Server) listKeys(w http.ResponseWriter, r *request) error {
	return replyList(s, w, r, func() ([]auth.Key, error) { return s.tokens.List(r.Context()) })
}

// revokeKey ends an API key at once and for good.
func (s *Server) revokeKey(w http.ResponseWriter, r *request) error {
	id := r.params.ByName("id")
	if err := s.tokens.Revoke(r.Context(), id); err != nil {
		return err
	}
	s.opts.Log.Info("token revoked", "request_id", requestID(r.Request), "by", r.caller.id, "key_id", id)
	key, err := s.tokens.Get(r.Context(), id)
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, key)
}
