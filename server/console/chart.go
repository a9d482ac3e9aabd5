package console

import (
	"math"
	"strconv"
)

// chart is a chart of bars, drawn as SVG: across in percent of its width, so
// that it fits wherever it stands, and down in pixels, so that text stays text.
type chart struct {
	Title  string // what it shows, for who can't see it
	Column string // what a bar stands for, over the first column of its table
	Value  string // what is added up, over the second
	Bars   []bar
	Lines  []chartLine
	Marks  []chartMark
	Zero   string // where the bars stand
}

// bar is a bar with what it stands for.
type bar struct {
	Label string
	Mark  string // the same in less room
	Value int64

	Slot, SlotWidth string // its share of the width
	X, Width        string // its own
	Y, Height       string
}

// chartLine is a line across the chart at a round value.
type chartLine struct{ Y, TextY, Label string }

// chartMark is a label under the bars.
type chartMark struct{ X, Label string }

// The measures of a chart, in pixels.
const (
	chartTop   = 12.0
	chartDepth = 190.0 // of what the bars stand in
)

// draw gives the bars their places.
func (c *chart) draw(l *locale) {
	low, high := int64(0), int64(0)
	for _, b := range c.Bars {
		low, high = min(low, b.Value), max(high, b.Value)
	}
	floor, ceiling, step := scale(float64(low), float64(high))
	y := func(value float64) float64 {
		return chartTop + (ceiling-value)/(ceiling-floor)*chartDepth
	}
	for at := floor; at <= ceiling+step/2; at += step {
		c.Lines = append(c.Lines, chartLine{pixels(y(at)), pixels(y(at) + 4), l.round(at)})
	}
	c.Zero = pixels(y(0))
	slot := 100 / float64(len(c.Bars))
	for i := range c.Bars {
		b := &c.Bars[i]
		b.Slot, b.SlotWidth = percent(float64(i)*slot), percent(slot)
		b.X, b.Width = percent((float64(i)+.14)*slot), percent(.72*slot)
		top, bottom := y(max(float64(b.Value), 0)), y(min(float64(b.Value), 0))
		if b.Value != 0 {
			b.Y, b.Height = pixels(top), pixels(max(bottom-top, 1.5))
		}
	}
	c.mark(slot)
}

// mark labels some of the bars, no more than a phone has room for.
func (c *chart) mark(slot float64) {
	const most = 4
	n := len(c.Bars)
	every := (n + most - 1) / most
	for i := 0; i < n; i += every {
		c.Marks = append(c.Marks, chartMark{percent((float64(i) + .5) * slot), c.Bars[i].Mark})
	}
}

// scale gives round bounds around values from low to high, which includes 0,
// and the round step between lines: whole numbers all.
func scale(low, high float64) (floor, ceiling, step float64) {
	const lines = 4
	span := max(high-low, 1)
	magnitude := math.Pow(10, math.Floor(math.Log10(span/lines)))
	for _, round := range []float64{1, 2, 2.5, 5, 10} {
		if step = round * magnitude; step >= 1 && step == math.Trunc(step) && span/step <= lines {
			break
		}
	}
	step = max(step, 1)
	floor, ceiling = math.Floor(low/step)*step, math.Ceil(high/step)*step
	if ceiling == floor {
		ceiling += step
	}
	return floor, ceiling, step
}

func pixels(n float64) string { return strconv.FormatFloat(n, 'f', 1, 64) }

func percent(n float64) string { return strconv.FormatFloat(n, 'f', 3, 64) + "%" }

// share is a value's part of the greatest, for a bar beside it.
func share(value, greatest int64) string {
	if value <= 0 || greatest <= 0 {
		return "0%"
	}
	return percent(max(float64(value)/float64(greatest)*100, .5))
}
