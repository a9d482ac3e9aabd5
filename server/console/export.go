package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"licensekit/exporter"
	"licensekit/exporter/report"
	"licensekit/server/client"
)

// exportPage is what the page of one export shows.
type exportPage struct {
	Export    exporter.Export
	Narrowing []fact
	Creator   string   // the name of the key that made it, or its id
	Preview   *preview // of a PDF that is ready
	Again     string   // the form that would freeze the same anew
	Commands  []command
}

// preview is a page of a PDF as a picture.
type preview struct {
	Number, Pages int
	Picture       string // URL
	Failure       *failure
}

// Earlier is the page before it, 0 for none.
func (p preview) Earlier() int { return p.Number - 1 }

// Later is the page behind it, 0 for none.
func (p preview) Later() int {
	if p.Number >= p.Pages {
		return 0
	}
	return p.Number + 1
}

// command is a line to paste into a terminal that does what the page does.
type command struct{ ID, Label, Line string }

// apiExport is the path of an export in the API.
func (v *visit) apiExport(rest string) string {
	return apiExportsPath + "/" + url.PathEscape(v.r.PathValue("id")) + rest
}

// showExport shows an export, and while it is made how far it is.
func (c *Console) showExport(v *visit) error {
	page := exportPage{}
	if _, err := v.call(http.MethodGet, v.apiExport(""), nil, nil, &page.Export); err != nil {
		return err
	}
	names, err := v.keyNames()
	if err != nil {
		return err
	}
	x := page.Export
	if page.Creator = names[x.CreatedBy]; page.Creator == "" {
		page.Creator = v.locale.label(x.CreatedBy)
	}
	page.Narrowing = v.locale.narrowing(x.Filters)
	page.Again = again(x)
	if x.Status == exporter.Ready && x.Format == "pdf" {
		if page.Preview, err = v.preview(); err != nil {
			return err
		}
	}
	page.Commands = v.commands(x)
	return v.show(http.StatusOK, "export", page)
}

// preview asks for the page of a PDF that the URL names, the first by default. The
// picture itself, and with it the event that it was viewed, is the browser's to ask
// for.
func (v *visit) preview() (*preview, error) {
	shown := &preview{Number: 1}
	if n, err := strconv.Atoi(v.r.URL.Query().Get("page")); err == nil && n > 0 {
		shown.Number = n
	}
	name := "/pages/" + strconv.Itoa(shown.Number) + ".png"
	resp, err := client.Within(inner{v}).Do(v.context(), client.Request{Method: http.MethodHead, Path: v.apiExport(name)})
	var refused *client.Error
	if errors.As(err, &refused) {
		shown.Failure = v.failureOf(err)
		return shown, nil
	}
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	shown.Pages, _ = strconv.Atoi(resp.Header.Get("Page-Count"))
	shown.Picture = exportsPath + "/" + url.PathEscape(v.r.PathValue("id")) + name
	return shown, nil
}

// again gives the form that would freeze an export like this one anew, "" where
// its period is not one of whole days, which is all that the form knows.
func again(x exporter.Export) string {
	query := filterValues(x.Filters)
	zone, err := x.Filters.Location()
	if err != nil {
		return ""
	}
	for name, bound := range map[string]*report.Instant{"from": x.Filters.From, "to": x.Filters.To} {
		query.Del(name)
		if bound == nil {
			continue
		}
		at := time.UnixMilli(int64(*bound)).In(zone)
		switch {
		case at.Format("15:04:05.000") != "00:00:00.000":
			return ""
		case name == "from":
			query.Set(firstDay, at.Format(time.DateOnly))
		default:
			query.Set(lastDay, at.AddDate(0, 0, -1).Format(time.DateOnly))
		}
	}
	if query.Has("time_zone") {
		query.Set(zoneName, query.Get("time_zone"))
		query.Del("time_zone")
	}
	query.Set("report_kind", string(x.Kind))
	query.Set("format", x.Format)
	return createPath + "?" + query.Encode()
}

// filterValues gives filters by their names.
func filterValues(f report.Filters) url.Values {
	text, err := report.CanonicalJSON(f)
	if err != nil {
		return nil // what the API answers with is normalised
	}
	var members map[string]any
	json.Unmarshal(text, &members) // it was just written
	values := url.Values{}
	for name, value := range members {
		switch value := value.(type) {
		case string:
			values.Set(name, value)
		case []any:
			for _, one := range value {
				values.Add(name, fmt.Sprint(one))
			}
		}
	}
	return values
}

// commands do over the API what the page does.
func (v *visit) commands(x exporter.Export) []command {
	scheme := "http"
	if v.r.TLS != nil {
		scheme = "https"
	}
	base := scheme + "://" + v.r.Host
	api := " --url " + base + " --token-file token.txt "
	id := string(x.ID)
	lines := []command{
		{"cli_make", v.locale.text("Freeze the same again"), "licensekit export create" + api + createFlags(x)},
		{"curl_make", v.locale.text("Freeze the same again, with curl"),
			`curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d ` + shellWord(createBody(x)) + " " + base + apiExportsPath},
	}
	if x.Status != exporter.Ready {
		return lines
	}
	return append([]command{
		{"cli_get", v.locale.text("Download"), "licensekit export download" + api + id},
		{"curl_get", v.locale.text("Download, with curl"), `curl -OJ -H "Authorization: Bearer $TOKEN" ` + base + x.DownloadURL},
		{"cli_verify", v.locale.text("Fetch the evidence and verify it"), "licensekit export bundle" + api + id + " && licensekit verify --key export.pub.pem " + id + ".lkbundle.zip"},
	}, lines...)
}

func createFlags(x exporter.Export) string {
	flags := "--kind " + string(x.Kind) + " --format " + x.Format
	values := filterValues(x.Filters)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		flags += " --filter " + shellWord(name+"="+strings.Join(values[name], ","))
	}
	return flags
}

func createBody(x exporter.Export) string {
	text, _ := json.Marshal(map[string]any{"report_kind": x.Kind, "format": x.Format, "filters": x.Filters}) // has a JSON form
	return string(text)
}

// shellWord quotes a text so that a shell takes it for one word.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r < 0x80 && (r == '_' || r == '-' || r == '.' || r == ',' || r == ':' || r == '/' || r == '=' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z')
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func (c *Console) downloadArtifact(v *visit) error { return v.passOn(v.apiExport("/download")) }

func (c *Console) downloadBundle(v *visit) error { return v.passOn(v.apiExport("/bundle")) }

func (c *Console) previewPage(v *visit) error {
	return v.passOn(v.apiExport("/pages/" + url.PathEscape(v.r.PathValue("page"))))
}
