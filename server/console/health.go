package console

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"licensekit/auth"
	"licensekit/exporter"
	"licensekit/exporter/audit"
)

// vital is a sign of how the store is.
type vital struct {
	Label  string
	Value  template.HTML // escaped
	Status string        // "good", "warn", "bad" or "" for what is neither
	URL    string        // of the page that tells more, "" for none
}

// health looks at the store as far as the key may.
func (v *visit) health() (vitals []vital, err error) {
	ready, err := v.readiness()
	if err != nil {
		return nil, err
	}
	vitals = append(vitals, ready)
	var logs []logFacts
	if _, err := v.call(http.MethodGet, apiLogsPath, nil, nil, &logs); err != nil {
		return nil, err
	}
	if len(logs) > 0 {
		vitals = append(vitals, vital{Label: v.locale.text("Log of exports"), Value: escaped(v.locale.text("%d entries", logs[len(logs)-1].Size)), URL: logPath})
	}
	if v.key.Allows(auth.ReportExport) {
		waiting, err := v.waiting()
		if err != nil {
			return nil, err
		}
		vitals = append(vitals, waiting)
	}
	if v.key.Allows(auth.EventRead) {
		for _, told := range []func() (vital, error){v.lastCheck, v.lastBackup, v.lastStart} {
			one, err := told()
			if err != nil {
				return nil, err
			}
			vitals = append(vitals, one)
		}
	}
	return vitals, nil
}

func escaped(text string) template.HTML { return template.HTML(template.HTMLEscapeString(text)) }

// readiness says whether the server can do all of its work, and if not why, in
// the API's words.
func (v *visit) readiness() (vital, error) {
	shown := vital{Label: v.locale.text("Server"), Value: escaped(v.locale.text("ready")), Status: "good"}
	reasons, err := v.unready()
	if err != nil || len(reasons) == 0 {
		return shown, err
	}
	said := []string{v.locale.text("not ready")}
	for _, reason := range reasons {
		said = append(said, reason.Message)
	}
	shown.Value, shown.Status = escaped(strings.Join(said, ": ")), "bad"
	return shown, nil
}

// reason is one for which the server can't do all of its work.
type reason struct{ Code, Message string }

// unready gives the reasons, none if it can.
func (v *visit) unready() ([]reason, error) {
	r, err := http.NewRequestWithContext(v.context(), http.MethodGet, "/readyz", nil)
	if err != nil {
		return nil, err
	}
	w := &held{header: http.Header{}}
	inner{v}.ServeHTTP(w, r)
	if w.status == http.StatusOK {
		return nil, nil
	}
	var body struct {
		Data struct{ Reasons []reason }
	}
	err = json.Unmarshal(w.body.Bytes(), &body)
	return body.Data.Reasons, err
}

// held is an answer in memory, whatever its status.
type held struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *held) Header() http.Header         { return w.header }
func (w *held) WriteHeader(status int)      { w.status = status }
func (w *held) Write(p []byte) (int, error) { return w.body.Write(p) }

// waiting counts the exports that are not finished.
func (v *visit) waiting() (vital, error) {
	n, more := 0, false
	for _, status := range []exporter.Status{exporter.Pending, exporter.Processing} {
		var list []exporter.Export
		page, err := v.call(http.MethodGet, apiExportsPath, url.Values{"limit": {"200"}, "status": {string(status)}}, nil, &list)
		if err != nil {
			return vital{}, err
		}
		n, more = n+len(list), more || page.NextCursor != nil
	}
	said := v.locale.text("%d waiting", n)
	if more {
		said = v.locale.text("more than %d waiting", n)
	}
	return vital{Label: v.locale.text("Exports"), Value: escaped(said), URL: exportsPath}, nil
}

// newest is the newest event of a type, nil if there is none.
func (v *visit) newest(what audit.Type) (*audit.Event, error) {
	var events []audit.Event
	_, err := v.call(http.MethodGet, apiEventsPath, url.Values{"event_type": {string(what)}, "limit": {"1"}}, nil, &events)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	return &events[0], nil
}

// lastCheck tells what the last check of the whole directory found.
func (v *visit) lastCheck() (vital, error) {
	shown := vital{Label: v.locale.text("Last check"), Value: escaped(v.locale.text("none yet")), URL: eventsPath + "?event_type=" + string(audit.DirectoryChecked)}
	e, err := v.newest(audit.DirectoryChecked)
	if err != nil || e == nil {
		return shown, err
	}
	shown.Value, shown.Status = v.locale.instant(e.CreatedAt), "good"
	if e.Metadata["ok"] != true {
		problems, _ := e.Metadata["problems"].(float64)
		shown.Value, shown.Status = shown.Value+escaped(", "+v.locale.text("%d problems", int64(problems))), "bad"
	}
	return shown, nil
}

// lastBackup tells when the last backup was made. One that another tool made is
// known if the server was told.
func (v *visit) lastBackup() (vital, error) {
	shown := vital{Label: v.locale.text("Last backup"), Value: escaped(v.locale.text("none that the server was told of"))}
	e, err := v.newest(audit.DirectoryBackedUp)
	if err != nil || e == nil {
		return shown, err
	}
	const old = 7 * 24 * time.Hour
	shown.Value, shown.Status, shown.URL = v.locale.instant(e.CreatedAt), "good", eventsPath+"?event_type="+string(audit.DirectoryBackedUp)
	if v.console.opts.Now().Sub(e.CreatedAt) > old {
		shown.Status = "warn"
	}
	if damaged, _ := e.Metadata["damaged"].(float64); damaged > 0 {
		shown.Value, shown.Status = shown.Value+escaped(", "+v.locale.text("%d damaged", int64(damaged))), "bad"
	}
	return shown, nil
}

func (v *visit) lastStart() (vital, error) {
	shown := vital{Label: v.locale.text("Running since")}
	e, err := v.newest(audit.ServerStarted)
	if err == nil && e != nil {
		shown.Value = v.locale.instant(e.CreatedAt)
	}
	return shown, err
}
