package render

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"licensekit/exporter/report"
)

// readRow takes the values from a row.
func readRow(raw []byte, number int, columns []sheetColumn, b *report.Builder) error {
	n := strconv.AppendInt(nil, int64(number), 10)
	rest, ok := bytes.CutPrefix(raw, fmt.Appendf(nil, `<row r="%s">`, n))
	if !ok {
		return errors.New("begins otherwise, or is out of order")
	}
	for i := range columns {
		c := &columns[i]
		content, found := []byte(nil), false
		if content, rest, found = cutCell(rest, c, n); !found {
			addAbsent(b, i, c.typ)
			continue
		}
		if err := addCell(b, i, c.typ, content); err != nil {
			return fmt.Errorf("cell %s%s: %w", columnName(i), n, err)
		}
	}
	if string(rest) != rowEnd {
		return errors.New("holds more than this report's columns, or out of order")
	}
	return nil
}

// cutCell takes the cell of a column off a row, if it comes next, and gives
// what is in it.
func cutCell(row []byte, c *sheetColumn, number []byte) (content, rest []byte, found bool) {
	after, ok := bytes.CutPrefix(row, []byte(c.start))
	if !ok || !bytes.HasPrefix(after, number) || !bytes.HasPrefix(after[len(number):], []byte(`"`)) {
		return nil, row, false
	}
	cell, rest, _ := bytes.Cut(after, []byte("</c>"))
	_, content, _ = bytes.Cut(cell, []byte(">"))
	return content, rest, true
}

func addAbsent(b *report.Builder, column int, typ report.Type) {
	if typ == report.String {
		b.Text(column, nil)
	} else {
		b.Int(column, report.Null)
	}
}

func addCell(b *report.Builder, column int, typ report.Type, content []byte) error {
	text, isText, err := readCell(content)
	switch {
	case err != nil:
		return err
	case typ != report.String:
		v, err := readValue(text, isText, typ)
		b.Int(column, v)
		return err
	case !isText:
		return fmt.Errorf("a number, %.80q, in a column of text", text)
	case !utf8.Valid(text):
		return fmt.Errorf("%.80q is not valid UTF-8", text)
	}
	b.Text(column, text)
	return nil
}

// readCell gives what a cell holds, as it was before it was put into XML.
func readCell(content []byte) (text []byte, isText bool, err error) {
	if number, ok := bytes.CutPrefix(content, []byte("<v>")); ok {
		number, ok = bytes.CutSuffix(number, []byte("</v>"))
		if ok {
			return number, false, nil
		}
	}
	if inline, ok := bytes.CutPrefix(content, []byte("<is><t")); ok {
		_, inline, _ = bytes.Cut(inline, []byte(">"))
		inline, ok = bytes.CutSuffix(inline, []byte("</t></is>"))
		if ok {
			return readXMLText(inline), true, nil
		}
	}
	if bytes.HasPrefix(content, []byte("<f")) {
		return nil, false, errors.New("holds a formula")
	}
	return nil, false, fmt.Errorf("%.80q is neither a number nor text", content)
}

// readValue reads an integer or an instant.
func readValue(text []byte, isText bool, typ report.Type) (int64, error) {
	switch {
	case typ == report.Time && isText:
		return report.ParseTime(string(text))
	case typ == report.Time:
		date, err := strconv.ParseFloat(string(text), 64)
		if err != nil || date < serialDate(firstDate) || date > serialDate(lastDate) {
			return 0, fmt.Errorf("%.80q is not a date", text)
		}
		return fromSerialDate(date), nil
	}
	return readInteger(text)
}
