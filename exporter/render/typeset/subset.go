package typeset

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Used is a typeface with the glyphs of it that a document uses so far. The
// document's text is made of codes: code n is the n-th glyph that was used,
// and code 0 is the one for what is missing, which is never drawn.
type Used struct {
	*Font
	codes map[use]uint16
	uses  []use
	full  bool // a glyph got no code any more
}

// use is a glyph and the text that it stands for, which extraction gives back.
type use struct {
	glyph uint16
	text  string
}

func newUsed(f *Font) *Used {
	return &Used{Font: f, codes: map[use]uint16{}, uses: []use{{}}}
}

// code numbers a glyph. A font has less glyphs than there are codes, but with
// marks one glyph may stand for many texts.
func (u *Used) code(glyph uint16, text string) uint16 {
	key := use{glyph, text}
	code, ok := u.codes[key]
	switch {
	case ok:
		return code
	case len(u.uses) == 1<<16:
		u.full = true
		return 0
	}
	code = uint16(len(u.uses))
	u.codes[key] = code
	u.uses = append(u.uses, key)
	return code
}

// width is a glyph's advance in thousandths of the font size.
func (u *Used) width(glyph uint16) int {
	advance, _ := u.metrics(glyph)
	return u.scale(int(advance))
}

// Len is the number of codes.
func (u *Used) Len() int { return len(u.uses) }

// Width is the advance of a code in thousandths of the font size.
func (u *Used) Width(code int) int { return u.width(u.uses[code].glyph) }

// Text is what a code stands for.
func (u *Used) Text(code int) string { return u.uses[code].text }

// Program is a TrueType file whose glyph n is code n.
func (u *Used) Program() []byte {
	glyphs := make([]uint16, len(u.uses))
	for code, use := range u.uses {
		glyphs[code] = use.glyph
	}
	outlines, metrics := u.gather(glyphs)
	loca, glyf := locate(outlines)
	head := bytes.Clone(u.tables["head"])
	binary.BigEndian.PutUint32(head[8:], 0)  // the checksum, set at the end
	binary.BigEndian.PutUint16(head[50:], 1) // loca has the long form
	hhea, maxp := bytes.Clone(u.tables["hhea"]), bytes.Clone(u.tables["maxp"])
	binary.BigEndian.PutUint16(hhea[34:], uint16(len(outlines)))
	binary.BigEndian.PutUint16(maxp[4:], uint16(len(outlines)))
	return assemble(map[string][]byte{
		"head": head, "hhea": hhea, "maxp": maxp, "hmtx": metrics, "loca": loca, "glyf": glyf,
		"cvt ": u.tables["cvt "], "fpgm": u.tables["fpgm"], "prep": u.tables["prep"],
	})
}

// gather collects the outlines and the hmtx entries of glyphs. Outlines that
// are composed of others bring those along, behind the ones asked for.
func (u *Used) gather(glyphs []uint16) (outlines [][]byte, metrics []byte) {
	numbers := map[uint16]uint16{}
	for code, glyph := range glyphs {
		if _, ok := numbers[glyph]; !ok {
			numbers[glyph] = uint16(code)
		}
	}
	for i := 0; i < len(glyphs); i++ {
		outline := bytes.Clone(u.outline(glyphs[i]))
		for _, at := range parts(outline) {
			part := binary.BigEndian.Uint16(outline[at:])
			number, ok := numbers[part]
			if !ok {
				number = uint16(len(glyphs))
				numbers[part] = number
				glyphs = append(glyphs, part)
			}
			binary.BigEndian.PutUint16(outline[at:], number)
		}
		outlines = append(outlines, outline)
		advance, bearing := u.metrics(glyphs[i])
		metrics = binary.BigEndian.AppendUint16(metrics, advance)
		metrics = binary.BigEndian.AppendUint16(metrics, bearing)
	}
	return outlines, metrics
}

// Flags of a composed outline's part.
const (
	wideArguments = 1 << 0
	oneScale      = 1 << 3
	moreParts     = 1 << 5
	twoScales     = 1 << 6
	fullMatrix    = 1 << 7
)

// parts finds where a composed outline names the glyphs that it is made of.
func parts(outline []byte) (places []int) {
	if len(outline) < 10 || int16(binary.BigEndian.Uint16(outline)) >= 0 {
		return nil
	}
	for at, more := 10, true; more; {
		flags := binary.BigEndian.Uint16(outline[at:])
		places = append(places, at+2)
		more = flags&moreParts != 0
		at += 6
		if flags&wideArguments != 0 {
			at += 2
		}
		switch {
		case flags&oneScale != 0:
			at += 2
		case flags&twoScales != 0:
			at += 4
		case flags&fullMatrix != 0:
			at += 8
		}
	}
	return places
}

// locate joins outlines to a glyf table and its loca table in the long form.
func locate(outlines [][]byte) (loca, glyf []byte) {
	for _, outline := range outlines {
		loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
		glyf = append(glyf, outline...)
		for len(glyf)%4 != 0 {
			glyf = append(glyf, 0)
		}
	}
	return binary.BigEndian.AppendUint32(loca, uint32(len(glyf))), glyf
}

// assemble joins tables to a font file.
func assemble(tables map[string][]byte) []byte {
	var tags []string
	for tag, table := range tables {
		if table != nil {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	search, selector := 16, 0
	for search*2 <= 16*len(tags) {
		search, selector = search*2, selector+1
	}
	file := []byte{0, 1, 0, 0}
	for _, n := range []int{len(tags), search, selector, 16*len(tags) - search} {
		file = binary.BigEndian.AppendUint16(file, uint16(n))
	}
	var body []byte
	start, headAt := len(file)+16*len(tags), 0
	for _, tag := range tags {
		table := tables[tag]
		if tag == "head" {
			headAt = start + len(body)
		}
		file = append(file, tag...)
		file = binary.BigEndian.AppendUint32(file, checksum(table))
		file = binary.BigEndian.AppendUint32(file, uint32(start+len(body)))
		file = binary.BigEndian.AppendUint32(file, uint32(len(table)))
		body = append(body, table...)
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
	}
	file = append(file, body...)
	binary.BigEndian.PutUint32(file[headAt+8:], 0xB1B0AFBA-checksum(file))
	return file
}

// checksum adds up a table as 32-bit numbers.
func checksum(table []byte) (sum uint32) {
	for ; len(table) >= 4; table = table[4:] {
		sum += binary.BigEndian.Uint32(table)
	}
	var last [4]byte
	copy(last[:], table)
	return sum + binary.BigEndian.Uint32(last[:])
}
