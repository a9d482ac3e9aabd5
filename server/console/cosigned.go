package console

import (
	"errors"
	"io"
	"net/http"
	"strings"
)

const (
	cosignedPath    = logPath + "/cosigned"
	apiCosignedPath = "/api/v1/log/cosigned"
)

// keepCosigned takes the file that a witness has brought back, and shows what
// is kept of it.
func (c *Console) keepCosigned(v *visit) error {
	checkpoint, witnesses, err := v.cosignedForm()
	if err != nil {
		return err
	}
	var kept cosigned
	_, err = v.call(http.MethodPost, apiCosignedPath, nil, map[string]any{"checkpoint": checkpoint, "witnesses": keysIn(witnesses)}, &kept)
	page, pageErr := v.logPage() // with what was kept
	if pageErr != nil {
		return pageErr
	}
	if err != nil {
		page.Given, page.Failure = witnesses, v.failureOf(err)
		return v.show(page.Failure.Status, "log", page)
	}
	page.Kept = &kept
	return v.show(http.StatusOK, "log", page)
}

// cosignedForm reads the form, which has a file in it.
func (v *visit) cosignedForm() (checkpoint, witnesses string, err error) {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	err = v.r.ParseMultipartForm(maxForm)
	if errors.Is(err, http.ErrNotMultipart) {
		return "", "", &failure{Status: http.StatusBadRequest, Code: "INVALID_FORM", Message: "the form can't be read", Detail: err.Error()}
	}
	if err != nil {
		return "", "", arrival(err)
	}
	defer v.r.MultipartForm.RemoveAll()
	if !v.session.owns(v.r.PostFormValue(csrfField)) {
		return "", "", errForged
	}
	file, _, err := v.r.FormFile("checkpoint")
	if err != nil {
		return "", "", &failure{Status: http.StatusUnprocessableEntity, Code: "VALIDATION_ERROR", Message: "no file was chosen"}
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	return string(text), v.r.PostFormValue("witnesses"), err
}

// keysIn gives verifier keys, one a line.
func keysIn(text string) []string {
	keys := []string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			keys = append(keys, line)
		}
	}
	return keys
}
