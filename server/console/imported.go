package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"licensekit/exporter/ledger/intake"
	"licensekit/exporter/rfc4180"
	"licensekit/server/client"
)

// imported is what came of an import.
type imported struct {
	Mode    string // "dry_run", "atomic" or "batches"
	Reading reading
	Result  intake.Result
	Failure *failure // why it ended early; nil if it did not
}

// Rows is how many rows it came to.
func (i *imported) Rows() int64 { return i.Result.Rows() }

// Bad is how many of them did not go in.
func (i *imported) Bad() int64 { return i.Result.Conflicts + i.Result.Rejected }

// Stored tells whether anything could be stored.
func (i *imported) Stored() bool { return i.Mode != "dry_run" }

// resultPage is what the page of an import shows.
type resultPage struct {
	Upload   *upload
	ID       string
	Import   *imported
	Back     string // the mapping
	Settings url.Values
	Shown    []intake.RowError
}

// importFile sends a file to the API, whose answer is kept with the file.
func (c *Console) importFile(v *visit) error {
	form, err := v.form()
	if err != nil {
		return err
	}
	u, err := v.upload()
	if err != nil {
		return err
	}
	how := readingOf(form)
	if mode := form.Get("mode"); mode == "" || mode == "show" {
		return v.redirect(u.mapping(how))
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	done := &imported{Mode: form.Get("mode"), Reading: how}
	if err := v.send(u, done); err != nil {
		return err
	}
	u.result = done
	return v.redirect(importPath + "/" + u.id + "/result")
}

// send lets the API read the file. What it refuses is in the result.
func (v *visit) send(u *upload, done *imported) error {
	file, err := u.open()
	if err != nil {
		return err
	}
	defer file.Close()
	reading := &work{file: file}
	u.work.Store(reading)
	defer u.work.Store(nil)
	request := client.Request{
		Method: http.MethodPost, Path: apiActivitiesPath, Query: done.Reading.query(), Body: reading,
		Header: http.Header{"Content-Type": {u.Format.ContentType()}},
	}
	if u.Object != intake.Activities {
		request.Path = "/api/v1/records/" + u.Object
	}
	if u.Packed {
		request.Header.Set("Content-Encoding", "gzip")
	}
	request.Query.Set("file_name", u.Name)
	switch done.Mode {
	case "dry_run", "atomic":
		request.Query.Set(done.Mode, "true")
	default:
		done.Mode = "batches"
	}
	err = v.do(request, &done.Result)
	var refused *client.Error
	if !errors.As(err, &refused) {
		return err
	}
	if done.Failure = v.failureOf(refused); reading.stopped.Load() {
		done.Failure = &failure{Status: refused.Status, Code: "STOPPED", Message: errStopped.Error()}
	}
	if len(refused.Result) > 0 {
		return json.Unmarshal(refused.Result, &done.Result)
	}
	return nil
}

// imported gives what came of a file's last import.
func (v *visit) imported() (*upload, *imported, error) {
	u, err := v.upload()
	if err != nil {
		return nil, nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.result == nil {
		return nil, nil, &failure{Status: http.StatusNotFound, Code: "NOT_FOUND", Message: "the file was not imported yet"}
	}
	return u, u.result, nil
}

// showImported shows what came of an import.
func (c *Console) showImported(v *visit) error {
	u, done, err := v.imported()
	if err != nil {
		return err
	}
	const most = 50
	return v.show(http.StatusOK, "imported", resultPage{
		Upload: u, ID: u.id, Import: done, Settings: done.Reading.settings(), Back: u.mapping(done.Reading),
		Shown: done.Result.Errors[:min(most, len(done.Result.Errors))],
	})
}

// badRows sends the rows that did not go in as CSV.
func (c *Console) badRows(v *visit) error {
	u, done, err := v.imported()
	if err != nil {
		return err
	}
	text := rfc4180.AppendRecord(nil, "line", "element", "field", "code", "message")
	for _, e := range done.Result.Errors {
		element := ""
		if e.Element > 0 {
			element = strconv.FormatInt(e.Element, 10)
		}
		text = rfc4180.AppendRecord(text, strconv.FormatInt(e.Line, 10), element, e.Field, e.Code, e.Message)
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(u.Name+" bad rows.csv"))
	h.Set("Content-Length", strconv.Itoa(len(text)))
	v.w.Write(text) // the client is gone if this fails, and the log has the status
	return nil
}
