package console

import (
	"net/http"

	"licensekit/auth"
)

// page is a row of the table of pages. Every GET page answers HEAD too.
type page struct {
	pattern string
	scope   auth.Scope // that its calls of the API take; "" for none
	handle  func(*visit) error
	public  bool // for those who have not signed in too
}

// pages is the whole console.
func (c *Console) pages() []page {
	return []page{
		{"GET " + home + "{$}", "", c.showOverview, false},
		{"GET " + signInPath, "", c.showSignIn, true},
		{"POST " + signInPath, "", c.signIn, true},
		{"POST /console/sign-out", "", c.signOut, true},

		{"GET " + exportsPath, auth.ReportExport, c.listExports, false},
		{"GET " + createPath, auth.ReportExport, c.showCreate, false},
		{"GET " + exportsPath + "/{id}", auth.ReportExport, c.showExport, false},
		{"GET " + exportsPath + "/{id}/download", auth.ReportExport, c.downloadArtifact, false},
		{"GET " + exportsPath + "/{id}/bundle", auth.ReportExport, c.downloadBundle, false},
		{"GET " + exportsPath + "/{id}/pages/{page}", auth.ReportExport, c.previewPage, false},
		{"GET " + exportsPath + "/{id}/verification", auth.ReportExport, c.verifyExport, false},
		{"GET " + exportsPath + "/{id}/comparison", auth.ReportExport, c.compareExports, false},
		{"POST " + exportsPath, auth.ReportExport, c.createExport, false},

		{"GET " + activitiesPath, auth.ReportRead, c.listActivities, false},
		{"GET " + activitiesPath + "/{sequence}", auth.ReportRead, c.showActivity, false},
		{"GET /console/pick/{field}", auth.ReportRead, c.pick, false},

		{"GET " + importPath, auth.ReportWrite, c.showImport, false},
		{"POST " + importPath, auth.ReportWrite, c.uploadFile, false},
		{"GET " + importPath + "/{id}", auth.ReportWrite, c.showMapping, false},
		{"POST " + importPath + "/{id}", auth.ReportWrite, c.importFile, false},
		{"GET " + importPath + "/{id}/result", auth.ReportWrite, c.showImported, false},
		{"GET " + importPath + "/{id}/bad-rows.csv", auth.ReportWrite, c.badRows, false},
		{"GET " + importPath + "/{id}/work", auth.ReportWrite, c.showWork, false},
		{"POST " + importPath + "/{id}/stop", auth.ReportWrite, c.stopWork, false},
		{"POST " + importPath + "/{id}/removal", auth.ReportWrite, c.dropUpload, false},

		{"GET " + tokensPath, auth.Admin, c.listTokens, false},
		{"GET " + newToken, auth.Admin, c.showTokenForm, false},
		{"POST " + tokensPath, auth.Admin, c.issueToken, false},
		{"GET " + tokensPath + "/{id}", auth.Admin, c.showToken, false},
		{"POST " + tokensPath + "/{id}/revocation", auth.Admin, c.revokeToken, false},

		{"GET " + schedulesPath, auth.ReportExport, c.listSchedules, false},
		{"POST " + schedulesPath, auth.ReportExport, c.createSchedule, false},
		{"GET " + schedulesPath + "/{id}", auth.ReportExport, c.showSchedule, false},
		{"POST " + schedulesPath + "/{id}/removal", auth.ReportExport, c.removeSchedule, false},

		{"GET " + webhooksPath, auth.WebhookWrite, c.listWebhooks, false},
		{"POST " + webhooksPath, auth.WebhookWrite, c.createWebhook, false},
		{"GET " + webhooksPath + "/{id}", auth.WebhookWrite, c.showWebhook, false},
		{"POST " + webhooksPath + "/{id}", auth.WebhookWrite, c.changeWebhook, false},

		{"GET " + eventsPath, auth.EventRead, c.listEvents, false},
		{"GET " + logPath, "", c.showLog, false},
		{"POST " + cosignedPath, auth.Admin, c.keepCosigned, false},
		{"GET " + rotationPath, auth.Admin, c.showRotation, false},
		{"POST " + rotationPath, auth.Admin, c.rotateKey, false},
		{"GET " + apiPath, "", c.showAPI, true},

		{home, "", c.notFound, true},
	}
}

// section is an entry of the navigation.
type section struct {
	Path, Label, Icon string
	scope             auth.Scope
}

// sections are what the navigation shows to those who have the scope.
var sections = []section{
	{home, "Overview", "overview", ""},
	{exportsPath, "Exports", "archive", auth.ReportExport},
	{schedulesPath, "Schedules", "clock", auth.ReportExport},
	{activitiesPath, "Activities", "activity", auth.ReportRead},
	{importPath, "Import", "import", auth.ReportWrite},
	{webhooksPath, "Webhooks", "hook", auth.WebhookWrite},
	{tokensPath, "Tokens", "token", auth.Admin},
	{eventsPath, "Audit trail", "events", auth.EventRead},
	{logPath, "Keys and log", "key", ""},
	{apiPath, "API", "api", ""},
}

// handle turns a page into a handler: who visits, may they, and what if not.
func (c *Console) handle(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		v := c.visit(w, r)
		err := v.admit(p)
		if err == nil {
			err = p.handle(v)
		}
		if err != nil {
			v.fail(err)
		}
	})
}

func (c *Console) notFound(v *visit) error {
	return &failure{Status: http.StatusNotFound, Code: "NOT_FOUND", Message: "there is no such page"}
}
