// Package fonts holds the typefaces that documents are set in, as TrueType
// files with outlines in the glyf table.
//
// DejaVu Sans Condensed has Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew
// and Arabic; its numerals are all of one width, so that columns of numbers
// line up. The file cjk.ttf beside this one has Chinese, Japanese and Korean;
// NOTICE-cjk.txt says whose work it is, and how it was cut down.
package fonts

import (
	_ "embed"

	"github.com/go-fonts/dejavu/dejavusanscondensed"
	"github.com/go-fonts/dejavu/dejavusanscondensedbold"
)

// The font files. Nobody may change their bytes.
var (
	Regular = dejavusanscondensed.TTF
	Bold    = dejavusanscondensedbold.TTF

	//go:embed cjk.ttf
	CJK []byte
)

// The licence of the font in [CJK], and what was done to it.
var (
	//go:embed LICENSE-cjk.txt
	CJKLicense string
	//go:embed NOTICE-cjk.txt
	CJKNotice string
)
