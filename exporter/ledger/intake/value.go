package intake

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"

	"licensekit/exporter/report"
)

// cell is a value as the file has it.
type cell struct {
	kind cellKind
	text []byte // decoded text, or the literal of anything else; valid until the next row
}

type cellKind uint8

const (
	plainText   cellKind = iota // text of a format without types
	jsonString                  // its escapes undone
	jsonNumber                  // as written
	jsonBool                    // true or false
	jsonNull                    //
	jsonObject                  // as written
	jsonArray                   // as written
	sheetNumber                 // a decimal or exponential literal
	sheetBool                   // 0 or 1
	sheetDate                   // ISO 8601 without an offset
)

var kindNames = [...]string{
	"text", "a JSON string", "a JSON number", "a JSON boolean", "null", "a JSON object", "a JSON array",
	"a number", "a boolean", "a date",
}

// is tells whether the kind is one of some.
func (c cell) is(kinds ...cellKind) bool { return slices.Contains(kinds, c.kind) }

func (c cell) mistyped(want string) *fault {
	return faultf(CodeInvalidType, "must be %s, not %s", want, kindNames[c.kind])
}

// put gives field i of the row a value. Absent values are "" and null.
func (d *draft) put(i int, c cell) (bad *fault) {
	if len(c.text) == 0 && c.kind <= jsonString || c.kind == jsonNull {
		return nil
	}
	switch d.fields[i].kind {
	case report.IntegerProperty:
		bad = d.putInteger(i, c)
	case report.TimeProperty:
		bad = d.putTime(i, c)
	case report.BooleanProperty:
		bad = d.putBool(i, c)
	case report.ObjectProperty:
		bad = d.putMetadata(i, c)
	default:
		bad = d.putText(i, c)
	}
	if bad != nil {
		bad.field = d.fields[i].name
	}
	return bad
}

func (d *draft) putText(i int, c cell) *fault {
	f := &d.fields[i]
	switch {
	case c.kind <= jsonString && string(c.text) == d.last[i]:
		d.setText(i, d.last[i]) // files repeat themselves
		return nil
	case c.kind == sheetNumber:
		n, bad := wholeNumber(c.text)
		if bad != nil || n >= 1e15 || n <= -1e15 {
			return faultf(CodeInvalidType, "is the number %s, which a spreadsheet may have rounded; format the cell as text", c.text)
		}
		c.text = strconv.AppendInt(nil, n, 10)
	case c.kind > jsonString:
		return c.mistyped("text")
	}
	if len(c.text) > f.limit {
		return faultf(CodeTextTooLong, "%s", report.CheckText(string(c.text), f.limit))
	}
	text := d.texts.text(c.text)
	if problem := report.CheckText(text, f.limit); problem != "" {
		if hint := textHint(c.text); hint != "" {
			problem += "; " + hint
		}
		return faultf(CodeInvalidText, "%s", problem)
	}
	if f.oneOf != nil && !slices.Contains(f.oneOf, text) {
		return faultf(CodeInvalidValue, "%s is none of %s", quote(c.text), strings.Join(f.oneOf, ", "))
	}
	d.last[i] = text
	d.setText(i, text)
	return nil
}

func (d *draft) putInteger(i int, c cell) *fault {
	var n int64
	var bad *fault
	switch c.kind {
	case plainText, jsonNumber:
		n, bad = integer(c.text)
	case sheetNumber:
		n, bad = wholeNumber(c.text)
	default:
		return c.mistyped("an integer")
	}
	if bad == nil {
		d.setInt(i, n)
	}
	return bad
}

func (d *draft) putTime(i int, c cell) *fault {
	var ms int64
	var bad *fault
	switch {
	case c.kind <= jsonString, c.is(jsonNumber, sheetNumber) && d.clock.unit != 0:
		ms, bad = d.clock.parse(c.text)
	case c.kind == sheetNumber:
		ms, bad = d.clock.serial(c.text)
	case c.kind == sheetDate:
		ms, bad = d.clock.local(c.text)
	default:
		return c.mistyped("a time")
	}
	if bad == nil {
		d.setInt(i, ms)
	}
	return bad
}

func (d *draft) putBool(i int, c cell) *fault {
	switch {
	case !c.is(plainText, jsonBool, sheetBool):
		return c.mistyped("true or false")
	case c.kind == sheetBool:
		d.setBool(i, string(c.text) == "1")
	case bytes.EqualFold(c.text, []byte("true")):
		d.setBool(i, true)
	case bytes.EqualFold(c.text, []byte("false")):
		d.setBool(i, false)
	default:
		return faultf(CodeInvalidType, "%s is neither true nor false", quote(c.text))
	}
	return nil
}

// integer reads decimal digits with an optional minus sign. "10.0" and "1e3"
// are refused: a file that writes integers so may mean fractions elsewhere.
func integer(text []byte) (int64, *fault) {
	digits := bytes.TrimPrefix(text, []byte{'-'})
	if len(digits) == 0 {
		return 0, notInteger(text)
	}
	var n int64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, notInteger(text)
		}
		if n = n*10 + int64(c-'0'); n > report.MaxAmount {
			n = report.MaxAmount + 1 // keeps it from wrapping while the rest is looked at
		}
	}
	if n > report.MaxAmount {
		return 0, outOfRange(text)
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, nil
}

// wholeNumber reads a spreadsheet's number, which is a double however it is
// written, and takes it if it is whole.
func wholeNumber(text []byte) (int64, *fault) {
	x, err := strconv.ParseFloat(string(text), 64)
	switch {
	case err != nil || x != math.Trunc(x):
		return 0, notInteger(text)
	case math.Abs(x) > report.MaxAmount:
		return 0, outOfRange(text)
	}
	return int64(x), nil
}

func notInteger(text []byte) *fault {
	return faultf(CodeInvalidType, "%s is not an integer; want digits alone, such as 10 or -10", quote(text))
}

func outOfRange(text []byte) *fault {
	return faultf(CodeOutOfRange, "%s is beyond ±9007199254740991 (2^53-1)", quote(text))
}
