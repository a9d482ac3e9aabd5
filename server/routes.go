package server

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/julienschmidt/httprouter"

	"licensekit/auth"
	"licensekit/exporter/report"
)

// route is a row of the route table. Every GET route answers HEAD too.
type route struct {
	method, path string
	scope        auth.Scope // "" for a public route
	handle       func(http.ResponseWriter, *request) error
}

// request is a request with what the server knows of it.
type request struct {
	*http.Request
	params httprouter.Params
	from   netip.Addr // where the client is; the zero Addr if that is not known
	caller caller
}

// routes is the whole API.
func (s *Server) routes() []route {
	return []route{
		{"POST", "/api/v1/reports/exports", auth.ReportExport, s.createExport},
		{"GET", "/api/v1/reports/exports", auth.ReportExport, s.listExports},
		{"GET", "/api/v1/reports/exports/:id", auth.ReportExport, s.getExport},
		{"GET", "/api/v1/reports/exports/:id/download", auth.ReportExport, s.downloadArtifact},
		{"GET", "/api/v1/reports/exports/:id/bundle", auth.ReportExport, s.downloadBundle},
		{"GET", "/api/v1/reports/exports/:id/comparison", auth.ReportExport, s.compareExports},
		{"GET", "/api/v1/reports/exports/:id/verification", auth.ReportExport, s.verifyExport},
		{"GET", "/api/v1/reports/exports/:id/pages/:page", auth.ReportExport, s.previewPage},

		{"POST", "/api/v1/reports/estimate", auth.ReportExport, s.estimateExport},

		{"GET", "/api/v1/reports/usage-summary", auth.ReportRead, s.readReport(report.UsageSummary)},
		{"GET", "/api/v1/reports/usage-ledger", auth.ReportRead, s.readReport(report.UsageLedger)},
		{"GET", "/api/v1/reports/license-audit", auth.ReportRead, s.readReport(report.LicenseAudit)},
		{"GET", "/api/v1/reports/customer-summary", auth.ReportRead, s.readReport(report.CustomerSummary)},
		{"GET", "/api/v1/reports/subscription-settlement", auth.ReportRead, s.readReport(report.SubscriptionSettlement)},
		{"GET", "/api/v1/activities", auth.ReportRead, s.listActivities},
		{"POST", "/api/v1/activities", auth.ReportWrite, s.ingestActivities},
		{"GET", "/api/v1/records/:object", auth.ReportRead, s.listRecords},
		{"POST", "/api/v1/records/:object", auth.ReportWrite, s.ingestRecords},

		{"GET", "/api/v1/api-keys", auth.Admin, s.listKeys},
		{"POST", "/api/v1/api-keys", auth.Admin, s.issueKey},
		{"DELETE", "/api/v1/api-keys/:id", auth.Admin, s.revokeKey},

		{"GET", "/api/v1/events", auth.EventRead, s.listEvents},

		{"GET", "/api/v1/schedules", auth.ReportExport, s.listSchedules},
		{"POST", "/api/v1/schedules", auth.ReportExport, s.createSchedule},
		{"GET", "/api/v1/schedules/:id", auth.ReportExport, s.getSchedule},
		{"DELETE", "/api/v1/schedules/:id", auth.ReportExport, s.deleteSchedule},
		{"GET", "/api/v1/schedules/:id/runs", auth.ReportExport, s.listRuns},

		{"GET", "/api/v1/webhooks", auth.WebhookWrite, s.listWebhooks},
		{"POST", "/api/v1/webhooks", auth.WebhookWrite, s.createWebhook},
		{"GET", "/api/v1/webhooks/:id", auth.WebhookWrite, s.getWebhook},
		{"PATCH", "/api/v1/webhooks/:id", auth.WebhookWrite, s.updateWebhook},
		{"DELETE", "/api/v1/webhooks/:id", auth.WebhookWrite, s.deleteWebhook},
		{"GET", "/api/v1/webhooks/:id/deliveries", auth.WebhookWrite, s.listDeliveries},
		{"POST", "/api/v1/webhooks/:id/deliveries/:delivery/replay", auth.WebhookWrite, s.replayDelivery},
		{"POST", "/api/v1/webhooks/:id/test", auth.WebhookWrite, s.testWebhook},

		{"GET", "/api/v1/log/checkpoint", "", s.logCheckpoint},
		{"GET", "/api/v1/log/tile/:level/*index", "", s.logTile}, // but for entries, which take report:export
		{"GET", "/api/v1/log/consistency", "", s.logConsistency},
		{"GET", "/api/v1/log/proof/:index", auth.ReportExport, s.logProof},
		{"GET", "/api/v1/log/cosigned", "", s.logCosigned},
		{"POST", "/api/v1/log/cosigned", auth.Admin, s.keepCosigned},
		{"GET", "/api/v1/log/cosignatures", "", s.listCosigned},
		{"GET", "/api/v1/logs", "", s.listLogs},
		{"GET", "/api/v1/logs/:log/checkpoint", "", s.logCheckpoint},
		{"GET", "/api/v1/logs/:log/tile/:level/*index", "", s.logTile},
		{"GET", "/api/v1/logs/:log/consistency", "", s.logConsistency},
		{"GET", "/api/v1/logs/:log/proof/:index", auth.ReportExport, s.logProof},
		{"GET", "/api/v1/logs/:log/cosigned", "", s.logCosigned},
		{"GET", "/api/v1/logs/:log/cosignatures", "", s.listCosigned},

		{"POST", "/api/v1/system/keys/rotate", auth.Admin, s.rotateKey},
		{"GET", "/api/v1/system/check", auth.Admin, s.checkAll},
		{"POST", "/api/v1/system/backups", auth.Admin, s.recordBackup},
		{"GET", "/health", "", s.health},
		{"GET", "/healthz", "", s.health},
		{"GET", "/readyz", "", s.ready},
		{"GET", metricsPath, "", s.metricsPage},
		{"GET", "/openapi.yaml", "", s.describeAPI},
		{"GET", "/api/v1/system/public-keys", "", s.publicKeys},
	}
}

func (s *Server) newRouter() *httprouter.Router {
	router := &httprouter.Router{
		HandleMethodNotAllowed: true,
		NotFound:               http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, errNoRoute) }),
		MethodNotAllowed:       http.HandlerFunc(s.methodNotAllowed),
	}
	for _, route := range s.routes() {
		router.Handle(route.method, route.path, s.handle(route))
		if route.method == http.MethodGet {
			router.Handle(http.MethodHead, route.path, s.handle(route))
		}
	}
	return router
}

var errNoRoute = &problem{status: http.StatusNotFound, code: "NOT_FOUND", message: "there is no such route"}

// reachable tells whether a route is one of the listener that the request came
// by. Errors: errNoRoute.
func (s *Server) reachable(ctx context.Context, route route) error {
	apart := route.path == metricsPath && s.opts.MetricsApart && ctx.Value(ownerKey{}) == nil
	if isScrape(ctx) && !slices.Contains(scrapePaths, route.path) || !isScrape(ctx) && apart {
		return errNoRoute
	}
	return nil
}

// methodNotAllowed answers where a path has other methods. The router counts
// OPTIONS among them, which no route answers.
func (s *Server) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	allowed := slices.DeleteFunc(strings.Split(w.Header().Get("Allow"), ", "), func(method string) bool { return method == http.MethodOptions })
	allow := strings.Join(allowed, ", ")
	s.fail(w, r, &problem{status: http.StatusMethodNotAllowed, code: "METHOD_NOT_ALLOWED",
		message: r.Method + " is not allowed here", detail: "allowed: " + allow, header: map[string]string{"Allow": allow}})
}

// handle turns a route into a handler: who calls, may they, and what if not.
func (s *Server) handle(route route) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
		setRoute(w, route.path)
		req := &request{Request: r, params: params, from: clientOf(r.Context())}
		err := s.reachable(r.Context(), route)
		if err == nil {
			err = s.authorize(w, req, route.scope)
		}
		if err == nil {
			err = route.handle(w, req)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	}
}
