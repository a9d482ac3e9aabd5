package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

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
	out := &canonicalWriter{w: w, buf: make([]byte, 0, 2*flushAt)}
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
	return totals, out.flush(0)
}

// flushAt is the size, in bytes, at which buffered output is written.
const flushAt = 64 << 10

type canonicalWriter struct {
	w     io.Writer
	buf   []byte
	times TimeAppender
}

// flush writes the buffer once it holds at least so many bytes. All text is
// checked here, for it is cheapest in one piece: flushes come between values,
// and quotes part those.
func (o *canonicalWriter) flush(least int) error {
	if len(o.buf) < least {
		return nil
	}
	if !utf8.Valid(o.buf) {
		return errors.New("text is not valid UTF-8")
	}
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	return err
}

func (o *canonicalWriter) head(d *Document) error {
	columns := map[string][]Column{}
	for _, s := range d.Sections {
		columns[s.Name] = s.Columns
	}
	head, err := CanonicalJSON(map[string]any{"columns": columns, "filters": d.Filters, "report_kind": d.Kind})
	if err != nil {
		return fmt.Errorf("write columns and filters: %w", err)
	}
	o.buf = append(o.buf, head[:len(head)-1]...)
	o.buf = append(o.buf, `,"rows":{`...)
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

func (o *canonicalWriter) section(s *Section, more bool, totals Totals) error {
	if more {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(AppendString(o.buf, s.Name), ":["...)
	members := rowMembers(s.Columns)
	first := true
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
		bind(members, batch)
		for row := range batch.Len() {
			if !first {
				o.buf = append(o.buf, ',')
			}
			first = false
			o.row(members, batch, row)
			if err := o.flush(flushAt); err != nil {
				return err
			}
		}
	}
	o.buf = append(o.buf, ']')
	return nil
}

// member is a column as a member of a row's object.
type member struct {
	column int
	typ    Type
	prefix string // `{"name":` for the first, `,"name":` for the others

	codes []uint32 // of the batch that is written, nil where it is not coded
	table Table    // the members' texts by code, with the prefix
}

// bind readies the members for a batch.
func bind(members []member, batch Batch) {
	for i := range members {
		m := &members[i]
		m.codes = nil
		if text := batch[m.column].Text; text.Repeats() {
			m.codes = text.Codes
			m.table.Encode(text.Values, m.appendText)
		}
	}
}

// appendText appends a member with a text or null.
func (m *member) appendText(buf []byte, text string) []byte {
	buf = append(buf, m.prefix...)
	if text == "" {
		return append(buf, "null"...)
	}
	return AppendString(buf, text)
}

// rowMembers sorts columns by name, as RFC 8785 sorts members; the names are
// ASCII, so bytes and UTF-16 units sort alike.
func rowMembers(columns []Column) []member {
	members := make([]member, len(columns))
	for i, c := range columns {
		members[i] = member{column: i, typ: c.Type, prefix: string(AppendString([]byte{','}, c.Name)) + ":"}
	}
	slices.SortFunc(members, func(a, b member) int {
		return strings.Compare(columns[a.column].Name, columns[b.column].Name)
	})
	members[0].prefix = "{" + members[0].prefix[1:]
	return members
}

func (o *canonicalWriter) row(members []member, batch Batch, row int) {
	buf := o.buf
	for i := range members {
		m := &members[i]
		if m.codes != nil {
			buf = append(buf, m.table.Form(m.codes[row])...)
			continue
		}
		vector := &batch[m.column]
		if m.typ == String {
			buf = m.appendText(buf, vector.Text.At(row))
			continue
		}
		buf = append(buf, m.prefix...)
		switch m.typ {
		case Time:
			if v := vector.Int[row]; v != Null {
				buf = append(buf, '"')
				buf = o.times.Append(buf, v)
				buf = append(buf, '"')
				continue
			}
			buf = append(buf, "null"...)
		default:
			buf = appendInteger(buf, vector.Int[row])
		}
	}
	o.buf = append(buf, '}')
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
func (o *canonicalWriter) tail(totals Totals) {
	o.buf = append(o.buf, `},"schema":"`+SchemaName+`","totals":`...)
	o.totals(totals)
	o.buf = append(o.buf, '}')
}

// totals writes the totals with their names sorted.
func (o *canonicalWriter) totals(totals Totals) {
	if len(totals) == 0 {
		o.buf = append(o.buf, "{}"...)
		return
	}
	separator := byte('{')
	for _, section := range sortedKeys(totals) {
		o.buf = append(AppendString(append(o.buf, separator), section), ':')
		separator = ','
		inner := byte('{')
		for _, name := range sortedKeys(totals[section]) {
			o.buf = append(AppendString(append(o.buf, inner), name), ':')
			o.buf = appendInteger(o.buf, totals[section][name])
			inner = ','
		}
		o.buf = append(o.buf, '}')
	}
	o.buf = append(o.buf, '}')
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
	for i := plainPrefix(text); i < len(text); i++ {
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

// plainPrefix is how many bytes at the start of a text certainly need no
// escape. It looks at eight bytes at a time: a byte b is below 0x20 or zero
// after the XOR with a character exactly where b-k borrows into its high bit.
func plainPrefix(text string) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(text); i += 8 {
		word := uint64(text[i]) | uint64(text[i+1])<<8 | uint64(text[i+2])<<16 | uint64(text[i+3])<<24 |
			uint64(text[i+4])<<32 | uint64(text[i+5])<<40 | uint64(text[i+6])<<48 | uint64(text[i+7])<<56
		quote, backslash := word^(ones*'"'), word^(ones*'\\')
		if ((word-ones*0x20)&^word|(quote-ones)&^quote|(backslash-ones)&^backslash)&highs != 0 {
			break
		}
	}
	return i
}

func appendEscape(buf []byte, c byte) []byte {
	if i := strings.IndexByte("\"\\\b\t\n\f\r", c); i >= 0 {
		return append(buf, '\\', `"\btnfr`[i])
	}
	const hex = "0123456789abcdef"
	return append(buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
