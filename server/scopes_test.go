package server

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"licensekit/auth"
	"licensekit/exporter/audit"
)

// entry says how a route is asked for, and what it answers to who may.
type entry struct {
	scope  auth.Scope // "" for a public route
	path   string     // with a resource that is there, or surely not
	body   string
	status int
}

const jsonExport = `{"report_kind":"usage-summary"}`

// entries has one for each row of the route table.
func entries(export string) map[string]entry {
	return map[string]entry{
		"POST /api/v1/reports/exports":                 {auth.ReportExport, exportsPath, jsonExport, 201},
		"GET /api/v1/reports/exports":                  {auth.ReportExport, exportsPath, "", 200},
		"GET /api/v1/reports/exports/:id":              {auth.ReportExport, exportsPath + "/" + export, "", 200},
		"GET /api/v1/reports/exports/:id/download":     {auth.ReportExport, exportsPath + "/" + export + "/download", "", 200},
		"GET /api/v1/reports/exports/:id/bundle":       {auth.ReportExport, exportsPath + "/" + export + "/bundle", "", 200},
		"GET /api/v1/reports/exports/:id/comparison":   {auth.ReportExport, exportsPath + "/" + export + "/comparison?with=" + export, "", 200},
		"GET /api/v1/reports/exports/:id/verification": {auth.ReportExport, exportsPath + "/" + export + "/verification", "", 200},
		"GET /api/v1/reports/exports/:id/pages/:page":  {auth.ReportExport, exportsPath + "/" + export + "/pages/1.png", "", 404}, // it is no PDF
		"POST /api/v1/reports/estimate":                {auth.ReportExport, "/api/v1/reports/estimate", jsonExport, 200},
		"GET /api/v1/reports/usage-summary":            {auth.ReportRead, "/api/v1/reports/usage-summary", "", 200},
		"GET /api/v1/reports/usage-ledger":             {auth.ReportRead, "/api/v1/reports/usage-ledger", "", 200},
		"GET /api/v1/reports/license-audit":            {auth.ReportRead, "/api/v1/reports/license-audit?license_id=l", "", 200},
		"GET /api/v1/reports/customer-summary":         {auth.ReportRead, "/api/v1/reports/customer-summary?customer_id=c", "", 200},
		"GET /api/v1/reports/subscription-settlement":  {auth.ReportRead, "/api/v1/reports/subscription-settlement?order_id=o", "", 200},
		"GET /api/v1/activities":                       {auth.ReportRead, "/api/v1/activities", "", 200},
		"GET /api/v1/log/checkpoint":                   {"", "/api/v1/log/checkpoint", "", 200},
		"GET /api/v1/log/tile/:level/*index":           {"", "/api/v1/log/tile/0/000.p/1", "", 200},
		"GET /api/v1/log/consistency":                  {"", "/api/v1/log/consistency?from=1", "", 200},
		"GET /api/v1/log/proof/:index":                 {auth.ReportExport, "/api/v1/log/proof/0", "", 200},
		"GET /api/v1/logs":                             {"", "/api/v1/logs", "", 200},
		"GET /api/v1/logs/:log/checkpoint":             {"", "/api/v1/logs/1/checkpoint", "", 200},
		"GET /api/v1/logs/:log/tile/:level/*index":     {"", "/api/v1/logs/1/tile/0/000.p/1", "", 200},
		"GET /api/v1/logs/:log/consistency":            {"", "/api/v1/logs/1/consistency?from=1", "", 200},
		"GET /api/v1/logs/:log/proof/:index":           {auth.ReportExport, "/api/v1/logs/1/proof/0", "", 200},
		"GET /api/v1/log/cosigned":                     {"", "/api/v1/log/cosigned", "", 404}, // nobody has cosigned yet
		"POST /api/v1/log/cosigned":                    {auth.Admin, "/api/v1/log/cosigned", `{"checkpoint":""}`, 422},
		"GET /api/v1/log/cosignatures":                 {"", "/api/v1/log/cosignatures", "", 200},
		"GET /api/v1/logs/:log/cosignatures":           {"", "/api/v1/logs/1/cosignatures", "", 200},
		"GET /api/v1/logs/:log/cosigned":               {"", "/api/v1/logs/1/cosigned", "", 404},
		"POST /api/v1/system/keys/rotate":              {auth.Admin, "/api/v1/system/keys/rotate", "", 200},
		"GET /api/v1/system/check":                     {auth.Admin, "/api/v1/system/check", "", 200},
		"POST /api/v1/system/backups":                  {auth.Admin, "/api/v1/system/backups", `{}`, 204},
		"POST /api/v1/activities":                      {auth.ReportWrite, "/api/v1/activities", `[]`, 200},
		"GET /api/v1/records/:object":                  {auth.ReportRead, "/api/v1/records/products", "", 200},
		"POST /api/v1/records/:object":                 {auth.ReportWrite, "/api/v1/records/products", `[{"id":"p"}]`, 200},
		"GET /api/v1/api-keys":                         {auth.Admin, "/api/v1/api-keys", "", 200},
		"POST /api/v1/api-keys":                        {auth.Admin, "/api/v1/api-keys", `{"name":"n","scopes":["report:read"]}`, 201},
		"DELETE /api/v1/api-keys/:id":                  {auth.Admin, "/api/v1/api-keys/key_gone", "", 404},
		"GET /api/v1/events":                           {auth.EventRead, "/api/v1/events", "", 200},
		"GET /api/v1/schedules":                        {auth.ReportExport, "/api/v1/schedules", "", 200},
		"POST /api/v1/schedules":                       {auth.ReportExport, "/api/v1/schedules", `{"name":"n","report_kind":"usage-summary","formats":["json"],"period":"month"}`, 201},
		"GET /api/v1/schedules/:id":                    {auth.ReportExport, "/api/v1/schedules/sch_gone", "", 404},
		"DELETE /api/v1/schedules/:id":                 {auth.ReportExport, "/api/v1/schedules/sch_gone", "", 404},
		"GET /api/v1/schedules/:id/runs":               {auth.ReportExport, "/api/v1/schedules/sch_gone/runs", "", 404},
		"GET /api/v1/webhooks":                         {auth.WebhookWrite, "/api/v1/webhooks", "", 200},
		"POST /api/v1/webhooks":                        {auth.WebhookWrite, "/api/v1/webhooks", `{"name":"n","url":"https://hooks.example.com/","is_active":false}`, 201},
		"GET /api/v1/webhooks/:id":                     {auth.WebhookWrite, "/api/v1/webhooks/whe_gone", "", 404},
		"PATCH /api/v1/webhooks/:id":                   {auth.WebhookWrite, "/api/v1/webhooks/whe_gone", `{}`, 404},
		"DELETE /api/v1/webhooks/:id":                  {auth.WebhookWrite, "/api/v1/webhooks/whe_gone", "", 404},
		"GET /api/v1/webhooks/:id/deliveries":          {auth.WebhookWrite, "/api/v1/webhooks/whe_gone/deliveries", "", 404},
		"POST /api/v1/webhooks/:id/test":               {auth.WebhookWrite, "/api/v1/webhooks/whe_gone/test", "", 404},
		"GET /health":                                  {"", "/health", "", 200},
		"GET /healthz":                                 {"", "/healthz", "", 200},
		"GET /readyz":                                  {"", "/readyz", "", 200},
		"GET /metrics":                                 {"", "/metrics", "", 200},
		"GET /openapi.yaml":                            {"", "/openapi.yaml", "", 200},
		"GET /api/v1/system/public-keys":               {"", "/api/v1/system/public-keys", "", 200},

		"POST /api/v1/webhooks/:id/deliveries/:delivery/replay": {auth.WebhookWrite, "/api/v1/webhooks/whe_gone/deliveries/whd_gone/replay", "", 404},
	}
}

// strangers gives tokens that no route takes.
func (s *site) strangers(t *testing.T) map[string]string {
	revoked, revokedToken := s.issue(t, auth.Spec{})
	if err := s.Server.tokens.Revoke(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	soon := time.Now().Add(time.Minute)
	_, expired := s.issue(t, auth.Spec{ExpiresAt: &soon})
	s.skew.Store(int64(time.Hour))
	_, elsewhere := s.issue(t, auth.Spec{AllowedCIDRs: []string{"192.0.2.0/24"}})
	_, unknown := openSite(t).issue(t, auth.Spec{})
	return map[string]string{
		"missing":                     "",
		"mistyped":                    expired[:20] + "0" + expired[21:],
		"with two neighbours swapped": swapped(expired),
		"cut off":                     expired[:len(expired)-1],
		"too long":                    expired + "a",
		"no token at all":             "hello",
		"unknown":                     unknown,
		"revoked":                     revokedToken,
		"expired":                     expired,
		"from another network":        elsewhere,
	}
}

// swapped has two different characters of the secret swapped: what a hand does,
// and what the checksum is for.
func swapped(token string) string {
	text := []byte(token)
	for i := 20; ; i++ {
		if text[i] != text[i+1] {
			text[i], text[i+1] = text[i+1], text[i]
			return string(text)
		}
	}
}

// Each row of the route table, with every kind of token there is.
func TestEveryRouteAsksForItsScope(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	table := entries(s.ready(t, jsonExport).ID)
	strangers := s.strangers(t)
	known := s.lastEvent(t)
	for _, route := range s.routes() {
		for who, token := range strangers {
			if e, ok := table[route.method+" "+route.path]; ok && e.scope != "" {
				s.knock(t, who, route.method, e, token, false)
				if route.method == http.MethodGet {
					s.knock(t, who, http.MethodHead, e, token, false)
				}
			}
		}
	}
	events, err := s.Trail().After(t.Context(), known, 1000)
	if err != nil || slices.ContainsFunc(events, func(e audit.Event) bool { return e.Type != audit.LoginFailed }) {
		t.Errorf("strangers brought about %+v, %v; want nothing but failed logins", events, err)
	}
	for _, route := range s.routes() {
		name := route.method + " " + route.path
		e, ok := table[name]
		if !ok {
			t.Errorf("%s stands in the route table without an entry here", name)
			continue
		}
		delete(table, name)
		if route.scope != e.scope {
			t.Errorf("%s takes the scope %q, want %q", name, route.scope, e.scope)
		}
		if e.scope == "" {
			for who, token := range strangers { // public is public
				s.knock(t, who, route.method, e, token, true)
			}
		}
		for _, scope := range auth.Scopes() {
			s.knock(t, string(scope), route.method, e, s.token(t, scope), scope == e.scope || scope == auth.Admin)
		}
	}
	if len(table) > 0 {
		t.Errorf("entries without a route: %v", table)
	}
}

// knock asks for a route and checks that the right ones are let in.
func (s *site) knock(t *testing.T, who, method string, e entry, token string, may bool) {
	t.Helper()
	a := s.do(t, call{method: method, path: e.path, token: token, body: e.body, header: map[string]string{"Content-Type": "application/json"}})
	remember(t, a)
	known := slices.ContainsFunc(auth.Scopes(), func(scope auth.Scope) bool { return string(scope) == who })
	switch challenge := a.header.Get("WWW-Authenticate"); {
	case e.scope == "" || may:
		if a.status != e.status {
			t.Errorf("%s: %s; want status %d", who, a, e.status)
		}
	case method == http.MethodHead:
		if a.status != 401 {
			t.Errorf("%s: %s; want status 401", who, a)
		}
	case !known:
		a.want(t, 401, "UNAUTHORIZED")
		if want := (who == "missing"); strings.HasPrefix(challenge, "Bearer ") && strings.Contains(challenge, "invalid_token") == want {
			t.Errorf("%s: %s: WWW-Authenticate %q, names a bad token: %v", who, a, challenge, !want)
		}
	default:
		a.want(t, 403, "TOKEN_SCOPE_DENIED")
		if got, want := a.err(t).Detail, "requires "+string(e.scope); got != want {
			t.Errorf("%s: %s: detail %q, want %q", who, a, got, want)
		}
		if want := `scope="` + string(e.scope) + `"`; !strings.Contains(challenge, want) {
			t.Errorf("%s: %s: WWW-Authenticate %q, want one with %s", who, a, challenge, want)
		}
	}
}

// remember keeps a token that an answer shows, for the search of the logs.
func remember(t *testing.T, a answer) (id, token string) {
	t.Helper()
	if a.call.method != "POST" || a.call.path != "/api/v1/api-keys" || a.status != http.StatusCreated {
		return "", ""
	}
	var issued struct {
		Key   struct{ ID string } `json:"api_key"`
		Token string
	}
	a.into(t, http.StatusCreated, &issued)
	secrets.add(issued.Key.ID, issued.Token)
	return issued.Key.ID, issued.Token
}

// An unknown and a revoked token must not be told apart.
func TestUnknownAndRevokedLookAlike(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	strangers := s.strangers(t)
	var bodies []string
	for _, who := range []string{"unknown", "revoked"} {
		a := s.do(t, call{method: "GET", path: exportsPath, token: strangers[who]}).want(t, 401, "UNAUTHORIZED")
		bodies = append(bodies, a.err(t).Detail+a.header.Get("WWW-Authenticate"))
	}
	if bodies[0] != bodies[1] || !strings.Contains(bodies[0], "unknown or revoked") {
		t.Errorf("unknown: %q, revoked: %q; want the same", bodies[0], bodies[1])
	}
}

func TestReportReadDoesNotExport(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{exportsPath, exportsPath + "/rptx_x", exportsPath + "/rptx_x/download", exportsPath + "/rptx_x/bundle"} {
		s.do(t, call{method: "GET", path: path, token: s.token(t, auth.ReportRead)}).want(t, 403, "TOKEN_SCOPE_DENIED").detail(t, "requires report:export")
	}
}

// Schemes are matched without case (RFC 9110), and other schemes are no token.
func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.token(t, auth.Admin)
	for header, status := range map[string]int{
		"Bearer " + token: 200, "bearer " + token: 200, "BEARER  " + token + " ": 200,
		"Basic " + token: 401, token: 401, "Bearer": 401, "Bearer " + token + " x": 401, "Bearer\t" + token: 401,
	} {
		a := s.do(t, call{method: "GET", path: "/api/v1/api-keys", header: map[string]string{"Authorization": header}})
		if a.status != status {
			t.Errorf("Authorization %.10q…: status %d, want %d", header, a.status, status)
		}
	}
}

// The owner needs no token, and is named where a key's id stands otherwise.
func TestOwnerMayDoEverything(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	listener, dial := InProcess()
	s.serve(t, listener)
	owner := s.owned(dial)
	export := s.ready(t, jsonExport)
	for name, e := range entries(export.ID) {
		method, _, _ := strings.Cut(name, " ")
		a := owner.do(t, call{method: method, path: e.path, body: e.body, header: map[string]string{"Content-Type": "application/json"}})
		remember(t, a)
		if a.status != e.status {
			t.Errorf("as owner: %s; want status %d", a, e.status)
		}
	}
	var made exportData
	owner.do(t, call{method: "POST", path: exportsPath, body: jsonExport}).into(t, 201, &made)
	if made.CreatedBy != "owner" {
		t.Errorf("created_by = %q, want owner", made.CreatedBy)
	}
}

// A header can't make a request the owner's.
func TestNobodyElseIsOwner(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	owner, err := ListenOwner(s.opts.Data)
	if err != nil {
		t.Fatal(err)
	}
	s.serve(t, owner)
	s.do(t, call{method: "GET", path: exportsPath, header: map[string]string{"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=unix:"}}).want(t, 401, "UNAUTHORIZED")
	socket := s.owned(func(ctx context.Context) (net.Conn, error) { return DialOwner(ctx, s.opts.Data) })
	if a := socket.do(t, call{method: "GET", path: exportsPath}); a.status != 200 {
		t.Errorf("over the socket: %s; want status 200", a)
	}
}
