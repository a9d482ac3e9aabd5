package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/gowebpki/jcs"
)

// SchemaName is the name of the canonical form. A change of columns or of
// meaning is a new name: what was frozen is read by its own rules for ever.
const SchemaName = "licensekit.report/1"

// WriteCanonical streams the canonical form of a document: RFC 8785 JSON with
// the members columns, filters, report_kind, rows, schema and totals. Absent
// values are null; times are as [FormatTime] writes them; integers beyond
// ±(2^53-1) are strings of digits, as RFC 7493 asks. It returns the totals.
func WriteCanonical(w io.Writer, d *Document) (Totals, error) {
	out := &canonicalWriter{NewOutput(w)}
	if err := out.head(d); err != nil {
		return nil, err
	}
	totals := Totals{}
	for i := range d.Sections {
		if err := out.section(&d.Sections[i], i > 0, totals); err != nil {
			return nil, fmt.Errorf("write section %s: %w", d.Sections[i].Name, err)
		}
	}
	out.tail(totals)
	return totals, out.Flush(0)
}

type canonicalWriter struct{ *Output }

func (o canonicalWriter) head(d *Document) error {
	columns := map[string][]Column{}
	for _, s := range d.Sections {
		columns[s.Name] = s.Columns
	}
	head, err := CanonicalJSON(map[string]any{"columns": columns, "filters": d.Filters, "report_kind": d.Kind})
	if err != nil {
		return fmt.Errorf("write columns and filters: %w", err)
	}
	o.Buf = append(o.Buf, head[:len(head)-1]...)
	o.Buf = append(o.Buf, `,"rows":{`...)
	return nil
}

// CanonicalJSON encodes a small value in RFC 8785 form.
func CanonicalJSON(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return jcs.Transform(text)
}

func (o canonicalWriter) section(s *Section, more bool, totals Totals) error {
	if more {
		o.Buf = append(o.Buf, ',')
	}
	o.Buf = append(AppendString(o.Buf, s.Name), ":["...)
	form := NewRowForm(canonicalCells(s.Columns), "}", ",")
	if err := totals.Add(s, nil); err != nil {
		return err
	}
	for batch, err := range s.Rows {
		if err != nil {
			return err
		}
		if err := totals.Add(s, batch); err != nil {
			return err
		}
		if err := form.Write(o.Output, batch); err != nil {
			return err
		}
	}
	o.Buf = append(o.Buf, ']')
	return nil
}

// canonicalCells are the columns as members of a row's object, sorted by name
// as RFC 8785 sorts members: the names are ASCII, so bytes and UTF-16 units
// sort alike.
func canonicalCells(columns []Column) []Cell {
	cells := make([]Cell, len(columns))
	for i, c := range columns {
		cells[i] = Cell{Column: i, Type: c.Type, Absent: "null", Before: string(AppendString([]byte{','}, c.Name)) + ":"}
		switch c.Type {
		case String:
			cells[i].Text, cells[i].Plain, cells[i].Quote = appendText, plainTexts, '"'
		case Time:
			cells[i].Int, cells[i].Quote = appendInstant, '"'
		default:
			cells[i].Int = appendInteger
		}
	}
	slices.SortFunc(cells, func(a, b Cell) int {
		return strings.Compare(columns[a.Column].Name, columns[b.Column].Name)
	})
	cells[0].Before = "{" + cells[0].Before[1:]
	return cells
}

func appendText(buf []byte, text string) []byte {
	if text == "" {
		return append(buf, "null"...)
	}
	return AppendString(buf, text)
}

func appendInstant(buf []byte, ms int64) []byte {
	return append(AppendTime(append(buf, '"'), ms), '"')
}

func appendInteger(buf []byte, v int64) []byte {
	switch {
	case v == Null:
		return append(buf, "null"...)
	case v > MaxAmount || v < -MaxAmount:
		buf = strconv.AppendInt(append(buf, '"'), v, 10)
		return append(buf, '"')
	}
	return strconv.AppendInt(buf, v, 10)
}

// tail writes what stands after the rows.
func (o canonicalWriter) tail(totals Totals) {
	o.Buf = append(o.Buf, `},"schema":"`+SchemaName+`","totals":`...)
	o.totals(totals)
	o.Buf = append(o.Buf, '}')
}

// totals writes the totals with their names sorted.
func (o canonicalWriter) totals(totals Totals) {
	if len(totals) == 0 {
		o.Buf = append(o.Buf, "{}"...)
		return
	}
	separator := byte('{')
	for _, section := range sortedKeys(totals) {
		o.Buf = append(AppendString(append(o.Buf, separator), section), ':')
		separator = ','
		inner := byte('{')
		for _, name := range sortedKeys(totals[section]) {
			o.Buf = append(AppendString(append(o.Buf, inner), name), ':')
			o.Buf = appendInteger(o.Buf, totals[section][name])
			inner = ','
		}
		o.Buf = append(o.Buf, '}')
	}
	o.Buf = append(o.Buf, '}')
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// AppendString appends a JSON string as RFC 8785 writes it: only the quote,
// the backslash and control characters are escaped.
func AppendString(buf []byte, text string) []byte {
	buf = append(buf, '"')
	start := 0
	for i := plainLength(text); i < len(text); i++ {
		c := text[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		buf = append(buf, text[start:i]...)
		buf = appendEscape(buf, c)
		start = i + 1
	}
	buf = append(buf, text[start:]...)
	return append(buf, '"')
}

// plainTexts tells whether texts are neither absent nor in need of an escape.
func plainTexts(texts Texts) bool {
	for i, end := range texts.Bounds[1:] {
		if end == texts.Bounds[i] {
			return false
		}
	}
	whole := texts.Whole()
	return plainLength(whole) == len(whole)
}

// plainLength is how many bytes at the start of a text need no escape: those
// before the first quote, backslash or control character.
func plainLength[T string | []byte](text T) int {
	i := 0
	for ; i+8 <= len(text); i += 8 {
		if !plainWord(word(text[i:])) {
			break
		}
	}
	if left := len(text) - i; left < 8 && i > 0 && plainWord(word(text[len(text)-8:])) {
		return len(text)
	}
	for i < len(text) && text[i] >= 0x20 && text[i] != '"' && text[i] != '\\' {
		i++
	}
	return i
}

func word[T string | []byte](text T) uint64 {
	_ = text[7]
	return uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
		uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
}

// plainWord tells whether none of eight bytes needs an escape: a byte b is
// below 0x20, or zero after the XOR with a character, exactly where b-k borrows
// into its high bit.
func plainWord(word uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, backslash := word^(ones*'"'), word^(ones*'\\')
	return ((word-ones*0x20)&^word|(quote-ones)&^quote|(backslash-ones)&^backslash)&highs == 0
}

func appendEscape(buf []byte, c byte) []byte {
	if i := strings.IndexByte("\"\\\b\t\n\f\r", c); i >= 0 {
		return append(buf, '\\', `"\btnfr`[i])
	}
	const hex = "0123456789abcdef"
	return append(buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
