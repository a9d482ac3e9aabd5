package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"licensekit/exporter/report"
)

// The summary's labels that stand for a part of [Info]. What the summary says,
// and how, is part of the format: old files must still be read.
const (
	exportLabel   = "Export"
	frozenLabel   = "Frozen at"
	instanceLabel = "Instance"
	keyLabel      = "Signing key"
	digestLabel   = "Digest"
)

// summaryNote says how the sheets are to be read.
const summaryNote = "Times are UTC. An empty cell is an absent value. Integers of more than 15 digits are text."

// summaryLine is a row of the summary; one without a label is a blank.
type summaryLine struct {
	label string
	value any // a string, a report.Instant or an int64
}

// summaryLines say what was asked, what came of it, and where it is from.
func summaryLines(d *report.Document, sheets map[string]int, totals report.Totals, info Info) ([]summaryLine, error) {
	lines := []summaryLine{{}, {"Report", string(d.Kind)}}
	filters, err := filterLines(d.Filters)
	if err != nil {
		return nil, err
	}
	lines = append(append(lines, filters...), summaryLine{})
	for _, s := range d.Sections {
		lines = append(lines, totalLines(s, sheets[s.Name], totals[s.Name])...)
	}
	lines = append(append(lines, summaryLine{}), infoLines(info)...)
	return append(lines, summaryLine{}, summaryLine{"Notes", summaryNote}), nil
}

// filterLines begin with the period, which stands there whether it was asked
// for or not.
func filterLines(f report.Filters) ([]summaryLine, error) {
	period := []summaryLine{{"From", "the beginning"}, {"To (not included)", "the freeze"}}
	if f.From != nil {
		period[0].value = *f.From
	}
	if f.To != nil {
		period[1].value = *f.To
	}
	f.From, f.To = nil, nil
	text, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	var others map[string]any
	if err := json.Unmarshal(text, &others); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		value := fmt.Sprint(others[name])
		if name == "group_by" {
			value = strings.Join(f.GroupBy, ", ")
		}
		period = append(period, summaryLine{"Filter " + name, value})
	}
	return period, nil
}

func totalLines(s report.Section, sheets int, totals map[string]int64) []summaryLine {
	lines := []summaryLine{{s.Name + ": rows", totals["rows"]}}
	for _, c := range s.Columns {
		if c.Sum {
			lines = append(lines, summaryLine{s.Name + ": total " + c.Name, totals[c.Name]})
		}
	}
	if sheets > 1 {
		lines = append(lines, summaryLine{s.Name + ": sheets", sheetName(s.Name, 1) + " to " + sheetName(s.Name, sheets)})
	}
	return lines
}

// infoLines leave out what is not known.
func infoLines(info Info) (lines []summaryLine) {
	add := func(label string, value any, known bool) {
		if known {
			lines = append(lines, summaryLine{label, value})
		}
	}
	add(exportLabel, info.ExportID, info.ExportID != "")
	add(frozenLabel, report.Instant(info.FrozenAt), info.FrozenAt != 0)
	add(instanceLabel, info.Instance, info.Instance != "")
	add(keyLabel, info.KeyID, info.KeyID != "")
	add(digestLabel, info.Digest.String(), info.Digest != report.Digest{})
	return lines
}

// heading is a kind in words: "Usage ledger".
func heading(kind report.Kind) string {
	words := strings.ReplaceAll(string(kind), "-", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// Widths of the summary's columns: of labels, and of values, which may be
// digests.
var summaryWidths = []int{36, 76}

// The columns of the summary by the type of what they hold.
var (
	summaryTitle    = newSheetColumn(0, report.String, titleStyle, titleStyle)
	summaryLabel    = newSheetColumn(0, report.String, labelStyle, labelStyle)
	summaryText     = newSheetColumn(1, report.String, textStyle, textStyle)
	summaryTime     = newSheetColumn(1, report.Time, timeStyle, textStyle)
	summaryQuantity = newSheetColumn(1, report.Integer, leftQuantityStyle, textStyle)
)

// appendSummary writes the summary's sheet.
func appendSummary(dst []byte, kind report.Kind, lines []summaryLine) []byte {
	dst = append(dst, sheetStart+sheetProperties+
		`<sheetViews><sheetView showGridLines="0" tabSelected="1" workbookViewId="0"/></sheetViews>`...)
	dst = append(appendWidths(dst, summaryWidths), rowsStart...)
	dst = append(summaryTitle.appendText(append(dst, `<row r="1" ht="24" customHeight="1">`...), []byte("1"), heading(kind)), rowEnd...)
	for i, line := range lines {
		if line.label == "" {
			continue
		}
		row := fmt.Append(nil, 2+i)
		dst = fmt.Appendf(dst, `<row r="%s">`, row)
		dst = summaryLabel.appendText(dst, row, line.label)
		dst = append(appendSummaryValue(dst, row, line.value), rowEnd...)
	}
	return append(dst, rowsEnd+sheetPrinting+`</worksheet>`...)
}

func appendSummaryValue(dst, row []byte, value any) []byte {
	switch v := value.(type) {
	case report.Instant:
		return summaryTime.appendInt(dst, row, int64(v))
	case int64:
		return summaryQuantity.appendInt(dst, row, v)
	default:
		return summaryText.appendText(dst, row, v.(string))
	}
}

// readInfo takes from a summary what it says of the file's origin. The rest
// follows from the report, and is compared once the rows are known.
func readInfo(summary []byte) (info Info, err error) {
	for {
		row, rest, more := bytes.Cut(summary, []byte(rowEnd))
		if !more {
			return info, nil
		}
		summary = rest
		if err := info.read(row); err != nil {
			return info, fmt.Errorf("sheet %q: %w", summarySheet, err)
		}
	}
}

// read takes a value from a row of a summary, if it is one of ours.
func (info *Info) read(row []byte) error {
	_, row, _ = bytes.Cut(row, []byte(`<row r="`))
	number, cells, _ := bytes.Cut(row, []byte(`">`))
	name, cells, found := cutCell(cells, &summaryLabel, number)
	if !found {
		return nil
	}
	value, _, found := cutCell(cells, &summaryText, number)
	if !found {
		return nil
	}
	label, _, err := readCell(name)
	if err != nil {
		return err
	}
	text, isText, err := readCell(value)
	if err != nil {
		return err
	}
	switch string(label) {
	case exportLabel:
		info.ExportID = string(text)
	case instanceLabel:
		info.Instance = string(text)
	case keyLabel:
		info.KeyID = string(text)
	case frozenLabel:
		info.FrozenAt, err = readValue(text, isText, report.Time)
	case digestLabel:
		info.Digest, err = report.ParseDigest(string(text))
	}
	return err
}
