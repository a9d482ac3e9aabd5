package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"licensekit/exporter/audit"
)

const (
	webhooksPath    = "/console/webhooks"
	apiWebhooksPath = "/api/v1/webhooks"
)

// told are the events that a webhook is offered to tell of; the API takes any.
var told = []audit.Type{audit.ExportReady, audit.ExportFailed, audit.ExportCreated, audit.KeyCreated, audit.KeyRevoked, audit.LoginFailed}

// webhook is an endpoint that is told of events, as the API tells of it.
type webhook struct {
	ID           string       `json:"id,omitempty"`
	Name         string       `json:"name"`
	URL          string       `json:"url"`
	Types        []audit.Type `json:"event_types"`
	SecretPrefix string       `json:"secret_prefix,omitempty"`
	Active       bool         `json:"is_active"`
	LastDelivery time.Time    `json:"last_delivery_at,omitzero"`
	CreatedAt    time.Time    `json:"created_at,omitzero"`
}

// webhookList is what the page of webhooks shows.
type webhookList struct {
	Webhooks []webhook
	Given    webhook // in the form
	Types    []audit.Type
	Failure  *failure
}

// Tells tells whether the form names a type of event.
func (l webhookList) Tells(what audit.Type) bool { return slices.Contains(l.Given.Types, what) }

func (v *visit) webhookList(given webhook) (webhookList, error) {
	list := webhookList{Given: given, Types: told}
	_, err := v.call(http.MethodGet, apiWebhooksPath, nil, nil, &list.Webhooks)
	return list, err
}

// listWebhooks shows the webhooks, and a form for one more.
func (c *Console) listWebhooks(v *visit) error {
	list, err := v.webhookList(webhook{Types: []audit.Type{audit.ExportReady, audit.ExportFailed}})
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "webhooks", list)
}

// createWebhook adds a webhook and shows its secret, which is in this answer
// and nowhere else.
func (c *Console) createWebhook(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	asked := webhook{Name: strings.TrimSpace(form.Get("name")), URL: strings.TrimSpace(form.Get("url")), Types: []audit.Type{}, Active: true}
	for _, what := range form["event_types"] {
		asked.Types = append(asked.Types, audit.Type(what))
	}
	var made struct {
		Webhook webhook
		Secret  string
	}
	if _, err := v.call(http.MethodPost, apiWebhooksPath, nil, asked, &made); err != nil {
		list, listErr := v.webhookList(asked)
		if listErr != nil {
			return listErr
		}
		list.Failure = v.failureOf(err)
		return v.show(list.Failure.Status, "webhooks", list)
	}
	return v.show(http.StatusCreated, "webhook-added", made)
}

// delivery is a message to a webhook.
type delivery struct {
	ID        string
	Event     int64      `json:"event_sequence"` // 0 for a test
	Type      audit.Type `json:"event_type"`
	Status    string
	Attempts  int
	Answer    int `json:"response_status"`
	Error     string
	LastAt    time.Time `json:"last_attempt_at"`
	NextAt    time.Time `json:"next_attempt_at"`
	CreatedAt time.Time `json:"created_at"`
}

// webhookPage is what the page of one webhook shows.
type webhookPage struct {
	Webhook    webhook
	Deliveries []delivery
}

func (v *visit) apiWebhook(rest string) string {
	return apiWebhooksPath + "/" + url.PathEscape(v.r.PathValue("id")) + rest
}

// showWebhook shows a webhook with its newest deliveries.
func (c *Console) showWebhook(v *visit) error {
	page := webhookPage{}
	if _, err := v.call(http.MethodGet, v.apiWebhook(""), nil, nil, &page.Webhook); err != nil {
		return err
	}
	if _, err := v.call(http.MethodGet, v.apiWebhook("/deliveries"), url.Values{"limit": {"25"}}, nil, &page.Deliveries); err != nil {
		return err
	}
	return v.show(http.StatusOK, "webhook", page)
}

// changeWebhook pauses a webhook, resumes it, or sends it a test or a delivery
// again.
func (c *Console) changeWebhook(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	switch form.Get("do") {
	case "test":
		_, err = v.call(http.MethodPost, v.apiWebhook("/test"), nil, nil, nil)
	case "replay":
		_, err = v.call(http.MethodPost, v.apiWebhook("/deliveries/"+url.PathEscape(form.Get("delivery"))+"/replay"), nil, nil, nil)
	case "pause", "resume":
		_, err = v.call(http.MethodPatch, v.apiWebhook(""), nil, map[string]bool{"is_active": form.Get("do") == "resume"}, nil)
	case "remove":
		if _, err = v.call(http.MethodDelete, v.apiWebhook(""), nil, nil, nil); err == nil {
			return v.redirect(webhooksPath)
		}
	default:
		return &failure{Status: http.StatusUnprocessableEntity, Code: "VALIDATION_ERROR", Message: "there is no such thing to do"}
	}
	if err != nil {
		return err
	}
	return v.redirect(webhooksPath + "/" + url.PathEscape(v.r.PathValue("id")))
}
