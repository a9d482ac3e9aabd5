package intake

import (
	"bytes"

	"github.com/gowebpki/jcs"

	"licensekit/exporter/report"
)

// putMetadata keeps a JSON object in RFC 8785 form. That form holds numbers as
// doubles, so integers that a double can't hold are refused, not rounded.
func (d *draft) putMetadata(i int, c cell) *fault {
	if !c.is(plainText, jsonObject) || !bytes.HasPrefix(bytes.TrimLeft(c.text, " \t\r\n"), []byte{'{'}) {
		return faultf(CodeInvalidType, "must be a JSON object")
	}
	if bad := checkMetadata(c); bad != nil {
		return bad
	}
	canonical, err := jcs.Transform(c.text)
	if err != nil {
		return faultf(CodeInvalidValue, "has no canonical form (RFC 8785): %v", err)
	}
	if len(canonical) > maxMetadata {
		return faultf(CodeTextTooLong, "%s in canonical form", report.CheckText(string(canonical), maxMetadata))
	}
	text := d.texts.text(canonical)
	if problem := report.CheckText(text, maxMetadata); problem != "" {
		return faultf(CodeInvalidText, "%s", problem)
	}
	d.setText(i, text)
	return nil
}

// checkMetadata walks the object: it must be well-formed, and its integers
// within what a double holds exactly.
func checkMetadata(c cell) *fault {
	var bad *fault
	l := lexer{data: c.text, number: func(literal []byte) {
		if !bytes.ContainsAny(literal, ".eE") && bad == nil {
			if _, large := integer(literal); large != nil {
				bad = faultf(CodeOutOfRange, "holds the integer %s, beyond ±9007199254740991 (2^53-1); write it as a string", quote(literal))
			}
		}
	}}
	if _, err := l.value(); err != nil {
		return faultf(CodeInvalidType, "must be a JSON object: %s", err.problem)
	}
	if l.space(); l.pos < len(l.data) {
		return faultf(CodeInvalidType, "must be a JSON object alone; more follows at byte %d", l.pos)
	}
	return bad
}
