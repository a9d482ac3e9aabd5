package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"

	"licensekit/exporter/report"
	"licensekit/exporter/rfc4180"
)

// Preview is the beginning of a file, with what its columns would be read into.
type Preview struct {
	Columns []PreviewColumn
	Rows    [][]string // as they are written, a text for each column
	Sheets  []string   // of a workbook
	Fields  []PreviewField
	Problem *FileError // why it would not be read; nil if it would be
}

// PreviewColumn is a column, or the name of a member of JSON rows.
type PreviewColumn struct {
	Name   string
	Fields []string // that are read from it
}

// PreviewField is a field that rows may have.
type PreviewField struct {
	Name     string
	Type     report.PropertyType
	Required bool
	OneOf    []string // the values it may have; nil for any
	Given    bool     // a column or a constant has it
}

// previewBytes bounds what is read of a file of text for its preview.
const previewBytes = 4 << 20

// ReadPreview reads the first rows of a file and tells what would become of its
// columns. What is wrong with the file or the options is in the preview, as far
// as it shows by then. Errors: the source's, and an unknown object's, which is
// a *[FileError].
func ReadPreview(ctx context.Context, src io.Reader, o Options, rows int) (*Preview, error) {
	t, err := newTarget(o.Object)
	if err != nil {
		return nil, err
	}
	v := &Preview{}
	header, err := v.read(&source{ctx: ctx, src: src}, o, rows)
	if err == nil {
		err = v.bind(header, o)
	}
	for _, f := range t.fields {
		given := slices.ContainsFunc(v.Columns, func(c PreviewColumn) bool { return slices.Contains(c.Fields, f.name) }) ||
			slices.ContainsFunc(o.Set, func(c Constant) bool { return c.Field == f.name })
		v.Fields = append(v.Fields, PreviewField{f.name, f.kind, f.required, f.oneOf, given})
	}
	if err != nil && !errors.As(err, &v.Problem) {
		return nil, err
	}
	return v, nil
}

// bind tells which fields the columns are read into.
func (v *Preview) bind(header []string, o Options) error {
	for _, name := range header {
		v.Columns = append(v.Columns, PreviewColumn{Name: name})
	}
	p, err := newPlan(o)
	if err != nil {
		return err
	}
	for i, name := range header {
		for _, f := range p.sources[name] {
			v.Columns[i].Fields = append(v.Columns[i].Fields, p.fields[f].name)
		}
	}
	_, err = p.bind(header, 0)
	return err
}

// read gives the header, and keeps the first rows.
func (v *Preview) read(in *source, o Options, rows int) ([]string, error) {
	switch o.Format {
	case XLSX:
		return v.readSheet(in, o, rows)
	case CSV:
		return v.readTable(in, o, rows)
	}
	return v.readObjects(in, rows)
}

func (v *Preview) readTable(in *source, o Options, rows int) (header []string, err error) {
	text, err := in.text()
	if err != nil {
		return nil, err
	}
	limits := o.Limits.withDefaults()
	r := rfc4180.NewReader(io.LimitReader(text, previewBytes), rfc4180.Options{Delimiter: o.Delimiter, MaxRecord: limits.RowBytes})
	for len(v.Rows) < rows {
		record, err := r.Read()
		var malformed *rfc4180.SyntaxError
		switch {
		case err == io.EOF && header == nil:
			return nil, &FileError{Code: CodeEmptyFile, Message: "the file has no line but empty ones"}
		case err == io.EOF:
			return header, nil
		case errors.As(err, &malformed) && header == nil:
			return nil, &FileError{Line: 1, Code: CodeMissingHeader, Message: "the header is not CSV: " + malformed.Problem}
		case errors.As(err, &malformed):
			continue
		case err != nil:
			return header, in.broken(errors.Unwrap(err))
		case header == nil:
			header = texts(record)
		default:
			v.Rows = append(v.Rows, texts(record))
		}
	}
	return header, nil
}

func texts(record [][]byte) (texts []string) {
	for _, text := range record {
		texts = append(texts, string(text))
	}
	return texts
}

func (v *Preview) readSheet(in *source, o Options, rows int) (header []string, err error) {
	limits := o.Limits.withDefaults()
	file, size, err := spool(in, o.Tmp, limits.FileBytes)
	if err != nil {
		return nil, err
	}
	defer func() {
		if problem := errors.Join(file.Close(), os.Remove(file.Name())); err == nil {
			err = problem
		}
	}()
	book, err := openWorkbook(file, size, o.Sheet, limits)
	if book != nil {
		v.Sheets = book.names
	}
	if err != nil {
		return nil, err
	}
	part, err := book.open(book.sheet, limits.PartBytes)
	if err != nil {
		return nil, err
	}
	defer part.Close()
	sheet := newSheetReader(book, part)
	for len(v.Rows) < rows {
		err := sheet.next()
		switch {
		case err == io.EOF && header == nil:
			return nil, &FileError{Code: CodeEmptyFile, Message: "the sheet is empty", Hint: "name the sheet that holds the rows"}
		case err == io.EOF:
			return header, nil
		case err != nil:
			return header, err
		case sheet.isEmpty():
		case header == nil:
			header = sheet.texts(0)
		default:
			v.Rows = append(v.Rows, sheet.texts(len(header)))
		}
	}
	return header, nil
}

// texts are the row's texts, at least so many.
func (r *sheetReader) texts(least int) (texts []string) {
	for _, c := range r.cells {
		texts = append(texts, string(c.text))
	}
	for len(texts) < least {
		texts = append(texts, "")
	}
	return texts
}

// readObjects reads the members of the first JSON objects, be they lines or
// elements of an array.
func (v *Preview) readObjects(in *source, rows int) (names []string, err error) {
	text, err := in.text()
	if err != nil {
		return nil, err
	}
	values := json.NewDecoder(io.LimitReader(text, previewBytes))
	if start, err := text.Peek(1); err == nil && start[0] == '[' {
		if _, err := values.Token(); err != nil {
			return nil, &FileError{Code: CodeMalformedFile, Message: "the file is not JSON", Err: err}
		}
	}
	for len(v.Rows) < rows && values.More() {
		var row json.RawMessage
		if err := values.Decode(&row); err != nil {
			if len(v.Rows) > 0 {
				break // what comes later is for the reading itself to refuse
			}
			return nil, &FileError{Code: CodeMalformedFile, Message: "the file is not JSON", Err: err}
		}
		members, order, err := membersOf(row)
		if err != nil {
			return nil, &FileError{Code: CodeMalformedFile, Message: "the rows are no JSON objects"}
		}
		for _, name := range order {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		var texts []string
		for _, name := range names {
			texts = append(texts, members[name])
		}
		v.Rows = append(v.Rows, texts)
	}
	if len(v.Rows) == 0 {
		return nil, &FileError{Code: CodeEmptyFile, Message: "the file has no rows"}
	}
	for i := range v.Rows {
		for len(v.Rows[i]) < len(names) {
			v.Rows[i] = append(v.Rows[i], "")
		}
	}
	return names, nil
}

// membersOf gives the members of an object as text, and their order.
func membersOf(object []byte) (members map[string]string, order []string, err error) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, nil, errors.New("no object")
	}
	members = map[string]string{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, nil, err
		}
		text := string(value)
		var plain string
		if text == "null" {
			text = ""
		} else if json.Unmarshal(value, &plain) == nil {
			text = plain
		}
		members[name.(string)] = text
		order = append(order, name.(string))
	}
	return members, order, nil
}
