package pdffile

import (
	"bytes"
	"fmt"
	"unicode/utf16"

	"licensekit/exporter/render/typeset"
)

// AddFont embeds the glyphs of a face that were used, as a font whose text is
// in codes of two bytes. What a code stands for is in it too, so that text can
// be searched, copied and extracted.
func (f *File) AddFont(r Ref, font *typeset.Used) {
	program := font.Program()
	name := tag(program) + "+" + font.Name
	file, meaning := f.Announce(), f.Announce()
	f.AddStream(file, fmt.Sprintf("/Length1 %d", len(program)), program)
	f.AddStream(meaning, "", toUnicode(font))
	descriptor := f.AddNew("<</Type/FontDescriptor/FontName/%s/Flags 4/FontBBox[%d %d %d %d]/ItalicAngle 0/Ascent %d/Descent %d/CapHeight %d/StemV 80/FontFile2 %v>>",
		name, font.Box[0], font.Box[1], font.Box[2], font.Box[3], font.Ascent, font.Descent, font.CapHeight, file)
	descendant := f.AddNew("<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/FontDescriptor %v/DW 0/W[0[%s]]/CIDToGIDMap/Identity>>",
		name, descriptor, widths(font))
	f.Add(r, "<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%v]/ToUnicode %v>>", name, descendant, meaning)
}

// tag names a subset: six letters, which differ for subsets that differ.
func tag(program []byte) string {
	sum := uint64(14695981039346656037) // FNV-1a
	for _, c := range program {
		sum = (sum ^ uint64(c)) * 1099511628211
	}
	letters := make([]byte, 6)
	for i := range letters {
		letters[i] = 'A' + byte(sum%26)
		sum /= 26
	}
	return string(letters)
}

func widths(font *typeset.Used) string {
	var b bytes.Buffer
	for code := range font.Len() {
		fmt.Fprintf(&b, "%d ", font.Width(code))
	}
	return b.String()
}

// toUnicode is the CMap that gives the text of the codes.
func toUnicode(font *typeset.Used) []byte {
	const block = 100 // the most that a reader has to take at once
	var b bytes.Buffer
	b.WriteString("/CIDInit/ProcSet findresource begin 12 dict begin begincmap\n" +
		"/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def/CMapName/Adobe-Identity-UCS def/CMapType 2 def\n" +
		"1 begincodespacerange<0000><ffff>endcodespacerange\n")
	for first := 1; first < font.Len(); first += block {
		end := min(first+block, font.Len())
		fmt.Fprintf(&b, "%d beginbfchar\n", end-first)
		for code := first; code < end; code++ {
			fmt.Fprintf(&b, "<%04x><", code)
			for _, unit := range utf16.Encode([]rune(font.Text(code))) {
				fmt.Fprintf(&b, "%04x", unit)
			}
			b.WriteString(">\n")
		}
		b.WriteString("endbfchar\n")
	}
	b.WriteString("endcmap CMapName currentdict/CMap defineresource pop end end\n")
	return b.Bytes()
}
