package render

import (
	"math"
	"strconv"

	"licensekit/exporter/report"
)

// Spreadsheets count days from 1899-12-30. They take 1900 for a leap year, so
// before March 1900 not all of them agree; after 9999 they show no dates.
const (
	msPerDay    = 86_400_000
	serialEpoch = -25_569 * msPerDay // 1899-12-30T00:00:00.000Z
	firstDate   = -2_203_891_200_000 // 1900-03-01T00:00:00.000Z
	lastDate    = report.MaxInstant
	headerRow   = 1
)

// serialDate is the date of an instant from firstDate to lastDate. A float64
// holds it to 40 microseconds, so milliseconds survive.
func serialDate(ms int64) float64 { return float64(ms-serialEpoch) / msPerDay }

// fromSerialDate is the inverse of serialDate.
func fromSerialDate(date float64) int64 { return int64(math.Round(date*msPerDay)) + serialEpoch }

// isNumber tells whether a value of a column is written as a number, not as text.
func isNumber(typ report.Type, v int64) bool {
	if typ == report.Time {
		return v >= firstDate && v <= lastDate
	}
	return v >= -maxNumber && v <= maxNumber
}

// sheetColumn is what the cells of a column have in common.
type sheetColumn struct {
	typ    report.Type
	start  string // of a cell, up to its row number
	number string // from there to a number
	text   string // from there to text
	spaced string // the same where white space matters
}

// The ends of cells.
const (
	numberEnd = "</v></c>"
	textEnd   = "</t></is></c>"
)

// newSheetColumn makes out how the cells of a column are written: numbers in
// one style, text in another.
func newSheetColumn(place int, typ report.Type, numbers, texts cellStyle) sheetColumn {
	text := `" s="` + texts.index() + `" t="inlineStr"><is><t`
	return sheetColumn{
		typ:    typ,
		start:  `<c r="` + columnName(place),
		number: `" s="` + numbers.index() + `"><v>`,
		text:   text + ">",
		spaced: text + ` xml:space="preserve">`,
	}
}

// sheetColumns gives the columns of a section. What is summed up is a
// quantity; other integers are codes and ordinals, without separators.
func sheetColumns(columns []report.Column) []sheetColumn {
	sheet := make([]sheetColumn, len(columns))
	for i, c := range columns {
		switch {
		case c.Type == report.String:
			sheet[i] = newSheetColumn(i, c.Type, numberStyle, textStyle)
		case c.Type == report.Time:
			sheet[i] = newSheetColumn(i, c.Type, timeStyle, digitsStyle)
		case c.Sum:
			sheet[i] = newSheetColumn(i, c.Type, quantityStyle, digitsStyle)
		default:
			sheet[i] = newSheetColumn(i, c.Type, numberStyle, digitsStyle)
		}
	}
	return sheet
}

// appendRow writes a row of a batch as row number so and so of its sheet.
// There is no cell for an absent value.
func appendRow(dst []byte, columns []sheetColumn, number int, batch report.Batch, row int) []byte {
	var digits [20]byte
	n := strconv.AppendInt(digits[:0], int64(number), 10)
	dst = append(append(append(dst, `<row r="`...), n...), `">`...)
	for i := range columns {
		c := &columns[i]
		if c.typ == report.String {
			dst = c.appendText(dst, n, batch[i].Text.At(row))
		} else {
			dst = c.appendInt(dst, n, batch[i].Int[row])
		}
	}
	return append(dst, rowEnd...)
}

func (c *sheetColumn) appendText(dst, row []byte, text string) []byte {
	if text == "" {
		return dst
	}
	start := c.text
	if keepsSpace(text) {
		start = c.spaced
	}
	dst = append(append(append(dst, c.start...), row...), start...)
	return append(appendXMLText(dst, text), textEnd...)
}

func (c *sheetColumn) appendInt(dst, row []byte, v int64) []byte {
	if v == report.Null {
		return dst
	}
	dst = append(append(dst, c.start...), row...)
	switch {
	case isNumber(c.typ, v) && c.typ == report.Time:
		dst = strconv.AppendFloat(append(dst, c.number...), serialDate(v), 'f', -1, 64)
	case isNumber(c.typ, v):
		dst = strconv.AppendInt(append(dst, c.number...), v, 10)
	case c.typ == report.Time:
		return append(report.AppendTime(append(dst, c.text...), v), textEnd...)
	default:
		return append(strconv.AppendInt(append(dst, c.text...), v, 10), textEnd...)
	}
	return append(dst, numberEnd...)
}
