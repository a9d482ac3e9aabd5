package server

import (
	"net/http"

	"github.com/julienschmidt/httprouter"

	"licensekit/auth"
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

		{"POST", "/api/v1/activities", auth.ReportWrite, s.ingestActivities},
		{"POST", "/api/v1/records/:object", auth.ReportWrite, s.ingestRecords},

		{"GET", "/api/v1/api-keys", auth.Admin, s.listKeys},
		{"POST", "/api/v1/api-keys", auth.Admin, s.issueKey},
		{"DELETE", "/api/v1/api-keys/:id", auth.Admin, s.revokeKey},

		{"GET", "/health", "", s.health},
		{"GET", "/healthz", "", s.health},
		{"GET", "/readyz", "", s.ready},
		{"GET", "/metrics", "", s.metricsPage},
		{"GET", "/api/v1/system/public-keys", "", s.publicKeys},
	}
}

func (s *Server) newRouter() *httprouter.Router {
	router := &httprouter.Router{
		HandleMethodNotAllowed: true,
		NotFound: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.fail(w, r, &problem{status: http.StatusNotFound, code: "NOT_FOUND", message: "there is no such route"})
		}),
		MethodNotAllowed: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.fail(w, r, &problem{status: http.StatusMethodNotAllowed, code: "METHOD_NOT_ALLOWED",
				message: r.Method + " is not allowed here", detail: "allowed: " + w.Header().Get("Allow")})
		}),
	}
	for _, route := range s.routes() {
		router.Handle(route.method, route.path, s.handle(route))
		if route.method == http.MethodGet {
			router.Handle(http.MethodHead, route.path, s.handle(route))
		}
	}
	return router
}

// handle turns a route into a handler: who calls, may they, and what if not.
func (s *Server) handle(route route) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
		req := &request{Request: r, params: params}
		err := s.authorize(w, req, route.scope)
		if err == nil {
			err = route.handle(w, req)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	}
}
