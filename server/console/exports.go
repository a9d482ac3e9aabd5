package console

import (
	"net/http"
	"net/url"
	"strconv"

	"licensekit/auth"
	"licensekit/exporter"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

const (
	exportsPath    = "/console/exports"
	apiExportsPath = "/api/v1/reports/exports"
)

// exportFilters are the parameters of the list, which are those of the API's.
var exportFilters = []string{"report_kind", "format", "status", "created_by"}

// exportList is what the page of exports shows.
type exportList struct {
	Filter   url.Values // as the page's URL has it
	Kinds    []string
	Formats  []string
	Statuses []exporter.Status
	Creators map[string]string // names of API keys by id, for those who may see them
	Exports  []exporter.Export
	Running  bool   // some of them are not finished
	Older    string // the following page's URL, "" on the last
	Newest   string // the first page's URL, "" on it
}

// listExports shows exports, newest first. The filter is in the URL.
func (c *Console) listExports(v *visit) error {
	query := v.query(append(exportFilters, "cursor")...)
	list := exportList{Filter: query, Kinds: report.KindNames(), Formats: render.Names(), Statuses: exporter.Statuses}
	ask := url.Values{"limit": {"25"}}
	for name := range query {
		ask.Set(name, query.Get(name))
	}
	page, err := v.call(http.MethodGet, apiExportsPath, ask, nil, &list.Exports)
	if err != nil {
		return err
	}
	if page.NextCursor != nil {
		list.Older = with(exportsPath, query, "cursor", strconv.FormatInt(*page.NextCursor, 10))
	}
	if query.Has("cursor") {
		list.Newest = with(exportsPath, query, "cursor", "")
	}
	for _, x := range list.Exports {
		list.Running = list.Running || !x.Status.Final()
	}
	if list.Creators, err = v.keyNames(); err != nil {
		return err
	}
	return v.show(http.StatusOK, "exports", list)
}

// Filtered tells whether the list is narrowed.
func (l exportList) Filtered() bool {
	for _, name := range exportFilters {
		if l.Filter.Has(name) {
			return true
		}
	}
	return false
}

// query gives the named parameters of the page's URL that hold something: a
// form sends empty ones for what was not chosen.
func (v *visit) query(names ...string) url.Values {
	given, kept := v.r.URL.Query(), url.Values{}
	for _, name := range names {
		if value := given.Get(name); value != "" {
			kept.Set(name, value)
		}
	}
	return kept
}

// with gives a URL with one parameter changed; "" takes it out.
func with(path string, query url.Values, name, value string) string {
	changed := url.Values{}
	for n, values := range query {
		changed[n] = values
	}
	changed.Del(name)
	if value != "" {
		changed.Set(name, value)
	}
	if len(changed) == 0 {
		return path
	}
	return path + "?" + changed.Encode()
}

// keyNames gives the names of API keys by their ids to those who may see them,
// and none to others.
func (v *visit) keyNames() (map[string]string, error) {
	names := map[string]string{v.key.ID: v.key.Name}
	if !v.key.Allows(auth.Admin) {
		return names, nil
	}
	var keys []auth.Key
	_, err := v.call(http.MethodGet, "/api/v1/api-keys", nil, nil, &keys)
	for _, k := range keys {
		names[k.ID] = k.Name
	}
	return names, err
}
