package console

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"licensekit/exporter/ledger/intake"
	"licensekit/exporter/report"
)

const importPath = "/console/import"

// importForm is what the page shows that takes files.
type importForm struct {
	Objects []string
	Object  string
	Failure *failure
}

func newImportForm(object string) importForm {
	form := importForm{Objects: []string{intake.Activities}, Object: object}
	for _, o := range report.Objects {
		form.Objects = append(form.Objects, string(o))
	}
	if !slices.Contains(form.Objects, object) {
		form.Object = intake.Activities
	}
	return form
}

func (c *Console) showImport(v *visit) error {
	return v.show(http.StatusOK, "import", newImportForm(v.r.URL.Query().Get("object")))
}

// uploadFile keeps the file of a form, as a stream, and leads to its preview.
// The fields stand in front of the file, the session's secret first.
func (c *Console) uploadFile(v *visit) error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxUpload)
	parts, err := v.r.MultipartReader()
	if err != nil {
		return &failure{Status: http.StatusBadRequest, Code: "INVALID_FORM", Message: "the form can't be read", Detail: err.Error()}
	}
	fields := url.Values{}
	for {
		part, err := parts.NextPart()
		switch {
		case err == io.EOF:
			return v.refuseUpload(fields, &failure{Status: http.StatusUnprocessableEntity, Code: "VALIDATION_ERROR", Message: "no file was chosen"})
		case err != nil:
			return v.refuseUpload(fields, arrival(err))
		case part.FileName() == "":
			value, err := io.ReadAll(io.LimitReader(part, 4096))
			if err != nil {
				return err
			}
			fields.Set(part.FormName(), string(value))
			continue
		case !v.session.owns(fields.Get(csrfField)):
			return errForged
		}
		u, err := c.keep(v, fields, part)
		if err != nil {
			return v.refuseUpload(fields, arrival(err))
		}
		return v.redirect(importPath + "/" + u.id)
	}
}

// arrival says what a body that can't be read to its end is told to be.
func arrival(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), strings.HasPrefix(err.Error(), "multipart: "):
		return &failure{Status: http.StatusBadRequest, Code: "INCOMPLETE_BODY", Message: "the file did not arrive whole", Detail: err.Error()}
	}
	return err
}

// refuseUpload shows the form again with what is wrong with the file.
func (v *visit) refuseUpload(fields url.Values, err error) error {
	if !v.session.owns(fields.Get(csrfField)) {
		return errForged
	}
	form := newImportForm(fields.Get("object"))
	form.Failure = v.failureOf(err)
	return v.show(form.Failure.Status, "import", form)
}

func (c *Console) keep(v *visit, fields url.Values, part *multipart.Part) (*upload, error) {
	u := &upload{Name: baseName(part.FileName()), Object: newImportForm(fields.Get("object")).Object}
	format, err := intake.FormatOf("", u.Name)
	if err != nil {
		return nil, &failure{Status: http.StatusUnsupportedMediaType, Code: "UNSUPPORTED_MEDIA_TYPE", Message: "this kind of file is not read", Detail: err.Error()}
	}
	u.Format, u.Packed = format, strings.HasSuffix(strings.ToLower(u.Name), ".gz")
	return u, c.uploads.take(v.session, u, part)
}

// errNoUpload says that a file is there no longer.
var errNoUpload = &failure{Status: http.StatusNotFound, Code: "UPLOAD_GONE", Message: "the file is here no longer", Detail: "it is kept for three hours, and a session keeps its last three"}

func (v *visit) upload() (*upload, error) {
	if u := v.console.uploads.find(v.session, v.r.PathValue("id")); u != nil {
		return u, nil
	}
	return nil, errNoUpload
}

// mappingPage is what the page shows that says how a file is to be read.
type mappingPage struct {
	Upload  *upload
	ID      string
	Preview *intake.Preview
	Columns []mappedColumn
	Missing []intake.PreviewField // required, and without a value
	Others  []intake.PreviewField // without a value
	Reading reading
	Failure *failure  // why it would not be read
	Formats []string  // of dates
	Result  *imported // of the last import
}

// mappedColumn is a column with what it holds and what it is read into.
type mappedColumn struct {
	Name    string
	Field   string   // "" for none
	Fixed   bool     // its name is that of a field, so it is read unless another column is
	Samples []string // of the first rows
}

// dateFormats are those that are offered; the API takes any.
var dateFormats = []string{"YYYY-MM-DD", "YYYY-MM-DD HH:mm:ss", "DD.MM.YYYY", "DD.MM.YYYY HH:mm", "DD-MM-YYYY", "DD/MM/YYYY", "MM/DD/YYYY", "unix", "unix_ms"}

// showMapping shows the first rows of a file, and what would become of them.
// The first time it leads to its own guess, so that all of it is in the URL.
func (c *Console) showMapping(v *visit) error {
	u, err := v.upload()
	if err != nil {
		return err
	}
	how := readingOf(v.r.URL.Query())
	preview, err := c.preview(v, u, how)
	if err != nil {
		return err
	}
	if v.r.URL.RawQuery == "" {
		if how.Delimiter = guessedDelimiter(preview, u.Format); how.Delimiter != "" {
			if preview, err = c.preview(v, u, how); err != nil {
				return err
			}
		}
		if how.Map = guessedMap(preview); how.Map != nil {
			return v.redirect(u.mapping(how))
		}
	}
	page := mappingPage{Upload: u, ID: u.id, Preview: preview, Reading: how, Formats: dateFormats}
	for i, column := range preview.Columns {
		shown := mappedColumn{Name: column.Name, Field: strings.Join(column.Fields, ", ")}
		for _, f := range preview.Fields {
			shown.Fixed = shown.Fixed || f.Name == column.Name
		}
		for _, row := range preview.Rows {
			if i < len(row) && len(shown.Samples) < 3 {
				shown.Samples = append(shown.Samples, row[i])
			}
		}
		page.Columns = append(page.Columns, shown)
	}
	for _, f := range preview.Fields {
		_, set := how.Set[f.Name]
		switch {
		case f.Required && (!f.Given || set):
			page.Missing = append(page.Missing, f)
		case !f.Given || set:
			page.Others = append(page.Others, f)
		}
	}
	if p := preview.Problem; p != nil {
		page.Failure = &failure{Status: http.StatusUnprocessableEntity, Code: p.Code, Message: p.Error()}
		if p.Code == intake.CodeMissingField { // the hint is one for commands
			page.Failure.Message = p.Field + " " + p.Message
		}
	}
	u.mu.Lock()
	page.Result = u.result
	u.mu.Unlock()
	return v.show(http.StatusOK, "mapping", page)
}

// preview reads the first rows. It is the one thing that the console does on
// its own: the API has no answer of that kind.
func (c *Console) preview(v *visit, u *upload, how reading) (*intake.Preview, error) {
	file, err := u.open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := u.unpacked(file)
	if err != nil {
		return nil, &failure{Status: http.StatusUnprocessableEntity, Code: intake.CodeMalformedFile, Message: "the file can't be unpacked", Detail: err.Error()}
	}
	const rows = 8
	preview, err := intake.ReadPreview(v.r.Context(), content, how.options(u, c.api.Tmp()), rows)
	var broken *intake.FileError
	if errors.As(err, &broken) {
		return nil, &failure{Status: http.StatusUnprocessableEntity, Code: broken.Code, Message: broken.Error()}
	}
	return preview, err
}

// dropUpload lets go of a file.
func (c *Console) dropUpload(v *visit) error {
	if _, err := v.form(); err != nil {
		return err
	}
	u, err := v.upload()
	if err != nil {
		return err
	}
	c.uploads.drop(u)
	return v.redirect(importPath)
}
