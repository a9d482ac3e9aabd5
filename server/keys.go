package server

import (
	"fmt"
	"net/http"
	"time"

	"licensekit/auth"
)

// issueKey makes an API key; its token is shown this once.
func (s *Server) issueKey(w http.ResponseWriter, r *request) error {
	var body struct {
		Name         string       `json:"name"`
		Scopes       []auth.Scope `json:"scopes"`
		AllowedCIDRs []string     `json:"allowed_cidrs"`
		ExpiresAt    *time.Time   `json:"expires_at"`
	}
	if err := decodeJSON(w, r, &body); err != nil {
		return err
	}
	key, token, err := s.tokens.Issue(r.Context(), auth.Spec{
		Name: body.Name, Scopes: body.Scopes, AllowedCIDRs: body.AllowedCIDRs, ExpiresAt: body.ExpiresAt,
	})
	if err != nil {
		return err
	}
	s.opts.Log.Info("token issued", "request_id", requestID(r.Request), "by", r.caller.id, "key_id", key.ID, "scopes", fmt.Sprint(key.Scopes))
	w.Header().Set("Location", "/api/v1/api-keys/"+key.ID)
	return s.reply(w, r, http.StatusCreated, map[string]any{"api_key": key, "token": token.Reveal()})
}

// listKeys answers with the API keys, oldest first, revoked ones too.
func (s *Server) listKeys(w http.ResponseWriter, r *request) error {
	q, err := queryOf(r, "limit")
	if err != nil {
		return err
	}
	_, limit, err := pageOf(q)
	if err != nil {
		return err
	}
	keys, err := s.tokens.List(r.Context())
	if err != nil {
		return err
	}
	if q.Get("limit") != "" {
		keys = keys[:min(limit, len(keys))]
	}
	return s.reply(w, r, http.StatusOK, keys)
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
