package console

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"licensekit/auth"
)

const (
	tokensPath  = "/console/tokens"
	newToken    = tokensPath + "/new"
	apiKeysPath = "/api/v1/api-keys"
)

// scopeNames are the scopes that routes of this server take, in the order in
// which people look for them. The contract has more.
var scopeNames = []auth.Scope{auth.ReportExport, auth.ReportRead, auth.ReportWrite, auth.EventRead, auth.WebhookWrite, auth.Admin}

// lifetimes are how long a token is offered to last, in days.
var lifetimes = []string{"30", "90", "365", ""}

// shownKey is an API key with what a page says of it.
type shownKey struct {
	auth.Key
	State string // "active", "expired" or "revoked"
	Own   bool   // who looks has signed in with it
}

func (v *visit) shownKey(k auth.Key) shownKey {
	state := "active"
	switch {
	case !k.Active:
		state = "revoked"
	case !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(v.console.opts.Now()):
		state = "expired"
	}
	return shownKey{k, state, k.ID == v.key.ID}
}

// listTokens shows all tokens, those that let somebody in first.
func (c *Console) listTokens(v *visit) error {
	var keys []auth.Key
	if _, err := v.call(http.MethodGet, apiKeysPath, nil, nil, &keys); err != nil {
		return err
	}
	shown := []shownKey{}
	for _, k := range keys {
		shown = append(shown, v.shownKey(k))
	}
	slices.SortStableFunc(shown, func(a, b shownKey) int {
		if (a.State == "active") != (b.State == "active") {
			if a.State == "active" {
				return -1
			}
			return 1
		}
		return b.CreatedAt.Compare(a.CreatedAt)
	})
	return v.show(http.StatusOK, "tokens", shown)
}

// showToken shows one of the tokens.
func (c *Console) showToken(v *visit) error {
	key, err := v.keyNamed(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "token", v.shownKey(key))
}

func (v *visit) keyNamed(id string) (auth.Key, error) {
	var keys []auth.Key
	if _, err := v.call(http.MethodGet, apiKeysPath, nil, nil, &keys); err != nil {
		return auth.Key{}, err
	}
	for _, k := range keys {
		if k.ID == id {
			return k, nil
		}
	}
	return auth.Key{}, &failure{Status: http.StatusNotFound, Code: "NOT_FOUND", Message: "there is no such token"}
}

// tokenForm is what the page that issues tokens shows.
type tokenForm struct {
	Given     url.Values
	Scopes    []auth.Scope
	Lifetimes []string
	Once      string // of the form: it issues one token
	Failure   *failure
}

// Has tells whether a scope is ticked.
func (f tokenForm) Has(scope auth.Scope) bool {
	return slices.Contains(f.Given["scopes"], string(scope))
}

func newTokenForm(given url.Values) tokenForm {
	return tokenForm{Given: given, Scopes: scopeNames, Lifetimes: lifetimes, Once: secret()}
}

func (c *Console) showTokenForm(v *visit) error {
	given := url.Values{"scopes": {string(auth.ReportExport)}, "days": {"90"}}
	return v.show(http.StatusOK, "token-new", newTokenForm(given))
}

// issued is a token with its secret, which is in this answer and nowhere else.
type issued struct {
	Key   auth.Key `json:"api_key"`
	Token string
}

// issueToken issues a token and shows it. The answer is the page itself, since
// to lead elsewhere the secret would have to be kept.
func (c *Console) issueToken(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	if !v.session.first(form.Get("once")) {
		return &failure{Status: http.StatusConflict, Code: "FORM_SENT", Message: "this form was sent before", Detail: "it issued a token then, which was shown once"}
	}
	spec := auth.Spec{Name: strings.TrimSpace(form.Get("name")), Scopes: []auth.Scope{}, AllowedCIDRs: []string{}}
	for _, line := range strings.FieldsFunc(form.Get("networks"), func(r rune) bool { return r == '\n' || r == ',' }) {
		if line = strings.TrimSpace(line); line != "" {
			spec.AllowedCIDRs = append(spec.AllowedCIDRs, line)
		}
	}
	for _, scope := range form["scopes"] {
		spec.Scopes = append(spec.Scopes, auth.Scope(scope))
	}
	if days := form.Get("days"); days != "" {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return &failure{Status: http.StatusUnprocessableEntity, Code: "VALIDATION_ERROR", Message: "that is no number of days", Detail: days}
		}
		end := c.opts.Now().UTC().AddDate(0, 0, int(n)).Truncate(time.Second)
		spec.ExpiresAt = &end
	}
	var made issued
	if _, err := v.call(http.MethodPost, apiKeysPath, nil, spec, &made); err != nil {
		again := newTokenForm(form)
		again.Failure = v.failureOf(err)
		return v.show(again.Failure.Status, "token-new", again)
	}
	return v.show(http.StatusCreated, "token-issued", made)
}

// revokeToken ends a token.
func (c *Console) revokeToken(v *visit) error {
	if _, err := v.form(); err != nil {
		return err
	}
	id := v.r.PathValue("id")
	if _, err := v.call(http.MethodDelete, apiKeysPath+"/"+url.PathEscape(id), nil, nil, nil); err != nil {
		return err
	}
	return v.redirect(tokensPath + "/" + url.PathEscape(id))
}

// networks says where a key may be used from, "" for everywhere.
func networks(list []netip.Prefix) string {
	var names []string
	for _, n := range list {
		names = append(names, n.String())
	}
	return strings.Join(names, ", ")
}
