//go:build cgo

package render

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/gen2brain/go-fitz"
)

// checkPages compares the pages with the attached data; see Format.CheckPages.
func checkPages(ctx context.Context, r io.ReaderAt, size int64, info Info) error {
	attached, err := pdfData(r, size)
	if err != nil {
		return fmt.Errorf("check pages: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(attached, maxPagesFile))
	if err != nil {
		return fmt.Errorf("check pages: %w", err)
	}
	info.Canonical = io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
	file, err := openPages(r, size)
	if err != nil {
		return fmt.Errorf("check pages: %w", err)
	}
	defer file.Close()
	if err := comparePages(ctx, rendered{file}, info); err != nil {
		return fmt.Errorf("check pages: %w", err)
	}
	return nil
}

// maxPreview is the most pixels that a preview has on one side.
const maxPreview = 4096

// Preview draws a page, counted from 0, as a PNG picture. Only files whose
// signature was checked should get here.
func Preview(ctx context.Context, r io.ReaderAt, size int64, page int, dpi float64) (picture Picture, err error) {
	file, err := openPages(r, size)
	if err != nil {
		return picture, fmt.Errorf("preview page %d: %w", page, err)
	}
	defer file.Close()
	if picture.Pages = file.NumPage(); page < 0 || page >= picture.Pages {
		return picture, fmt.Errorf("preview page %d of %d: %w", page, picture.Pages, ErrNoPage)
	}
	bounds, err := file.Bound(page)
	if err != nil {
		return picture, fmt.Errorf("preview page %d: %w", page, err)
	}
	if longest := float64(max(bounds.Dx(), bounds.Dy())) * dpi / 72; !(dpi > 0 && longest <= maxPreview) {
		return picture, fmt.Errorf("preview page %d: %v dpi give %.0f pixels on a side; the limit is %d", page, dpi, longest, maxPreview)
	}
	if err := context.Cause(ctx); err != nil {
		return picture, err
	}
	if picture.PNG, err = file.ImagePNG(page, dpi); err != nil {
		return picture, fmt.Errorf("preview page %d: %w", page, err)
	}
	return picture, nil
}

// maxPagesFile bounds what is held in memory to be drawn, in bytes.
const maxPagesFile = 512 << 20

func openPages(r io.ReaderAt, size int64) (*fitz.Document, error) {
	if size > maxPagesFile {
		return nil, fmt.Errorf("the file has %d bytes; the limit is %d", size, maxPagesFile)
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), content); err != nil {
		return nil, err
	}
	return fitz.NewFromMemory(content)
}

// rendered is the pages as MuPDF reads them.
type rendered struct{ file *fitz.Document }

func (r rendered) Count() int                    { return r.file.NumPage() }
func (r rendered) Text(page int) (string, error) { return r.file.Text(page) }
