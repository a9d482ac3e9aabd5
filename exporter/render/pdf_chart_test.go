package render

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"licensekit/exporter/render/typeset"
	"licensekit/exporter/report"
)

// daily is a usage-summary of the days of a zone, with an amount of 1 for each
// but 10 for the first of a month.
func daily(t *testing.T, zone string, days int) *report.Document {
	t.Helper()
	filters := filtersOf(t, report.UsageSummary, map[string]string{"bucket": "1d", "time_zone": zone, "group_by": "product_id"})
	location, err := filters.Location()
	if err != nil {
		t.Fatal(err)
	}
	sections := report.Sections(report.UsageSummary, filters)
	var rows [][]any
	for day := range days {
		at, amount := time.Date(2026, 2, 1+day, 0, 0, 0, 0, location), int64(1)
		if at.Day() == 1 {
			amount = 10
		}
		rows = append(rows, []any{at.UnixMilli(), "prod", int64(1), amount})
	}
	sections[0].Rows = rowsOf(sections[0].Columns, rows, 7)
	return &report.Document{Kind: report.UsageSummary, Filters: filters, Sections: sections}
}

// A day belongs to the date and the month that it has where it is counted,
// east and west of Greenwich, over a change of the clocks.
func TestChartFollowsTheTimeZone(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati"} {
		for _, c := range []struct {
			days  int
			unit  string
			first float64
			bars  int
		}{{59, "day", 10, 59}, {89, "month", 10 + 27, 3}} {
			d := daily(t, zone, c.days)
			location, _ := d.Filters.Location()
			chart := newChart(&d.Sections[0], location)
			for batch, err := range d.Sections[0].Rows {
				if err != nil {
					t.Fatal(err)
				}
				chart.add(batch)
			}
			unit, bars := chart.series()
			if unit.name != c.unit || len(bars) != c.bars {
				t.Errorf("%s: %d bars by %s, want %d by %s", zone, len(bars), unit.name, c.bars, c.unit)
				continue
			}
			if got := bars[0].start.Format(time.DateOnly); got != "2026-02-01" || bars[0].amount != c.first {
				t.Errorf("%s by %s: the first bar is %v at %s, want %v at 2026-02-01", zone, c.unit, bars[0].amount, got, c.first)
			}
			if slices.ContainsFunc(bars, func(b timeBar) bool { return b.amount == 0 }) {
				t.Errorf("%s by %s: a bar is empty: %v", zone, c.unit, bars)
			}
		}
	}
}

func TestPDFSaysWhichZoneItsChartIsIn(t *testing.T) {
	file, _ := encodedPDF(t, daily(t, "Asia/Kathmandu", 10))
	got := tool(t, file, "pdftotext", "-l", "1", "-", "-")
	for _, want := range []string{"Amount by day in Asia/Kathmandu", "1 Feb 2026"} {
		if !strings.Contains(got, want) {
			t.Errorf("the first page does not have %q:\n%s", want, got)
		}
	}
}

func TestAmountsStandBesideTheirBars(t *testing.T) {
	set := typeset.NewSetter()
	for _, c := range []struct {
		amount int64
		want   float64
	}{{1, 80}, {report.MaxAmount, 90}} {
		got := amountsWidth(set, []bar{{"a", c.amount}, {"b", -1}}, 8.5)
		if got < c.want || got > c.want+20 {
			t.Errorf("room for %s: %.1f points, want %v and little more", grouped(c.amount), got, c.want)
		}
	}
	for _, c := range []struct{ amount, want float64 }{{1, 58}, {-report.MaxAmount, 88}} {
		axis := newAxis([]timeBar{{amount: c.amount}, {amount: 1}}, 0, 100)
		if got := axis.width(set, 7.5); got < c.want || got > c.want+20 {
			t.Errorf("room beside an axis from %v to %v: %.1f points, want %v and little more", axis.low, axis.high, got, c.want)
		}
	}
}

// Pages are read by the dates that the present version draws, and those before had
// no more room for amounts of many digits.
func TestDatesOfChartsDoNotDependOnAmounts(t *testing.T) {
	dates := func(bars int, amount float64) (said []string) {
		var spans []timeBar
		for day := range bars {
			spans = append(spans, timeBar{start: time.Date(2026, 2, 1+day, 0, 0, 0, 0, time.UTC), amount: amount})
		}
		d := daily(t, "UTC", 2)
		_, info := canonical(t, d)
		set := typeset.NewSetter()
		s, err := surveyReport(t.Context(), set, info.Canonical)
		if err != nil {
			t.Fatal(err)
		}
		p, err := newPages(io.Discard, set, s, info)
		if err != nil {
			t.Fatal(err)
		}
		p.begin(false)
		p.record = true
		day := slices.IndexFunc(chartUnits, func(u chartUnit) bool { return u.name == "day" })
		drawSpans(p, p.width-2*sideMargin, chartUnits[day], spans)
		return slices.DeleteFunc(p.said, func(text string) bool { return !strings.Contains(text, "2026") })
	}
	for bars := 1; bars <= maxSpans; bars++ {
		if got, want := dates(bars, report.MaxAmount), dates(bars, 1); !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%d bars: got the dates %q beside many digits, want %q as beside few", bars, got, want)
		}
	}
}
