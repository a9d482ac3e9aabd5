package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"licensekit/exporter/report"
	"licensekit/exporter/rfc4180"
)

// readCSV reads a table whose first record is the header. A record with the
// wrong number of fields or broken quotes is one rejected row.
func readCSV(in *source, w *writer) error {
	text, err := in.text()
	if err != nil {
		return err
	}
	if c := w.options.Delimiter; c >= 0x80 || c == '"' || c == '\r' || c == '\n' {
		return &FileError{Field: "delimiter", Code: CodeInvalidOption, Message: fmt.Sprintf("%q can't separate columns", c)}
	}
	r := rfc4180.NewReader(text, rfc4180.Options{Delimiter: w.options.Delimiter, MaxRecord: w.limits.RowBytes})
	bindings, err := csvHeader(in, r, w.plan)
	if err != nil {
		return err
	}
	before := r.InputOffset()
	for {
		record, err := r.Read()
		line := int64(r.Line())
		size := int(r.InputOffset() - before)
		before += int64(size)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			err = w.faulty(line, err)
		default:
			w.start()
			err = w.end(line, size, w.fill(record, bindings))
		}
		if err != nil {
			return err
		}
	}
}

// faulty rejects a record that could not be read, if reading goes on.
func (w *writer) faulty(line int64, err error) error {
	var malformed *rfc4180.SyntaxError
	if !errors.As(err, &malformed) {
		return w.source.broken(errors.Unwrap(err))
	}
	return w.reject(line, malformedCSV(malformed))
}

// fill takes a record's values over, up to the first that is wrong.
func (w *writer) fill(record [][]byte, bindings []binding) *fault {
	for _, b := range bindings {
		text := record[b.column]
		if b.field < 0 {
			if len(text) > 0 {
				return faultf(CodeMalformedRow, "has %s in column %d, which has no name", quote(text), b.column+1)
			}
			continue
		}
		if bad := w.put(b.field, cell{plainText, text}); bad != nil {
			return bad
		}
	}
	return nil
}

func csvHeader(in *source, r *rfc4180.Reader, p *plan) ([]binding, error) {
	record, err := r.Read()
	line := int64(r.Line())
	var malformed *rfc4180.SyntaxError
	switch {
	case err == io.EOF:
		return nil, &FileError{Code: CodeEmptyFile, Message: "the file has no line but empty ones"}
	case errors.As(err, &malformed):
		return nil, &FileError{Line: line, Code: CodeMissingHeader, Message: "the header is not CSV: " + malformed.Problem, Hint: "the first line must name the columns"}
	case err != nil:
		return nil, in.broken(errors.Unwrap(err))
	}
	var header []string
	for _, name := range record {
		undivided := len(record) == 1 && bytes.Contains(name, []byte("\t")) // which bind tells better of
		if problem := report.CheckText(string(name), report.MaxText); problem != "" && !undivided {
			return nil, &FileError{Line: line, Field: quote(name), Code: CodeInvalidText, Message: problem, Hint: textHint(name)}
		}
		header = append(header, string(name))
	}
	return p.bind(header, line)
}

// textHint says what to do about text that can't be kept, "" where nothing is
// known to help.
func textHint(text []byte) string {
	switch {
	case !utf8.Valid(text):
		return "save the file as UTF-8"
	case bytes.Contains(text, []byte("\r")):
		return "lines must end in LF or CRLF"
	}
	return ""
}

func malformedCSV(e *rfc4180.SyntaxError) *fault {
	if e.Column > 1 {
		return faultf(CodeMalformedRow, "%s (line %d, byte %d)", e.Problem, e.Line, e.Column)
	}
	return faultf(CodeMalformedRow, "%s", e.Problem)
}
