package intake

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// sharedTexts reads the texts that cells refer to by number. Phonetic readings
// beside them are left out.
func (w *workbook) sharedTexts(name string) ([]string, error) {
	part, err := w.open(name, w.limits.TextBytes)
	if err != nil {
		return nil, err
	}
	defer part.Close()
	var texts []string
	var text strings.Builder
	decoder := xml.NewDecoder(part)
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return texts, nil
		}
		if err != nil {
			return nil, partError(name, err)
		}
		switch element := token.(type) {
		case xml.StartElement:
			if err := addText(decoder, element, &text); err != nil {
				return nil, partError(name, err)
			}
		case xml.EndElement:
			if element.Name.Local == "si" {
				texts = append(texts, unescapeXLSX(text.String()))
				text.Reset()
			}
		}
	}
}

// addText adds the content of a t element, and skips phonetic readings.
func addText(decoder *xml.Decoder, element xml.StartElement, text *strings.Builder) error {
	switch element.Name.Local {
	case "rPh":
		return decoder.Skip()
	case "t":
		return addContent(decoder, text)
	}
	return nil
}

// addContent adds what is written up to the end of the current element.
func addContent(decoder *xml.Decoder, text *strings.Builder) error {
	for {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			if err := decoder.Skip(); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// unescapeXLSX undoes _xHHHH_, which stands for a UTF-16 unit.
func unescapeXLSX(text string) string {
	if !strings.Contains(text, "_x") {
		return text
	}
	var b []byte
	for i := 0; i < len(text); i++ {
		if len(text)-i >= 7 && text[i] == '_' && text[i+1] == 'x' && text[i+6] == '_' {
			if unit, err := strconv.ParseUint(text[i+2:i+6], 16, 16); err == nil {
				b = utf8.AppendRune(b, rune(unit))
				i += 6
				continue
			}
		}
		b = append(b, text[i])
	}
	return string(b)
}
