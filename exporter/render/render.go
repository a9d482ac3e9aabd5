// Package render turns a report into a file and back. A format is an encoder
// and a decoder; decoding what was encoded gives an equal report, so anybody
// can recompute a report's digest from its file alone.
//
// # Promises
//
//   - decode(encode(d)) == d, and whatever decodes is encoded to the same
//     bytes again: a file has one meaning and a report one file.
//   - Encoders only read a document's batches; several may share them, side by
//     side (see [report.Fork]).
//   - json and csv stream both ways. Their memory does not grow with the rows.
//
// # Refusals
//
// Text that is not valid UTF-8 is an error, of the encoder and of the decoder.
// Nothing is cut, rounded or replaced to make a value fit.
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
}

// Format writes reports as files of one type and reads them back.
type Format struct {
	Name        string // in the contract: "json"
	ContentType string // a media type
	Extension   string // of file names, without the dot
	Canonical   bool   // the file is the report's canonical form itself

	// Encode writes a report. Errors: the document's own, ctx's, the writer's,
	// and whatever the format can't hold.
	Encode func(ctx context.Context, w io.Writer, d *report.Document, info Info) error

	// Decode opens a file of size bytes that should be a report of this kind
	// with these normalised filters. The document is read once, its sections
	// in order, while r stays open; what is wrong with a row shows when the
	// rows are read.
	Decode func(r io.ReaderAt, size int64, kind report.Kind, filters report.Filters) (*report.Document, error)
}

// formats are all formats, in the contract's order.
var formats = []Format{jsonFormat, csvFormat}

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
