package render

import (
	"sort"
	"strconv"
	"strings"

	"licensekit/exporter/render/typeset"
	"licensekit/exporter/report"
)

// pdfTable says how a section is shown.
type pdfTable struct {
	section *report.Section
	columns []*pdfColumn
	size    float64 // of the text, in points
	wide    bool    // the paper lies on its side
	striped bool    // whether the next row is

	lines [][]typeset.Line // of the row that was set last, by column
}

// pdfColumn is a column as it is shown.
type pdfColumn struct {
	report.Column
	label     string
	precision precision
	sizes     [128]int64 // how many values have a width of n quarters of the font size
	widest    int        // in thousandths of the font size
	width     float64    // in points, the gap behind it included
}

func newPDFTable(s *report.Section) *pdfTable {
	t := &pdfTable{section: s}
	for _, c := range s.Columns {
		t.columns = append(t.columns, &pdfColumn{Column: c, label: label(c.Name)})
	}
	return t
}

// survey learns how wide the columns are.
func (t *pdfTable) survey(set *typeset.Setter, batch report.Batch) {
	for i, c := range t.columns {
		if c.Type == report.Time {
			for _, v := range batch[i].Int {
				if v != report.Null {
					c.precision = max(c.precision, precisionOf(v))
				}
			}
		}
		for row := range batch.Len() {
			c.measure(set.Measure(typeset.Regular, c.text(batch[i], row)))
		}
	}
}

func (c *pdfColumn) measure(width int) {
	c.sizes[min(width/250, len(c.sizes)-1)]++
	c.widest = max(c.widest, width)
}

// text is what a cell shows.
func (c *pdfColumn) text(v report.Vector, row int) string {
	switch {
	case c.Type == report.String:
		return v.Text.At(row)
	case v.Int[row] == report.Null:
		return ""
	case c.Type == report.Time:
		return moment(v.Int[row], c.precision)
	case c.names():
		return strconv.FormatInt(v.Int[row], 10)
	}
	return grouped(v.Int[row])
}

// names tells whether the numbers of a column name something and don't count.
func (c *pdfColumn) names() bool { return c.Name == "sequence" || c.Name == "status_code" }

// right tells whether the column's values stand at its right edge.
func (c *pdfColumn) right() bool { return c.Type == report.Integer }

// usual is a width that nearly all values keep within, in thousandths of the
// font size: a few long ones may take more lines.
func (c *pdfColumn) usual() int {
	var all, seen int64
	for _, n := range c.sizes {
		all += n
	}
	for quarters, n := range c.sizes {
		if seen += n; seen*100 >= all*97 {
			return min(c.widest, 250*(quarters+1))
		}
	}
	return c.widest
}

// Sizes of a table's text, in points, from the one that is wanted to the
// smallest that can be read in print.
var tableSizes = []float64{8.5, 8, 7.5, 7, 6.5}

// The gap between columns, in thousandths of the font size. Readers of text
// take what is further apart for words of their own.
const columnGap = 1250

// plan chooses orientation, size and widths, given the width that there is on
// paper that stands and on paper that lies on its side. The gap behind the
// last column sticks out. Numbers and times are not broken into lines, their
// totals neither.
func (t *pdfTable) plan(set *typeset.Setter, totals report.Totals, upright, sideways float64) {
	wanted := make([]int, len(t.columns))
	sums := t.sums(totals)
	total := 0
	for i, c := range t.columns {
		switch c.Type {
		case report.Time: // measured before the precision was known
			c.widest = set.Measure(typeset.Regular, "0000-00-00 00:00:00.000"[:len(moment(0, c.precision))])
			wanted[i] = c.widest
		case report.Integer:
			wanted[i] = max(c.widest, 2000)
		default:
			wanted[i] = max(c.usual(), 2000)
		}
		if sums != nil {
			wanted[i] = max(wanted[i], set.Measure(typeset.Bold, sums[i]))
		}
		wanted[i] = max(wanted[i], min(set.Measure(typeset.Bold, c.label), 5500), longestWord(set, c.label)) + columnGap
		total += wanted[i]
	}
	for _, t.wide = range []bool{false, true} {
		width := upright
		if t.wide {
			width = sideways
		}
		for _, t.size = range tableSizes {
			if float64(total-columnGap)*t.size/1000 <= width {
				t.stretch(wanted, width+t.gap())
				return
			}
			if !t.wide && t.size <= 7.5 {
				break // better a page on its side than small print
			}
		}
	}
	t.squeeze(wanted, sideways+t.gap())
}

// stretch gives the columns what they want, and what is left over to those of
// text.
func (t *pdfTable) stretch(wanted []int, width float64) {
	left, texts := width, 0.0
	for i, c := range t.columns {
		c.width = float64(wanted[i]) * t.size / 1000
		left -= c.width
		if !c.right() {
			texts += c.width
		}
	}
	for _, c := range t.columns {
		switch {
		case texts == 0:
			c.width += left / float64(len(t.columns))
		case !c.right():
			c.width += left * c.width / texts
		}
	}
}

// squeeze takes from the widest columns of text until the rest fits. Numbers
// and times keep what they want, as long as that leaves the text half.
func (t *pdfTable) squeeze(wanted []int, width float64) {
	room, fixed := int(width*1000/t.size), 0
	for i, c := range t.columns {
		if c.Type != report.String {
			fixed += wanted[i]
		}
	}
	kept := fixed <= room/2
	limit := sort.Search(room, func(limit int) bool {
		total := 0
		for i, c := range t.columns {
			if kept && c.Type != report.String {
				total += wanted[i]
			} else {
				total += min(wanted[i], limit+1)
			}
		}
		return total > room
	})
	for i, c := range t.columns {
		c.width = float64(wanted[i]) * t.size / 1000
		if !kept || c.Type == report.String {
			c.width = float64(min(wanted[i], limit)) * t.size / 1000
		}
	}
}

// longestWord is the width of the longest word of a label.
func longestWord(set *typeset.Setter, label string) (width int) {
	for word := range strings.FieldsSeq(label) {
		width = max(width, set.Measure(typeset.Bold, word))
	}
	return width
}

// gap is the space behind a column's text, in points.
func (t *pdfTable) gap() float64 { return columnGap * t.size / 1000 }

// set breaks the texts of a row into lines and gives the row's height.
func (t *pdfTable) set(set *typeset.Setter, style typeset.Style, texts []string) float64 {
	t.lines = t.lines[:0]
	most := 1
	for i, c := range t.columns {
		lines := set.Lines(style, texts[i], inFont(c.width-t.gap(), t.size)+1)
		t.lines = append(t.lines, lines)
		most = max(most, len(lines))
	}
	return float64(most)*leading*t.size + rowPadding
}

// texts is what a row shows.
func (t *pdfTable) texts(batch report.Batch, row int) []string {
	texts := make([]string, len(t.columns))
	for i, c := range t.columns {
		texts[i] = c.text(batch[i], row)
	}
	return texts
}

// sums is what stands below the table's rows, nil if nothing is added up.
func (t *pdfTable) sums(totals report.Totals) []string {
	var texts []string
	for i, c := range t.columns {
		if !c.Sum {
			continue
		}
		if texts == nil {
			texts = make([]string, len(t.columns))
			if !t.columns[0].Sum {
				texts[0] = "Total"
			}
		}
		texts[i] = grouped(totals[t.section.Name][c.Name])
	}
	return texts
}
