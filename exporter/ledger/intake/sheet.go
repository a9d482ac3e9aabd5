package intake

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
)

// maxColumns is how many columns a sheet may have; the last is XFD.
const maxColumns = 16384

// sheetCell is a cell of a row; the zero value is an empty one.
type sheetCell struct {
	cell
	formula bool
	failed  bool // holds an error such as #N/A
}

func (c sheetCell) empty() bool { return len(c.text) == 0 && !c.formula }

// sheetReader reads the rows of a sheet.
type sheetReader struct {
	book    *workbook
	decoder *xml.Decoder
	line    int64       // number of the row that was read
	cells   []sheetCell // of that row, by column
	text    strings.Builder
}

func newSheetReader(book *workbook, part io.Reader) *sheetReader {
	return &sheetReader{book: book, decoder: xml.NewDecoder(part)}
}

// next reads the next row that is in the file; it may be empty. Errors: io.EOF;
// *[FileError].
func (r *sheetReader) next() error {
	for {
		token, err := r.decoder.Token()
		if err == io.EOF {
			return io.EOF
		}
		if err == nil {
			if element, ok := token.(xml.StartElement); ok && element.Name.Local == "row" {
				if err = r.row(element); err == nil {
					return nil
				}
			}
		}
		if err != nil {
			return r.broken(err)
		}
	}
}

func (r *sheetReader) broken(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if e, ok := partError(r.book.sheet, err).(*FileError); ok && e.Line == 0 {
		e.Line = r.line
		return e
	}
	return err
}

func (r *sheetReader) row(start xml.StartElement) error {
	r.line++
	if number := attribute(start, "r"); number != "" {
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < r.line {
			return &FileError{Line: r.line, Code: CodeMalformedFile, Message: "the sheet has the row number " + quote([]byte(number)) + " out of order"}
		}
		r.line = n
	}
	r.cells = r.cells[:0]
	for {
		token, err := r.decoder.Token()
		if err != nil {
			return err
		}
		switch element := token.(type) {
		case xml.StartElement:
			if element.Name.Local != "c" {
				err = r.decoder.Skip()
			} else {
				err = r.cell(element)
			}
			if err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// cell reads a cell into its column.
func (r *sheetReader) cell(start xml.StartElement) error {
	column := len(r.cells)
	if reference := attribute(start, "r"); reference != "" {
		column = columnOf(reference)
	}
	if column < len(r.cells) || column >= maxColumns {
		return &FileError{Line: r.line, Code: CodeMalformedFile, Message: "the sheet has the cell " + quote([]byte(attribute(start, "r"))) + " out of order"}
	}
	for len(r.cells) <= column {
		r.cells = append(r.cells, sheetCell{})
	}
	c := &r.cells[column]
	r.text.Reset()
	if err := r.content(c); err != nil {
		return err
	}
	return r.resolve(c, attribute(start, "t"))
}

// content reads a cell's value as it is written.
func (r *sheetReader) content(c *sheetCell) error {
	for {
		token, err := r.decoder.Token()
		if err != nil {
			return err
		}
		switch element := token.(type) {
		case xml.StartElement:
			switch element.Name.Local {
			case "v", "t":
				err = addContent(r.decoder, &r.text)
			case "f":
				c.formula = true
				err = r.decoder.Skip()
			case "rPh", "extLst":
				err = r.decoder.Skip()
			}
			if err != nil {
				return err
			}
		case xml.EndElement:
			if element.Name.Local == "c" {
				return nil
			}
		}
	}
}

// resolve gives a cell its value, by its type in the file.
func (r *sheetReader) resolve(c *sheetCell, kind string) error {
	text := r.text.String()
	c.kind = plainText
	switch kind {
	case "s":
		n, err := strconv.Atoi(text)
		if text != "" && (err != nil || n < 0 || n >= len(r.book.texts)) {
			return &FileError{Line: r.line, Code: CodeMalformedFile, Message: "the sheet refers to the text " + quote([]byte(text)) + ", which is not in the file"}
		}
		if text != "" {
			text = r.book.texts[n]
		}
	case "inlineStr", "str":
		text = unescapeXLSX(text)
	case "b":
		c.kind = sheetBool
	case "d":
		c.kind = sheetDate
	case "e":
		c.failed = true
	default:
		c.kind = sheetNumber
	}
	c.text = []byte(text)
	return nil
}

func attribute(element xml.StartElement, name string) string {
	for _, a := range element.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// columnOf gives the column of a reference such as B7, counted from 0, or
// something beyond all columns.
func columnOf(reference string) int {
	column := 0
	for i := 0; i < len(reference) && reference[i] >= 'A' && reference[i] <= 'Z' && i < 4; i++ {
		column = column*26 + int(reference[i]-'A') + 1
	}
	if column == 0 {
		return maxColumns
	}
	return column - 1
}

// columnName is the inverse of columnOf.
func columnName(column int) (name string) {
	for column++; column > 0; column = (column - 1) / 26 {
		name = string(rune('A'+(column-1)%26)) + name
	}
	return name
}
