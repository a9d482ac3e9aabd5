package render

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"licensekit/exporter/report"
)

// maxBookPart bounds each part that is read as a whole, in bytes.
const maxBookPart = 1 << 20

// The parts that are read, beside the sheets.
const (
	workbookPart  = "xl/workbook.xml"
	relationsPart = "xl/_rels/workbook.xml.rels"
	stylesPart    = "xl/styles.xml"
	themePart     = "xl/theme/theme1.xml"
	rootPart      = "_rels/.rels"
)

// bookPartNames are the parts behind the sheets, sorted.
var bookPartNames = slices.Sorted(slices.Values([]string{
	workbookPart, relationsPart, stylesPart, themePart, rootPart, "docProps/core.xml", "docProps/app.xml", "[Content_Types].xml",
}))

// looks are the digests of the parts that don't depend on the data, as
// released versions wrote them. A style can show a number as another one or
// not at all, so no others will do. A new excelize may need a new line here;
// the old ones stay.
var looks = map[string][]string{
	stylesPart: {"727e78d05cf5586af178d4255dd514a348c38230ab4785424ed82521359c472f"},
	themePart:  {"7132e0167227dc0a9b8a8348fe3b66ceaf802138e2216148da069bb0f9942b5c"},
	rootPart:   {"2002c7e81ec495788330b50bcf09f0496f22e7b8fd7df823508a56313cace57f"},
}

func isSheetPart(name string) bool { return sheetPartName.MatchString(name) }

var sheetPartName = regexp.MustCompile(`^xl/worksheets/sheet[0-9]+\.xml$`)

// workbook checks which parts there are and what the workbook says of its
// sheets, and reads the summary.
func (in *xlsxReader) workbook(archive *zip.Reader) error {
	sheets, err := splitParts(archive.File)
	if err != nil {
		return err
	}
	last := len(sheets) - 1
	in.parts = sheets[:last]
	book := map[string][]byte{}
	for _, part := range append(slices.Clone(archive.File[last+1:]), sheets[last]) {
		if book[part.Name], err = readPart(part); err != nil {
			return err
		}
	}
	if err := checkLook(book); err != nil {
		return err
	}
	if err := in.listed(book[workbookPart], book[relationsPart]); err != nil {
		return err
	}
	in.summary = book[sheetPart(1)]
	in.info, err = readInfo(in.summary)
	return err
}

// splitParts gives the sheets, the summary as the last. All parts are known by
// name, so nothing can hide among them.
func splitParts(files []*zip.File) ([]*zip.File, error) {
	sheets := len(files) - len(bookPartNames)
	if sheets < 2 || sheets > 1+maxSheets {
		return nil, fmt.Errorf("the archive has %d parts, which is no workbook of this format", len(files))
	}
	var want []string
	for i := range sheets {
		want = append(want, sheetPart(2+i))
	}
	want[sheets-1] = sheetPart(1)
	want = append(want, bookPartNames...)
	slices.SortFunc(files[sheets:], func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	for i, f := range files {
		if f.Name != want[i] {
			return nil, fmt.Errorf("the archive has the part %.80q, want %q", f.Name, want[i])
		}
		if f.Method != zip.Deflate {
			return nil, fmt.Errorf("part %q is packed by method %d, want %d", f.Name, f.Method, zip.Deflate)
		}
	}
	return files[:sheets], nil
}

// readPart reads a small part.
func readPart(part *zip.File) ([]byte, error) {
	r, err := part.Open()
	if err != nil {
		return nil, fmt.Errorf("part %q: %w", part.Name, err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxBookPart+1))
	if err == nil && len(text) > maxBookPart {
		err = fmt.Errorf("unpacks to more than %d bytes", maxBookPart)
	}
	if err != nil {
		return nil, fmt.Errorf("part %q: %w", part.Name, err)
	}
	return text, nil
}

func checkLook(book map[string][]byte) error {
	for name, known := range looks {
		if digest := report.DigestOf(book[name]).Hex(); !slices.Contains(known, digest) {
			return fmt.Errorf("part %q (sha256 %s) is not one that this format has", name, digest)
		}
	}
	return nil
}

// What matters here of the workbook's list of sheets and of what it refers to.
type (
	workbookXML struct {
		View struct {
			Attributes []xml.Attr `xml:",any,attr"`
		} `xml:"bookViews>workbookView"`
		Sheets []struct {
			Name       string     `xml:"name,attr"`
			Relation   string     `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
			ID         string     `xml:"sheetId,attr"`
			Attributes []xml.Attr `xml:",any,attr"`
		} `xml:"sheets>sheet"`
		Names []struct {
			Name string `xml:"name,attr"`
		} `xml:"definedNames>definedName"`
		Others []struct {
			XMLName xml.Name
		} `xml:",any"`
	}
	relationsXML struct {
		List []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
			Mode   string `xml:"TargetMode,attr"`
		} `xml:"Relationship"`
	}
)

// listed checks that the workbook shows the summary and then the sheets of
// each section in order, each from its own part, and that none is hidden.
func (in *xlsxReader) listed(workbook, relations []byte) error {
	var book workbookXML
	var rels relationsXML
	if err := errors.Join(xml.Unmarshal(workbook, &book), xml.Unmarshal(relations, &rels)); err != nil {
		return fmt.Errorf("list of sheets: %w", err)
	}
	targets := map[string]string{}
	for _, r := range rels.List {
		if _, twice := targets[r.ID]; twice || r.Mode != "" {
			return fmt.Errorf("relation %q stands twice or leads out of the file", r.ID)
		}
		targets[r.ID] = "xl/" + r.Target
	}
	for i, s := range book.Sheets {
		if target := targets[s.Relation]; target != sheetPart(1+i) {
			return fmt.Errorf("sheet %.80q is in part %.80q, want %q", s.Name, target, sheetPart(1+i))
		}
		if len(s.Attributes) > 0 {
			return fmt.Errorf("sheet %.80q has the attribute %q; none may be hidden", s.Name, s.Attributes[0].Name.Local)
		}
	}
	if err := book.plain(); err != nil {
		return err
	}
	if len(book.Sheets) != 1+len(in.parts) || book.Sheets[0].Name != summarySheet {
		return fmt.Errorf("the workbook lists %d sheets, want %q and %d more", len(book.Sheets), summarySheet, len(in.parts))
	}
	names := make([]string, 0, len(in.parts))
	for _, s := range book.Sheets[1:] {
		names = append(names, s.Name)
	}
	return in.assign(names)
}

// plain refuses what a workbook of this format has no use for.
func (b *workbookXML) plain() error {
	for _, n := range b.Names {
		if n.Name != filterRange && n.Name != printTitles {
			return fmt.Errorf("the workbook defines the name %.80q", n.Name)
		}
	}
	for _, a := range b.View.Attributes {
		if a.Name.Local == "visibility" || strings.HasPrefix(a.Name.Local, "show") {
			return fmt.Errorf("the workbook's window has the attribute %q", a.Name.Local)
		}
	}
	for _, o := range b.Others {
		if !slices.Contains([]string{"fileVersion", "workbookPr", "calcPr"}, o.XMLName.Local) {
			return fmt.Errorf("the workbook has a part %q", o.XMLName.Local)
		}
	}
	return nil
}

// assign gives each section its sheets.
func (in *xlsxReader) assign(names []string) error {
	for _, s := range in.document.Sections {
		for len(names) > 0 && names[0] == sheetName(s.Name, in.sheets[s.Name]+1) {
			in.sheets[s.Name]++
			names = names[1:]
		}
		if in.sheets[s.Name] == 0 {
			return fmt.Errorf("there is no sheet %q where it should be", s.Name)
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("sheet %.80q is not of this report", names[0])
	}
	return nil
}
