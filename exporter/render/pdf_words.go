package render

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"licensekit/exporter/report"
)

// label is a column's or a section's name in words: "Customer" for
// customer_id.
func label(name string) string {
	if name == "id" {
		return "ID"
	}
	words := strings.ReplaceAll(strings.TrimSuffix(name, "_id"), "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// grouped writes an integer with a comma between thousands.
func grouped(v int64) string {
	digits := strconv.FormatInt(v, 10)
	start := 0
	if v < 0 {
		start = 1
	}
	if len(digits)-start < 4 {
		return digits
	}
	text := make([]byte, 0, len(digits)+len(digits)/3)
	for i := range digits {
		if i > start && (len(digits)-i)%3 == 0 {
			text = append(text, ',')
		}
		text = append(text, digits[i])
	}
	return string(text)
}

// counted is a number of things.
func counted(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return grouped(n) + " " + thing + "s"
}

// precision says how much of a time is shown. A column shows as much as its
// values need.
type precision uint8

const (
	toDay precision = iota
	toMinute
	toSecond
	toMillisecond
)

// precisionOf is what an instant needs.
func precisionOf(ms int64) precision {
	switch {
	case ms%1000 != 0:
		return toMillisecond
	case ms%60_000 != 0:
		return toSecond
	case ms%86_400_000 != 0:
		return toMinute
	}
	return toDay
}

// moment writes an instant in UTC: 2025-01-03 06:46:25.444.
func moment(ms int64, p precision) string {
	text := report.AppendTime(make([]byte, 0, 24), ms)
	text[10] = ' '
	return string(text[:[]int{10, 16, 19, 23}[p]])
}

// longMoment writes an instant for running text, with its zone.
func longMoment(ms int64) string {
	t := time.UnixMilli(ms).UTC()
	switch precisionOf(ms) {
	case toDay:
		return t.Format("2 January 2006, 00:00 UTC")
	case toMinute:
		return t.Format("2 January 2006, 15:04 UTC")
	case toSecond:
		return t.Format("2 January 2006, 15:04:05 UTC")
	}
	return t.Format("2 January 2006, 15:04:05.000 UTC")
}

// day writes a date for running text.
func day(ms int64) string { return time.UnixMilli(ms).UTC().Format("2 January 2006") }

// period is the time that a report is about, in words. The end is not part of
// it; where both ends are midnights of UTC, the last day is named.
func period(f report.Filters) string {
	switch {
	case f.From == nil && f.To == nil:
		return "All recorded time"
	case f.To == nil:
		return "From " + longMoment(int64(*f.From))
	case f.From == nil:
		return "Before " + longMoment(int64(*f.To))
	}
	from, to := int64(*f.From), int64(*f.To)
	if from < to && precisionOf(from) == toDay && precisionOf(to) == toDay {
		if last := to - 86_400_000; last > from {
			return day(from) + " to " + day(last) + " (UTC)"
		}
		return day(from) + " (UTC)"
	}
	return longMoment(from) + " until before " + longMoment(to)
}

// fact is a label with what it stands for.
type fact struct{ label, value string }

// choices are the filters in words, but for the period.
func choices(f report.Filters) (facts []fact) {
	for _, c := range []fact{
		{"Product", f.ProductID}, {"Customer", f.CustomerID}, {"License", f.LicenseID}, {"Order", f.OrderID},
		{"Subscription", f.SubscriptionID}, {"Feature", f.FeatureCode}, {"Action", f.Action},
		{"Grouped by", groups(f.GroupBy)}, {"Periods", buckets(f)},
	} {
		if c.value != "" {
			facts = append(facts, c)
		}
	}
	return facts
}

func groups(columns []string) string {
	words := make([]string, len(columns))
	for i, c := range columns {
		words[i] = strings.ToLower(label(c))
	}
	return strings.Join(words, ", ")
}

func buckets(f report.Filters) string {
	switch {
	case f.Bucket == "1h":
		return "by hour"
	case f.Bucket == "1d" && f.TimeZone != "":
		return fmt.Sprintf("by day, from midnight to midnight in %s", f.TimeZone)
	case f.Bucket == "1d":
		return "by day (UTC)"
	}
	return f.Bucket
}

func lower(text string) string { return strings.ToLower(text[:1]) + text[1:] }
