package intake

import (
	"archive/zip"
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"strings"
)

// workbook is an XLSX file: a zip archive of XML parts, ISO/IEC 29500.
type workbook struct {
	parts  map[string]*zip.File
	limits Limits
	names  []string // of all sheets
	sheet  string   // the part that holds the sheet that is read
	is1904 bool     // dates count from 1904
	texts  []string // that cells share, by number
}

// The little of a workbook's parts that matters here.
type (
	workbookPart struct {
		Properties struct {
			Date1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []sheetEntry `xml:"sheets>sheet"`
	}
	sheetEntry struct {
		Name     string `xml:"name,attr"`
		Relation string `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
		Strict   string `xml:"http://purl.oclc.org/ooxml/officeDocument/relationships id,attr"`
	}
	relations struct {
		List []relation `xml:"Relationship"`
	}
	relation struct {
		ID     string `xml:"Id,attr"`
		Type   string `xml:"Type,attr"`
		Target string `xml:"Target,attr"`
	}
)

// openWorkbook finds a sheet, "" for the first. Errors: *[FileError].
func openWorkbook(file io.ReaderAt, size int64, sheet string, limits Limits) (*workbook, error) {
	archive, err := zip.NewReader(file, size)
	if err != nil {
		return nil, notXLSX("it is no zip archive", "older .xls files and files with a password can't be read; save it as .xlsx without one")
	}
	w := &workbook{parts: map[string]*zip.File{}, limits: limits}
	for _, part := range archive.File {
		name := strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(part.Name, `\`, "/"), "/"))
		if path.Base(name) == "vbaproject.bin" {
			return nil, notXLSX("it holds macros", "save it as .xlsx, which has none")
		}
		w.parts[name] = part
	}
	main, err := w.mainPart()
	if err != nil {
		return nil, err
	}
	return w, w.find(main, sheet)
}

func notXLSX(problem, hint string) *FileError {
	return &FileError{Code: CodeMalformedFile, Message: "the file is not read as XLSX: " + problem, Hint: hint}
}

// mainPart finds the part that lists the sheets.
func (w *workbook) mainPart() (string, error) {
	root, err := w.relations("_rels/.rels")
	for _, r := range root {
		if strings.HasSuffix(r.Type, "/officeDocument") {
			return resolve("", r.Target), nil
		}
	}
	if err == nil {
		err = notXLSX("it has no workbook", "")
	}
	return "", err
}

// find reads what the main part says about a sheet.
func (w *workbook) find(main, sheet string) error {
	var book workbookPart
	if err := w.decode(main, &book); err != nil {
		return err
	}
	for _, s := range book.Sheets {
		w.names = append(w.names, s.Name)
	}
	w.is1904 = book.Properties.Date1904 == "1" || book.Properties.Date1904 == "true"
	folder, file := path.Split(main)
	list, err := w.relations(folder + "_rels/" + file + ".rels")
	if err != nil {
		return err
	}
	id, err := book.choose(sheet)
	if err != nil {
		return err
	}
	for _, r := range list {
		switch {
		case r.ID == id && strings.HasSuffix(r.Type, "/worksheet"):
			w.sheet = resolve(folder, r.Target)
		case strings.HasSuffix(r.Type, "/sharedStrings"):
			if w.texts, err = w.sharedTexts(resolve(folder, r.Target)); err != nil {
				return err
			}
		}
	}
	if w.parts[w.sheet] == nil {
		return notXLSX("the sheet is no table", "name the sheet that holds the rows")
	}
	return nil
}

// choose gives the relation of a sheet, "" for the first.
func (b *workbookPart) choose(sheet string) (relation string, err error) {
	var names []string
	for _, s := range b.Sheets {
		if sheet == "" || s.Name == sheet {
			return s.Relation + s.Strict, nil
		}
		names = append(names, s.Name)
	}
	return "", &FileError{Field: "sheet", Code: CodeInvalidOption, Message: fmt.Sprintf("%q is not in the file", sheet), Hint: "its sheets are " + strings.Join(names, ", ")}
}

// resolve finds a part that a part in some folder refers to.
func resolve(folder, target string) string {
	if !strings.HasPrefix(target, "/") {
		target = folder + target
	}
	return strings.ToLower(strings.TrimPrefix(path.Clean("/"+target), "/"))
}

func (w *workbook) relations(name string) ([]relation, error) {
	var r relations
	err := w.decode(name, &r)
	return r.List, err
}

// decode reads a small part as a whole.
func (w *workbook) decode(name string, into any) error {
	const most = 16 << 20
	part, err := w.open(name, most)
	if err != nil {
		return err
	}
	defer part.Close()
	if err := xml.NewDecoder(part).Decode(into); err != nil {
		return partError(name, err)
	}
	return nil
}

// open reads a part, up to a number of unpacked bytes.
func (w *workbook) open(name string, most int64) (io.ReadCloser, error) {
	part := w.parts[strings.ToLower(name)]
	if part == nil {
		return nil, notXLSX("it has no part "+name, "")
	}
	content, err := part.Open()
	if err != nil {
		return nil, partError(name, err)
	}
	return &boundedPart{content, name, most}, nil
}

// boundedPart fails when more is read than may be; what the archive says of
// its sizes is not trusted.
type boundedPart struct {
	io.ReadCloser
	name string
	left int64
}

func (p *boundedPart) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	if p.left -= int64(n); p.left < 0 {
		return 0, &FileError{Code: CodeFileTooLarge, Message: fmt.Sprintf("part %s unpacks to more than may be", p.name), Hint: "split the file, or send it as CSV"}
	}
	return n, err
}

func partError(name string, err error) error {
	if e, ok := err.(*FileError); ok {
		return e
	}
	return &FileError{Code: CodeMalformedFile, Message: "part " + name + " of the file is broken", Err: err}
}
