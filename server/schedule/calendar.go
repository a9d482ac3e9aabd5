package schedule

import (
	"time"

	"licensekit/exporter/report"
)

// due is a run that is to be made.
type due struct {
	at       time.Time
	from, to report.Instant
	period   string // names it: the local date on which it begins
}

// after gives the first run that is due after an instant. Periods without an
// instant, such as a date that a zone left out, have none.
func (s Schedule) after(t time.Time) due {
	zone, err := report.LoadZone(s.TimeZone)
	if err != nil {
		zone = time.UTC // never: it was checked
	}
	clock, _ := time.Parse("15:04", s.Time)
	// Dates are counted as if they were in UTC; the zone comes in at the end.
	year, month, day := t.In(zone).Date()
	for begin := s.Period.begin(time.Date(year, month, day, 0, 0, 0, 0, time.UTC)).AddDate(0, 0, -1); ; {
		begin = s.Period.begin(begin)
		next := s.Period.next(begin)
		date := begin.AddDate(0, 0, max(s.Day-1, 0))
		at := time.UnixMilli(report.FirstInstant(date.Add(time.Duration(clock.Hour())*time.Hour+time.Duration(clock.Minute())*time.Minute), zone)).UTC()
		before := s.Period.begin(begin.AddDate(0, 0, -1))
		d := due{
			at: at, period: before.Format(time.DateOnly),
			from: report.Instant(report.FirstInstant(before, zone)), to: report.Instant(report.FirstInstant(begin, zone)),
		}
		if at.After(t) && d.from < d.to {
			return d
		}
		begin = next
	}
}

// begin is the first date of the period that a date is in.
func (p Period) begin(date time.Time) time.Time {
	year, month, day := date.Date()
	switch p {
	case Week:
		return date.AddDate(0, 0, -(int(date.Weekday())+6)%7)
	case Month:
		day = 1
	case Quarter:
		month, day = (month-1)/3*3+1, 1
	}
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// next is the first date of the period behind the one that begins on a date.
func (p Period) next(begin time.Time) time.Time {
	switch p {
	case Week:
		return begin.AddDate(0, 0, 7)
	case Month:
		return begin.AddDate(0, 1, 0)
	case Quarter:
		return begin.AddDate(0, 3, 0)
	}
	return begin.AddDate(0, 0, 1)
}
