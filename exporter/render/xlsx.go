package render

import (
	"fmt"
	"strconv"

	"github.com/xuri/excelize/v2"
)

var xlsxFormat = Format{
	Name:        "xlsx",
	ContentType: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	Extension:   "xlsx",
	Encode:      encodeXLSX,
	Decode:      decodeXLSX,
}

// What spreadsheets hold.
const (
	maxNumber   = 999_999_999_999_999 // they keep 15 digits of a number
	maxCellText = 32_767              // UTF-16 units
	maxSheets   = 20                  // beside the summary: some 20 million rows, more than anything opens
)

// sheetLimits says when a sheet is full and another one begins.
type sheetLimits struct {
	rows  int   // below the header
	bytes int64 // of XML; the row that reaches it is the last one
}

// fullSheet is a variable for the tests alone. No part of a file reaches
// 4 GiB, so none needs zip64 headers, which Excel wants in its own way.
var fullSheet = sheetLimits{rows: 1_048_576 - 1, bytes: 3 << 30}

// reached tells whether a sheet of so many rows and bytes is full.
func (l sheetLimits) reached(rows int, bytes int64) bool {
	return rows >= l.rows || bytes >= l.bytes
}

// summarySheet is the name of the first sheet.
const summarySheet = "Summary"

// sheetName names the nth sheet of a section, counted from 1.
func sheetName(section string, nth int) string {
	if nth == 1 {
		return section
	}
	return fmt.Sprintf("%s (%d)", section, nth)
}

// sheetPart is where the nth sheet of a workbook stands in the archive,
// counted from 1.
func sheetPart(nth int) string { return fmt.Sprintf("xl/worksheets/sheet%d.xml", nth) }

// columnName names a column, counted from 0: A to Z, AA to ZZ, and so on.
func columnName(column int) string {
	name, err := excelize.ColumnNumberToName(column + 1)
	if err != nil {
		panic(err) // no report has 16,384 columns
	}
	return name
}

// cellRange names the cells of the first rows of so many columns: A1:O20.
func cellRange(columns, rows int) string {
	return "A1:" + columnName(columns-1) + strconv.Itoa(rows)
}
