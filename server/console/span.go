package console

import (
	"net/url"
	"slices"
	"time"
)

// span is a run of whole days in UTC, up to To exclusively.
type span struct {
	Name     string // in the URL
	From, To time.Time
	Monthly  bool // it is one of whole months
}

// spanNames are the spans of the overview, the first by default.
var spanNames = []string{"30d", "90d", "12m"}

// spanOf is the span that a query asks for. Without a last day it ends today, or
// where the newest usage is older than that, on its day.
func spanOf(query url.Values, today, newest time.Time) span {
	s := span{Name: query.Get("span")}
	if !slices.Contains(spanNames, s.Name) {
		s.Name = spanNames[0]
	}
	if day, err := time.Parse(time.DateOnly, query.Get(lastDay)); err == nil && day.Year() > 1900 && day.Year() < 9000 {
		return s.until(day)
	}
	if s = s.until(today); !newest.IsZero() && newest.Before(s.From) {
		return s.until(newest.UTC().Truncate(24 * time.Hour))
	}
	return s
}

// until is the span of its name that ends with a day, or the month of it.
func (s span) until(last time.Time) span {
	s.To = last.AddDate(0, 0, 1)
	switch s.Name {
	case "12m":
		s.Monthly = true
		s.To = time.Date(last.Year(), last.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		s.From = s.To.AddDate(0, -12, 0)
	case "90d":
		s.From = s.To.AddDate(0, 0, -90)
	default:
		s.From = s.To.AddDate(0, 0, -30)
	}
	return s
}

// before is where the span that ends with this one's beginning begins.
func (s span) before() time.Time {
	if s.Monthly {
		return s.From.AddDate(0, -12, 0)
	}
	return s.From.Add(s.From.Sub(s.To))
}

// after is the last day of the span that begins with this one's end.
func (s span) after() time.Time {
	if s.Monthly {
		return s.To.AddDate(0, 12, -1)
	}
	return s.To.Add(s.To.Sub(s.From)).AddDate(0, 0, -1)
}

// LastDay is its last day.
func (s span) LastDay() time.Time { return s.To.AddDate(0, 0, -1) }
