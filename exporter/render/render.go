// Package render turns a report into a file and back. A format is an encoder
// and a decoder; decoding what was encoded gives an equal report, so anybody
// can recompute a report's digest from its file alone.
//
// # Promises
//
//   - decode(encode(d)) == d, and whatever decodes is encoded to the same
//     bytes again: a file has one meaning and a report one file. What xlsx
//     and pdf leave out of this is said below.
//   - Encoders only read a document's batches; several may share them, side by
//     side (see [report.Fork]).
//   - All formats stream both ways. Their memory does not grow with the rows,
//     and nothing is staged on disk; pdf, again, differs.
//
// # Refusals
//
// Text that is not valid UTF-8 is an error, of the encoder and of the decoder.
// Nothing is cut, rounded or replaced to make a value fit. What a format can't
// hold is a *[CapacityError], which names a format that can.
//
// # json
//
// The canonical form of [report.WriteCanonical], with kind and filters inside.
//
// # csv
//
// UTF-8 without a byte order mark, in the written form of package rfc4180: CR
// LF ends every record, and only fields that need quotes have them. The first
// record is the header, the columns' names; each further record is a row.
//
// A report of several sections has a first column "section" with the name of
// the row's section; then come the columns of all sections, each name once, in
// the order in which the sections first name them. A row leaves the columns of
// other sections empty. Sections follow one another in the report's order. A
// section without rows leaves no trace among the records, and needs none: which
// sections there are, and their columns, follows from kind and filters. A
// report of one section has no section column.
//
// An absent value is an empty field. Integers are decimal digits, with "-" in
// front of negative ones, and no leading zero. Times are as
// [report.FormatTime] writes them. Text that begins with one of = + - @ ' tab
// or CR has a ' in front, so that no spreadsheet takes it for a formula; the
// decoder takes one ' off. Integers never have it.
//
// Kind and filters are not in the file; who decodes it must know them.
//
// # xlsx
//
// A workbook (ISO/IEC 29500) with a sheet "Summary" and one for each section,
// named like it. The summary is for people: kind, period, filters, rows and
// totals of each section, and what [Info] knows. A sheet of a section has the
// columns' names as its first row, which stays in view and has filters; each
// further row is a row. A sheet ends at row 1,048,576, or with the row that
// brings its XML to 3 GiB, and the section goes on in "usage (2)", under the
// same header. There are at most 20 such sheets.
//
// An absent value has no cell. There are no formulas and no shared strings.
// Text is an inline string in the format "@"; what XML can't hold is _xHHHH_,
// and an underscore that would begin such an escape is _x005F_. Integers of up
// to 15 digits are numbers, with separators of thousands where the column is
// summed up; longer ones are text, since a spreadsheet would round them. Times
// from 1900-03-01 to 9999-12-31 are dates in UTC, shown to the millisecond, as
// the shortest decimals that give the nearest float64; others, which
// spreadsheets don't agree on, are text as [report.FormatTime] writes it. A
// column is as wide as its name and the section's first 200 rows need.
//
// Equal reports with equal infos give equal bytes, for one version of the
// libraries that pack them. The properties of the document are those of info,
// and the archive's dates are fixed.
//
// The decoder knows every part by name. It takes sheets that are, byte for
// byte once unpacked, what the encoder writes for the values in them, and a
// summary that says the same as the rows, kind and filters, with whatever info
// it names. So a value that a person sees is the one that counts: formulas,
// hidden or foreign rows, columns, sheets and parts, and styles that a version
// of this package did not write, are refused. Not compared are how the archive
// is packed, its dates, and parts that show no data: the document's properties
// and the content types. A part of more than 1 MiB besides the sheets is
// refused, and a row of more than 16 MiB.
//
// # pdf
//
// A document for people, of at most 200,000 rows, in PDF 1.7 without
// encryption, scripts or links. The canonical form is attached to it as
// data.json, the only attachment, and that is what the decoder reads: the
// pages are no part of decoding. Format.CheckPages compares them.
//
// The first page says in words what the report is about, and has its totals,
// the rows of each section, a chart of amounts, and the parts of [Info]. Then
// come the sections, each with its rows in order, a bookmark, and the labels
// of its columns on each page. Times are UTC; a column shows them to the day,
// minute, second or millisecond, whichever its values need. Integers have a
// comma between thousands, except those that name something: sequence and
// status_code. An absent value is an empty cell. Text is whole: it is wrapped,
// a row that is higher than a page is set as a list, and what can't be drawn
// is spelled out as [U+1F600] (see package typeset). At the foot of each page
// stand the data's digest, and the page's number with that of all.
//
// The wording of the pages and the order of what is on them are part of the
// format, for CheckPages of later versions reads files of earlier ones. The
// layout is not: fonts, sizes, and where lines and pages end may change.
//
// Equal reports with equal infos give equal bytes, for one version of the
// program. The dates of the document are Info.FrozenAt. Encoding reads the
// canonical form three times and holds a page at a time; where Info does not
// bring it, it is staged in the directory for temporary files. Decoding holds
// the file.
package render

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"licensekit/exporter/report"
)

// Info is what a format for people shows beside the data. None of it is part
// of the report: decoders don't give it back, and json and csv leave it out.
type Info struct {
	ExportID string
	FrozenAt int64         // milliseconds since the epoch
	Digest   report.Digest // of the report's canonical form
	Instance string        // which installation made the export
	KeyID    string        // of the key that signs it

	// Canonical is the report's canonical form, of which Digest is the digest.
	// A format that is FromCanonical needs it; without it, it spools its own
	// from the document, and takes that one's digest.
	Canonical *io.SectionReader

	Paper Paper // what pages are made for
}

// Paper is a size of pages.
type Paper string

// The paper sizes. The zero Paper is A4.
const (
	A4     Paper = "A4"
	Letter Paper = "Letter"
)

// Format writes reports as files of one type and reads them back.
type Format struct {
	Name        string // in the contract: "json"
	ContentType string // a media type
	Extension   string // of file names, without the dot
	Canonical   bool   // the file is the report's canonical form itself

	// FromCanonical tells that Encode does not read the document's rows when
	// Info.Canonical is set, but reads that, more than once: what it shows first
	// follows from all rows. So the canonical form is to be made beforehand.
	FromCanonical bool

	// MaxRows is how many rows a file holds, 0 if it takes any number. Encode
	// refuses more with a *CapacityError as soon as it has counted them; who
	// counts before can do so earlier.
	MaxRows int64

	// Encode writes a report. Errors: the document's own, ctx's, the writer's,
	// and whatever the format can't hold.
	Encode func(ctx context.Context, w io.Writer, d *report.Document, info Info) error

	// Decode opens a file of size bytes that should be a report of this kind
	// with these normalised filters. The document is read once, its sections
	// in order, while r stays open; what is wrong with a row shows when the
	// rows are read.
	Decode func(r io.ReaderAt, size int64, kind report.Kind, filters report.Filters) (*report.Document, error)

	// CheckPages makes sure that the pages of a file show the data that is
	// attached to it, and this Info, of which Canonical is not used. It is nil
	// for formats without pages, and where the program was built without
	// MuPDF. Only files whose signature was checked should get here. An error
	// that is [ErrUnread] says nothing about the pages.
	CheckPages func(ctx context.Context, r io.ReaderAt, size int64, info Info) error
}

// formats are all formats, in the contract's order.
var formats = []Format{jsonFormat, csvFormat, pdfFormat, xlsxFormat}

// Names lists the formats, in the contract's order.
func Names() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.Name
	}
	return names
}

// Parse finds a format by its name. Errors: *[report.FilterError].
func Parse(name string) (Format, error) {
	i := slices.IndexFunc(formats, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, &report.FilterError{Field: "format", Value: name, Problem: "must be one of " + strings.Join(Names(), ", ")}
	}
	return formats[i], nil
}

// expected gives the schema of the report that a file should hold.
func expected(kind report.Kind, filters report.Filters) (*report.Document, error) {
	if _, err := report.ParseKind(string(kind)); err != nil {
		return nil, err
	}
	return &report.Document{Kind: kind, Filters: filters, Sections: report.Sections(kind, filters)}, nil
}

// heeding gives a document whose rows end with ctx.
func heeding(ctx context.Context, d *report.Document) *report.Document {
	return d.Map(func(s *report.Section, _ report.Batch) error {
		if err := context.Cause(ctx); err != nil {
			return fmt.Errorf("section %s: %w", s.Name, err)
		}
		return nil
	})
}
