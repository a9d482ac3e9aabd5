package render

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/xuri/excelize/v2"
)

// cellStyle is a cell style of the workbook.
type cellStyle int

// The styles, in the order of their definitions.
const (
	headerStyle cellStyle = iota + 1
	textStyle
	digitsStyle // of numbers that are too long to be numbers
	quantityStyle
	numberStyle
	timeStyle
	titleStyle
	labelStyle
	leftQuantityStyle // beside text in one column
)

func (s cellStyle) index() string { return strconv.Itoa(int(s)) }

// Number formats: built-in ones by number, and our own.
const (
	integerFormat  = 1  // 0
	groupedFormat  = 3  // #,##0
	textFormat     = 49 // @, so that text that is edited stays text
	instantPattern = `yyyy\-mm\-dd\ hh:mm:ss.000`
)

// styles define each style; style 0 is the workbook's own.
func styles() map[cellStyle]*excelize.Style {
	const blue = "1F4E78"
	font := func(size float64, bold bool, color string) *excelize.Font {
		return &excelize.Font{Family: "Calibri", Size: size, Bold: bold, Color: color}
	}
	left, right := &excelize.Alignment{Horizontal: "left"}, &excelize.Alignment{Horizontal: "right", Indent: 1}
	instant := instantPattern
	return map[cellStyle]*excelize.Style{
		headerStyle:       {NumFmt: textFormat, Font: font(11, true, "FFFFFF"), Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{blue}}},
		textStyle:         {NumFmt: textFormat},
		digitsStyle:       {NumFmt: textFormat, Alignment: right},
		quantityStyle:     {NumFmt: groupedFormat, Alignment: right},
		numberStyle:       {NumFmt: integerFormat, Alignment: right},
		timeStyle:         {CustomNumFmt: &instant, Alignment: left},
		titleStyle:        {NumFmt: textFormat, Font: font(16, true, blue)},
		labelStyle:        {NumFmt: textFormat, Font: font(11, true, "000000")},
		leftQuantityStyle: {NumFmt: groupedFormat, Alignment: left},
	}
}

// book is the workbook around the sheets: what excelize knows how to write.
// The rows are written past it, for its stream writer keeps the XML of all
// sheets in temporary files, writes them in random order and then holds the
// whole archive in memory.
type book struct {
	file *excelize.File
	err  error // the first of what the calls below met
}

func newBook(name string, made time.Time) *book {
	b := &book{file: excelize.NewFile()}
	defined := styles()
	for s := headerStyle; int(s) <= len(defined); s++ {
		index, err := b.file.NewStyle(defined[s])
		if err == nil && index != int(s) {
			err = fmt.Errorf("style %d has the index %d", s, index)
		}
		b.note(err)
	}
	day := made.UTC().Format(time.RFC3339)
	b.note(b.file.SetDocProps(&excelize.DocProperties{Title: name, Creator: "licensekit", Created: day, Modified: day}))
	b.note(b.file.SetAppProps(&excelize.AppProperties{Application: "licensekit"}))
	b.note(b.file.SetSheetName("Sheet1", summarySheet))
	return b
}

func (b *book) note(err error) { b.err = errors.Join(b.err, err) }

// add lists a sheet with so many columns and rows; each printed page repeats
// the header.
func (b *book) add(name string, columns, rows int) {
	_, err := b.file.NewSheet(name)
	b.note(err)
	b.note(b.file.AutoFilter(name, cellRange(columns, headerRow+rows), nil))
	b.note(b.file.SetDefinedName(&excelize.DefinedName{Name: printTitles, RefersTo: "'" + name + "'!$1:$1", Scope: name}))
}

// Names that spreadsheets define for filters and repeated headers.
const (
	filterRange = "_xlnm._FilterDatabase"
	printTitles = "_xlnm.Print_Titles"
)

// write adds all parts of the workbook but the sheets.
func (b *book) write(archive *zip.Writer) error {
	b.file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return bookParts{archive} })
	b.note(b.file.Write(io.Discard))
	b.note(b.file.Close())
	return b.err
}

// bookParts takes from excelize what is not a sheet.
type bookParts struct{ *zip.Writer }

// Create begins a part.
func (p bookParts) Create(name string) (io.Writer, error) {
	if isSheetPart(name) {
		return io.Discard, nil
	}
	return createPart(p.Writer, name)
}

// Close leaves the archive open, for it is not excelize's.
func (bookParts) Close() error { return nil }

// createPart begins a part with a fixed date.
func createPart(archive *zip.Writer, name string) (io.Writer, error) {
	return archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)})
}
