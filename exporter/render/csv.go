package render

import (
	"licensekit/exporter/report"
)

var csvFormat = Format{
	Name:        "csv",
	ContentType: "text/csv",
	Extension:   "csv",
	Encode:      encodeCSV,
	Decode:      decodeCSV,
}

// sectionColumn is the first column where a file holds several sections.
const sectionColumn = "section"

// layout says which field of a record holds what.
type layout struct {
	header   []string
	sections []sectionLayout
}

// sectionLayout says where the columns of a section stand in a record.
type sectionLayout struct {
	name    string
	columns []report.Column
	places  []int // places[i] is the field of columns[i]
	others  []int // the fields of other sections' columns, which stay empty
}

// several tells whether records name their section.
func (l *layout) several() bool { return len(l.sections) > 1 }

func newLayout(sections []report.Section) *layout {
	l := &layout{}
	if len(sections) > 1 {
		l.header = []string{sectionColumn}
	}
	places := map[string]int{}
	for _, s := range sections {
		for _, c := range s.Columns {
			if _, ok := places[c.Name]; !ok {
				places[c.Name] = len(l.header)
				l.header = append(l.header, c.Name)
			}
		}
	}
	for _, s := range sections {
		l.sections = append(l.sections, l.section(s, places))
	}
	return l
}

func (l *layout) section(s report.Section, places map[string]int) sectionLayout {
	own := sectionLayout{name: s.Name, columns: s.Columns}
	taken := make([]bool, len(l.header))
	taken[0] = l.header[0] == sectionColumn
	for _, c := range s.Columns {
		own.places = append(own.places, places[c.Name])
		taken[places[c.Name]] = true
	}
	for place := range taken {
		if !taken[place] {
			own.others = append(own.others, place)
		}
	}
	return own
}

// guard stands in front of text that a spreadsheet could take for a formula.
const guard = '\''

// guarded holds the characters that text with a guard begins with. The guard
// is one of them, or text that begins with it would lose it in decoding.
var guarded = [256]bool{'=': true, '+': true, '-': true, '@': true, '\t': true, '\r': true, guard: true}

// GuardText gives text the guard that it may need, for CSV that is no artifact.
func GuardText(text string) string {
	if text != "" && guarded[text[0]] {
		return string(guard) + text
	}
	return text
}
