package render

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"licensekit/exporter/render/mupdf"
	"licensekit/exporter/report"
)

var pdfFormat = Format{
	Name:          "pdf",
	ContentType:   "application/pdf",
	Extension:     "pdf",
	FromCanonical: true,
	MaxRows:       maxPDFRows,
	Encode:        encodePDF,
	Decode:        decodePDF,
	CheckPages:    checkPages,
}

// pdfAttachment is the name of the attached data.
const pdfAttachment = "data.json"

// maxPDFRows is where a PDF stops to be of use: some six thousand pages of a
// ledger, which viewers still open. It is a variable for the tests alone.
var maxPDFRows int64 = 200_000

func checkPDFRows(n int64) error {
	if n <= maxPDFRows {
		return nil
	}
	return &CapacityError{Format: "pdf", Problem: fmt.Sprintf("it has more than %s rows", grouped(maxPDFRows)), Instead: "csv"}
}

// encodePDF reads the canonical form three times: to learn what is in it, to
// set the tables, and to attach it. So the pages show what is attached.
func encodePDF(ctx context.Context, w io.Writer, d *report.Document, info Info) error {
	if info.Canonical == nil {
		spooled, err := spool(ctx, d, &info)
		if err != nil {
			return fmt.Errorf("encode pdf: %w", err)
		}
		defer spooled.Close()
	}
	if err := writePDF(ctx, w, info); err != nil {
		return fmt.Errorf("encode pdf: %w", err)
	}
	return nil
}

// spool writes the canonical form of a document to a file without a name.
func spool(ctx context.Context, d *report.Document, info *Info) (io.Closer, error) {
	file, err := os.CreateTemp("", "licensekit-pdf-*")
	if err != nil {
		return nil, err
	}
	os.Remove(file.Name())
	digest, counted := sha256.New(), int64(0)
	d = heeding(ctx, d).Map(func(_ *report.Section, batch report.Batch) error {
		counted += int64(batch.Len())
		return checkPDFRows(counted)
	})
	if _, err = report.WriteCanonical(io.MultiWriter(file, digest), d); err != nil {
		file.Close()
		return nil, err
	}
	size, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		file.Close()
		return nil, err
	}
	info.Digest = report.Digest(digest.Sum(nil))
	info.Canonical = io.NewSectionReader(file, 0, size)
	return file, nil
}

// decodePDF reads the attached data. What the pages show is not looked at; see
// Format.CheckPages.
func decodePDF(r io.ReaderAt, size int64, kind report.Kind, filters report.Filters) (*report.Document, error) {
	data, err := pdfData(r, size)
	if err != nil {
		return nil, fmt.Errorf("decode pdf: %w", err)
	}
	d, err := readReport(data, kind, filters)
	if err != nil {
		return nil, fmt.Errorf("decode pdf: %s: %w", pdfAttachment, err)
	}
	return d, nil
}

// Picture is a page as it looks.
type Picture struct {
	PNG   []byte
	Pages int // of the whole file
}

// The errors of [Preview] and of [Format].CheckPages that callers branch on.
var (
	ErrNoPage  = errors.New("there is no such page")
	ErrNoMuPDF = errors.New("this program was built without MuPDF")
	ErrUnread  = mupdf.ErrUnread // says nothing about the pages
)
