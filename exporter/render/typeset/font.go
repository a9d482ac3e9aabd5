package typeset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/font/opentype"

	"licensekit/exporter/render/fonts"
)

// Font is a typeface as it stands in its file. It is never changed and serves
// all documents.
type Font struct {
	Name string // as PDF names it

	// In thousandths of the font size, from the baseline upwards.
	Ascent, Descent, CapHeight int
	Box                        [4]int // left, bottom, right, top of all glyphs together

	parsed *font.Font
	tables map[string][]byte
	upem   int
	glyphs []byte   // the glyf table
	places []uint32 // glyph i lies at glyphs[places[i]:places[i+1]]
}

// The fonts are read when a document first needs them: reading takes longer
// than setting a short document.
var (
	regular = sync.OnceValue(func() *Font { return mustParse("DejaVuSansCondensed", fonts.Regular) })
	bold    = sync.OnceValue(func() *Font { return mustParse("DejaVuSansCondensed-Bold", fonts.Bold) })
	cjk     = sync.OnceValue(func() *Font { return mustParse("WenQuanYiMicroHei", fonts.CJK) })
)

// mustParse reads a font that is part of the program.
func mustParse(name string, file []byte) *Font {
	f, err := parse(name, file)
	if err != nil {
		panic(fmt.Sprintf("typeset: read font %s: %v", name, err))
	}
	return f
}

func parse(name string, file []byte) (*Font, error) {
	loader, err := opentype.NewLoader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	parsed, err := font.NewFont(loader)
	if err != nil {
		return nil, err
	}
	f := &Font{Name: name, parsed: parsed, upem: int(parsed.Upem()), tables: map[string][]byte{}}
	for _, tag := range []string{"head", "hhea", "hmtx", "maxp", "loca", "glyf", "cvt ", "fpgm", "prep"} {
		f.tables[tag], err = loader.RawTable(opentype.MustNewTag(tag))
		if err != nil && len(tag) == 4 && tag != "cvt " && tag != "fpgm" && tag != "prep" {
			return nil, fmt.Errorf("table %s: %w", tag, err)
		}
	}
	f.glyphs = f.tables["glyf"]
	f.readMetrics()
	f.readPlaces()
	return f, nil
}

func (f *Font) readMetrics() {
	head, hhea := f.tables["head"], f.tables["hhea"]
	for i := range f.Box {
		f.Box[i] = f.scale(int(int16(binary.BigEndian.Uint16(head[36+2*i:]))))
	}
	f.Ascent = f.scale(int(int16(binary.BigEndian.Uint16(hhea[4:]))))
	f.Descent = f.scale(int(int16(binary.BigEndian.Uint16(hhea[6:]))))
	f.CapHeight = f.Ascent * 3 / 4
}

// readPlaces reads the loca table, which has a short and a long form.
func (f *Font) readPlaces() {
	loca := f.tables["loca"]
	if binary.BigEndian.Uint16(f.tables["head"][50:]) == 0 {
		for i := 0; i+1 < len(loca); i += 2 {
			f.places = append(f.places, 2*uint32(binary.BigEndian.Uint16(loca[i:])))
		}
		return
	}
	for i := 0; i+3 < len(loca); i += 4 {
		f.places = append(f.places, binary.BigEndian.Uint32(loca[i:]))
	}
}

// scale turns font units into thousandths of the font size.
func (f *Font) scale(units int) int {
	if units < 0 {
		return -f.scale(-units)
	}
	return (units*1000 + f.upem/2) / f.upem
}

// outline is the glyf entry of a glyph.
func (f *Font) outline(glyph uint16) []byte {
	return f.glyphs[f.places[glyph]:f.places[glyph+1]]
}

// metrics is the hmtx entry of a glyph: advance width and left side bearing,
// in font units.
func (f *Font) metrics(glyph uint16) (advance, bearing uint16) {
	hmtx := f.tables["hmtx"]
	long := binary.BigEndian.Uint16(f.tables["hhea"][34:])
	if glyph < long {
		return binary.BigEndian.Uint16(hmtx[4*int(glyph):]), binary.BigEndian.Uint16(hmtx[4*int(glyph)+2:])
	}
	at := 4*int(long) + 2*int(glyph-long)
	return binary.BigEndian.Uint16(hmtx[4*int(long)-4:]), binary.BigEndian.Uint16(hmtx[at:])
}
