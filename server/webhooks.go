package server

import (
	"net/http"

	"licensekit/server/webhook"
)

// webhookWithSecret is an endpoint where its secret is shown.
type webhookWithSecret struct {
	Webhook webhook.Endpoint `json:"webhook"`
	Secret  string           `json:"secret"`
}

// createWebhook makes an endpoint; its secret is shown this once.
func (s *Server) createWebhook(w http.ResponseWriter, r *request) error {
	var c webhook.Change
	err := decodeJSON(w, r, map[string]any{"name": &c.Name, "url": &c.URL, "event_types": &c.EventTypes, "secret": &c.Secret, "is_active": &c.Active})
	if err != nil {
		return err
	}
	made, secret, err := s.courier.Create(r.Context(), c)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/webhooks/"+made.ID)
	return s.reply(w, r, http.StatusCreated, webhookWithSecret{made, secret})
}

// listWebhooks answers with the endpoints, oldest first.
func (s *Server) listWebhooks(w http.ResponseWriter, r *request) error {
	return replyList(s, w, r, s.courier.List)
}

func (s *Server) getWebhook(w http.ResponseWriter, r *request) error {
	found, err := s.courier.Get(r.params.ByName("id"))
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, found)
}

// updateWebhook changes an endpoint. It shows a secret that it makes.
func (s *Server) updateWebhook(w http.ResponseWriter, r *request) error {
	var c webhook.Change
	err := decodeJSON(w, r, map[string]any{
		"name": &c.Name, "url": &c.URL, "event_types": &c.EventTypes, "secret": &c.Secret, "rotate_secret": &c.Rotate, "is_active": &c.Active,
	})
	if err != nil {
		return err
	}
	changed, secret, err := s.courier.Update(r.Context(), r.params.ByName("id"), c)
	if err != nil {
		return err
	}
	if secret != "" {
		return s.reply(w, r, http.StatusOK, webhookWithSecret{changed, secret})
	}
	return s.reply(w, r, http.StatusOK, changed)
}

func (s *Server) deleteWebhook(w http.ResponseWriter, r *request) error {
	if err := s.courier.Delete(r.Context(), r.params.ByName("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// listDeliveries answers with an endpoint's deliveries, newest first.
func (s *Server) listDeliveries(w http.ResponseWriter, r *request) error {
	q, err := queryOf(r, "status", "cursor", "limit")
	if err != nil {
		return err
	}
	query := webhook.Query{Status: webhook.Status(q.Get("status"))}
	if err := oneOf("status", query.Status, webhook.Statuses); err != nil {
		return err
	}
	if query.Before, query.Limit, err = pageOf(q); err != nil {
		return err
	}
	page, next, err := s.courier.Deliveries(r.params.ByName("id"), query)
	if err != nil {
		return err
	}
	return s.replyPage(w, r, page, next)
}

// replayDelivery sends a delivery again and says what came of it.
func (s *Server) replayDelivery(w http.ResponseWriter, r *request) error {
	sent, err := s.courier.Replay(r.Context(), r.params.ByName("id"), r.params.ByName("delivery"))
	if err != nil {
		return err
	}
	status := http.StatusOK
	if sent.Status == webhook.Pending {
		status = http.StatusAccepted
	}
	return s.reply(w, r, status, sent)
}

// testWebhook sends an event that is none, and says what came of it.
func (s *Server) testWebhook(w http.ResponseWriter, r *request) error {
	sent, err := s.courier.Test(r.Context(), r.params.ByName("id"))
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, sent)
}
