package console

import (
	"bytes"
	"encoding/json"
	"net/http"

	"licensekit/exporter/evidence"
	"licensekit/server/client"
)

// verifyExport lets the server verify an export, and shows each step as it
// ends: the page comes piece by piece.
func (c *Console) verifyExport(v *visit) error {
	out := &stepPage{visit: v, id: v.r.PathValue("id")}
	r, err := http.NewRequestWithContext(v.context(), http.MethodGet, v.apiExport("/verification"), nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/x-ndjson")
	inner{v}.ServeHTTP(out, r)
	return out.end()
}

// stepPage turns the API's stream of steps into a page that grows.
type stepPage struct {
	visit  *visit
	id     string
	header http.Header
	status int
	rest   bytes.Buffer // of a line that has not ended, or of an error
	result evidence.Result
	err    error
}

func (p *stepPage) Header() http.Header {
	if p.header == nil {
		p.header = http.Header{}
	}
	return p.header
}

// WriteHeader begins the page, unless there is an error to show in its place.
func (p *stepPage) WriteHeader(status int) {
	if p.status == 0 {
		p.status = status
		if status < 400 {
			p.visit.begin(http.StatusOK)
			p.put("top", p.visit.frame(p.id))
			p.put("opening", p.id)
		}
	}
}

// Write takes lines as they come.
func (p *stepPage) Write(text []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	p.rest.Write(text)
	if p.status >= 400 {
		return len(text), nil
	}
	for {
		line, err := p.rest.ReadBytes('\n')
		if err != nil {
			p.rest.Write(line)
			return len(text), p.err
		}
		p.take(line)
	}
}

// FlushError lets the API have its say to the browser at once.
func (p *stepPage) FlushError() error {
	return http.NewResponseController(p.visit.w).Flush()
}

// take shows a step, or keeps the result.
func (p *stepPage) take(line []byte) {
	var step evidence.Step
	if json.Unmarshal(line, &step) == nil && step.Number > 0 {
		p.put("step", step)
		return
	}
	if err := json.Unmarshal(line, &p.result); err != nil {
		p.err = err
	}
}

// put sends a part of the page, unless one before it could not be sent.
func (p *stepPage) put(part string, data any) {
	if p.err == nil {
		p.err = p.visit.put("verification", part, data)
	}
}

// end closes the page with the verdict, or gives the error that came in place
// of the page.
func (p *stepPage) end() error {
	if p.status >= 400 {
		return refusalOf(p.status, p.rest.Bytes())
	}
	p.put("verdict", p.result)
	p.put("bottom", p.visit.frame(nil))
	if p.err != nil {
		p.visit.console.opts.Log.Info("verification page cut off", "path", p.visit.r.URL.Path, "error", p.err)
	}
	return nil
}

// refusalOf reads the API's error.
func refusalOf(status int, text []byte) error {
	var body struct {
		Error client.Error `json:"error"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		return err
	}
	body.Error.Status = status
	return &body.Error
}
