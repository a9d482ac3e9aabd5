//go:build cgo

package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"licensekit/exporter/render/mupdf"
)

// MuPDF is the version of MuPDF that is linked in, "" for none.
const MuPDF = mupdf.Version

// checkPages compares the pages with the attached data; see Format.CheckPages.
func checkPages(ctx context.Context, r io.ReaderAt, size int64, info Info) error {
	attached, err := pdfData(r, size)
	if err != nil {
		return fmt.Errorf("check pages: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(attached, mupdf.MaxFile))
	if err != nil {
		return fmt.Errorf("check pages: %w", err)
	}
	info.Canonical = io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
	pages, err := mupdf.OpenTexts(ctx, r, size)
	if err != nil {
		return fmt.Errorf("check pages: %w", err)
	}
	defer pages.Close()
	if err := comparePages(ctx, pages, info); err != nil {
		return fmt.Errorf("check pages: %w", err)
	}
	return nil
}

// Preview draws a page, counted from 0, as a PNG picture. Only files whose
// signature was checked should get here.
func Preview(ctx context.Context, r io.ReaderAt, size int64, page int, dpi float64) (picture Picture, err error) {
	picture.PNG, picture.Pages, err = mupdf.Draw(ctx, r, size, page, dpi)
	if errors.Is(err, mupdf.ErrNoPage) {
		return picture, fmt.Errorf("preview page %d of %d: %w", page, picture.Pages, ErrNoPage)
	}
	if err != nil {
		return picture, fmt.Errorf("preview page %d: %w", page, err)
	}
	return picture, nil
}
