//go:build !cgo

package render

import (
	"context"
	"io"
)

// MuPDF is the version of MuPDF that is linked in, "" for none.
const MuPDF = ""

// checkPages is nil: see Format.CheckPages.
var checkPages func(ctx context.Context, r io.ReaderAt, size int64, info Info) error

// Preview draws pages where the program was built with MuPDF.
func Preview(context.Context, io.ReaderAt, int64, int, float64) (Picture, error) {
	return Picture{}, ErrNoMuPDF
}
