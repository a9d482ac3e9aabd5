package render

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"licensekit/exporter/render/typeset"
	"licensekit/exporter/report"
)

// chart shows a section's amounts: over time where its rows have one, else
// those of the greatest rows.
type chart struct {
	section *report.Section
	zone    *time.Location // whose days and months they are
	amount  int            // the column that is shown
	at      int            // the column of the time, -1 if there is none
	names   []int          // the columns of text

	hours map[int64]float64 // amounts by hours of the zone's clocks, as if these were UTC
	top   []bar             // the greatest rows, greatest first
}

// bar is an amount and what it belongs to.
type bar struct {
	name   string
	amount int64
}

// topBars is how many rows a chart of the greatest has.
const topBars = 8

// newChart gives nil for a section that has nothing to show.
func newChart(s *report.Section, zone *time.Location) *chart {
	c := &chart{section: s, zone: zone, amount: -1, at: -1, hours: map[int64]float64{}}
	for i, column := range s.Columns {
		switch {
		case column.Name == "amount" && column.Sum:
			c.amount = i
		case column.Name == "bucket_start" || column.Name == "occurred_at":
			c.at = i
		case column.Type == report.String:
			c.names = append(c.names, i)
		}
	}
	if c.amount < 0 {
		return nil
	}
	return c
}

func (c *chart) add(batch report.Batch) {
	for row := range batch.Len() {
		amount := batch[c.amount].Int[row]
		if amount == report.Null {
			continue
		}
		if c.at >= 0 {
			if ms := batch[c.at].Int[row]; ms != report.Null {
				c.hours[c.hour(ms)] += float64(amount)
			}
			continue
		}
		c.rank(batch, row, amount)
	}
}

// hour is the one that the zone's clocks show, counted from the epoch.
func (c *chart) hour(ms int64) int64 {
	_, offset := time.UnixMilli(ms).In(c.zone).Zone()
	return int64(math.Floor(float64(ms)/3_600_000 + float64(offset)/3600))
}

// rank keeps a row that is among the greatest. Of equal ones the first stays.
func (c *chart) rank(batch report.Batch, row int, amount int64) {
	if len(c.top) == topBars && amount <= c.top[topBars-1].amount {
		return
	}
	var names []string
	for _, column := range c.names {
		if name := batch[column].Text.At(row); name != "" {
			names = append(names, name)
		}
	}
	c.top = append(c.top, bar{strings.Join(names, " · "), amount})
	slices.SortStableFunc(c.top, func(a, b bar) int { return cmp.Compare(b.amount, a.amount) })
	c.top = c.top[:min(len(c.top), topBars)]
}

// useful tells whether there is anything to compare.
func (c *chart) useful() bool {
	if c.at >= 0 {
		_, bars := c.series()
		return len(bars) > 1
	}
	return len(c.top) > 1 && c.top[0].amount > 0
}

func (c *chart) title() string {
	if c.at >= 0 {
		unit, _ := c.series()
		title := "Amount by " + unit.name
		if c.zone != time.UTC {
			title += " in " + c.zone.String()
		}
		return title
	}
	return "Greatest amounts"
}

// chartUnit is what a bar of time is wide.
type chartUnit struct {
	name   string
	layout string // how its start is written
	start  func(time.Time) time.Time
	next   func(time.Time) time.Time
}

var chartUnits = []chartUnit{
	{"hour", "2 Jan 15:04", func(t time.Time) time.Time { return t }, func(t time.Time) time.Time { return t.Add(time.Hour) }},
	{"day", "2 Jan 2006", func(t time.Time) time.Time { return t.Truncate(24 * time.Hour) }, func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	{"month", "Jan 2006", func(t time.Time) time.Time { return date(t.Year(), t.Month()) }, func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
	{"year", "2006", func(t time.Time) time.Time { return date(t.Year(), 1) }, func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
}

func date(year int, month time.Month) time.Time {
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
}

// timeBar is a unit of time with its amount.
type timeBar struct {
	start  time.Time
	amount float64
}

// maxSpans is how many bars can be told apart.
const maxSpans = 62

// series adds the hours up to the smallest unit that gives few enough bars.
// Time without rows has bars too. No bars at all mean that the rows span more
// years than fit.
func (c *chart) series() (chartUnit, []timeBar) {
	if len(c.hours) == 0 {
		return chartUnits[0], nil
	}
	hours := slices.Sorted(maps.Keys(c.hours))
	at := func(hour int64) time.Time { return time.Unix(hour*3600, 0).UTC() }
	last := at(hours[len(hours)-1])
	for _, u := range chartUnits {
		var spans []timeBar
		for t := u.start(at(hours[0])); !t.After(last) && len(spans) <= maxSpans; t = u.next(t) {
			spans = append(spans, timeBar{start: t})
		}
		if len(spans) > maxSpans {
			continue
		}
		i := 0
		for _, hour := range hours {
			for i+1 < len(spans) && !at(hour).Before(spans[i+1].start) {
				i++
			}
			spans[i].amount += c.hours[hour]
		}
		return u, spans
	}
	return chartUnits[len(chartUnits)-1], nil
}

// draw sets the chart across a page of text.
func (c *chart) draw(p *pages) {
	width := p.width - 2*sideMargin
	if c.at < 0 {
		drawBars(p, width, c.top)
		return
	}
	unit, spans := c.series()
	drawSpans(p, width, unit, spans)
}

// drawBars sets bars that lie, with their names on the left.
func drawBars(p *pages, width float64, bars []bar) {
	const size, step, names = 8.5, 17.0, 190.0
	greatest := float64(bars[0].amount)
	amounts := amountsWidth(p.set, bars, size)
	for _, b := range bars {
		lines := p.set.Lines(typeset.Regular, b.name, inFont(names-10, size))
		p.room(max(step, float64(len(lines))*size*lineSpacing+4))
		below := p.paragraph(sideMargin, p.y, names-10, size, typeset.Regular, ink, b.name)
		whole := width - names - amounts
		p.canvas.Rect(sideMargin+names, p.y-8, whole, 10, zebra)
		if b.amount > 0 {
			p.canvas.Rect(sideMargin+names, p.y-8, max(whole*float64(b.amount)/greatest, 0.5), 10, accent)
		}
		p.textRight(sideMargin+width, p.y, size, typeset.Regular, ink, grouped(b.amount))
		p.y = max(p.y+step, below+4)
	}
}

// amountsWidth is the room that the amounts need beside their bars.
func amountsWidth(set *typeset.Setter, bars []bar, size float64) float64 {
	width := 80.0
	for _, b := range bars {
		width = max(width, float64(set.Measure(typeset.Regular, grouped(b.amount)))*size/1000+10)
	}
	return width
}

// drawSpans sets bars that stand, along an axis of time.
func drawSpans(p *pages, width float64, u chartUnit, spans []timeBar) {
	const height, size = 118.0, 7.5
	p.room(height + 40)
	a := newAxis(spans, p.y, height)
	axisWidth := a.width(p.set, size)
	dated := datedSpans(width-leastAxis, len(spans))
	x := sideMargin + axisWidth
	width -= axisWidth
	for v := a.low; v <= a.high+a.step/2; v += a.step {
		p.canvas.Rect(x, a.place(v), width, 0.4, hairline)
		p.textRight(x-8, a.place(v)+2.5, size, typeset.Regular, quiet, grouped(int64(math.Round(v))))
	}
	pitch := width / float64(len(spans))
	for i, s := range spans {
		top, bottom := a.place(max(s.amount, 0)), a.place(min(s.amount, 0))
		p.canvas.Rect(x+(float64(i)+0.12)*pitch, top, pitch*0.76, bottom-top, accent)
	}
	for _, i := range dated {
		p.text(x+(float64(i)+0.12)*pitch, p.y+height+12, size, typeset.Regular, quiet, spans[i].start.Format(u.layout))
	}
	p.y += height + 18
}

// axis places amounts between top and top+height.
type axis struct{ low, high, step, top, height float64 }

// newAxis ends at round numbers and has the zero.
func newAxis(spans []timeBar, top, height float64) axis {
	low, high := 0.0, 0.0
	for _, s := range spans {
		low, high = min(low, s.amount), max(high, s.amount)
	}
	step := niceStep((high - low) / 3)
	low, high = math.Floor(low/step)*step, math.Ceil(high/step)*step
	if low == high {
		high += step
	}
	return axis{low, high, step, top, height}
}

// leastAxis is the room beside an axis whose values are short.
const leastAxis = 58.0

// width is the room that the values beside the axis need.
func (a axis) width(set *typeset.Setter, size float64) float64 {
	width := leastAxis
	for _, end := range []float64{a.low, a.high} {
		width = max(width, float64(set.Measure(typeset.Regular, grouped(int64(end))))*size/1000+8)
	}
	return width
}

func (a axis) place(v float64) float64 { return a.top + a.height*(a.high-v)/(a.high-a.low) }

// datedSpans are those of n bars that have room for their date. They are the same
// whatever room the values beside the axis need: earlier versions gave those
// [leastAxis], and what they froze has these dates.
func datedSpans(width float64, n int) (dated []int) {
	const room = 62.0
	pitch := width / float64(n)
	every := int(math.Ceil(room / pitch))
	for i := 0; i < n && (i == 0 || float64(n-i)*pitch > room*0.7); i += every {
		dated = append(dated, i)
	}
	return dated
}

// niceStep is the 1, 2 or 5 times a power of ten that is next to v, at least 1.
func niceStep(v float64) float64 {
	if v <= 1 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, factor := range []float64{1, 2, 5} {
		if v <= factor*power {
			return factor * power
		}
	}
	return 10 * power
}
