package schedule

import (
	"fmt"
	"testing"
	"time"

	"licensekit/exporter/report"
)

// runs lists n runs behind an instant: when they are due, of which period.
func runs(s Schedule, after string, n int) (all []string) {
	t, err := time.Parse(time.RFC3339, after)
	if err != nil {
		panic(err)
	}
	for range n {
		d := s.after(t)
		all = append(all, fmt.Sprintf("%s %s %s", d.at.Format("01-02T15:04Z"), report.FormatTime(int64(d.from))[:16], report.FormatTime(int64(d.to))[:16]))
		t = d.at
	}
	return all
}

func TestRunsAreDue(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		s     Schedule
		after string
		want  []string
	}{
		{"monthly in Berlin, over both changes of the clock", Schedule{Period: Month, Day: 1, Time: "06:00", TimeZone: "Europe/Berlin"}, "2026-03-01T05:00:00Z", []string{
			"04-01T04:00Z 2026-02-28T23:00 2026-03-31T22:00",
			"05-01T04:00Z 2026-03-31T22:00 2026-04-30T22:00",
		}},
		{"on the 28th", Schedule{Period: Month, Day: 28, Time: "00:00", TimeZone: "UTC"}, "2026-02-28T00:00:00Z", []string{
			"03-28T00:00Z 2026-02-01T00:00 2026-03-01T00:00",
		}},
		{"just before it is due", Schedule{Period: Month, Day: 1, Time: "00:00", TimeZone: "UTC"}, "2026-01-31T23:59:59Z", []string{
			"02-01T00:00Z 2026-01-01T00:00 2026-02-01T00:00",
		}},
		{"a time that the clock leaves out", Schedule{Period: Day, Time: "02:30", TimeZone: "Europe/Berlin"}, "2026-03-28T12:00:00Z", []string{
			"03-29T01:00Z 2026-03-27T23:00 2026-03-28T23:00", // 02:00 is 03:00
			"03-30T00:30Z 2026-03-28T23:00 2026-03-29T22:00",
		}},
		{"a time that comes twice", Schedule{Period: Day, Time: "02:30", TimeZone: "Europe/Berlin"}, "2026-10-24T12:00:00Z", []string{
			"10-25T00:30Z 2026-10-23T22:00 2026-10-24T22:00", // the first time
			"10-26T01:30Z 2026-10-24T22:00 2026-10-25T23:00",
		}},
		{"between the two times", Schedule{Period: Day, Time: "02:30", TimeZone: "Europe/Berlin"}, "2026-10-25T00:45:00Z", []string{
			"10-26T01:30Z 2026-10-24T22:00 2026-10-25T23:00",
		}},
		{"a day without midnight", Schedule{Period: Day, Time: "00:00", TimeZone: "America/Santiago"}, "2026-09-05T12:00:00Z", []string{
			"09-06T04:00Z 2026-09-05T04:00 2026-09-06T04:00",
			"09-07T03:00Z 2026-09-06T04:00 2026-09-07T03:00",
		}},
		{"a day that was left out", Schedule{Period: Day, Time: "06:00", TimeZone: "Pacific/Apia"}, "2011-12-29T15:59:59Z", []string{
			"12-29T16:00Z 2011-12-28T10:00 2011-12-29T10:00",
			"12-30T10:00Z 2011-12-29T10:00 2011-12-30T10:00", // the 30th itself, which has no morning
			"12-31T16:00Z 2011-12-30T10:00 2011-12-31T10:00",
		}},
		{"weekly, on Monday", Schedule{Period: Week, Day: 1, Time: "07:15", TimeZone: "UTC"}, "2026-11-25T00:00:00Z", []string{
			"11-30T07:15Z 2026-11-23T00:00 2026-11-30T00:00",
			"12-07T07:15Z 2026-11-30T00:00 2026-12-07T00:00",
		}},
		{"weekly, on Sunday: the week before this one", Schedule{Period: Week, Day: 7, Time: "07:15", TimeZone: "UTC"}, "2026-11-25T00:00:00Z", []string{
			"11-29T07:15Z 2026-11-16T00:00 2026-11-23T00:00",
		}},
		{"quarterly, over the year", Schedule{Period: Quarter, Day: 2, Time: "00:30", TimeZone: "Asia/Tokyo"}, "2026-10-02T00:00:00Z", []string{
			"01-01T15:30Z 2026-09-30T15:00 2026-12-31T15:00",
			"04-01T15:30Z 2026-12-31T15:00 2027-03-31T15:00",
		}},
	} {
		got := runs(test.s, test.after, len(test.want))
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", test.name, got, test.want)
		}
	}
}

// Periods follow one another without gaps, in every zone and over every change
// of the clock of some years.
func TestPeriodsLeaveNothingOut(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia", "Asia/Kathmandu"} {
		for _, period := range Periods {
			for _, clock := range []string{"00:00", "02:30", "23:59"} {
				s := Schedule{Period: period, Day: 1, Time: clock, TimeZone: zone}
				if period == Day {
					s.Day = 0
				}
				before := s.after(time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC))
				for before.at.Year() < 2013 {
					next := s.after(before.at)
					if next.from != before.to || !next.at.After(before.at) || next.period <= before.period || next.at.UnixMilli() < int64(next.to) {
						t.Fatalf("%+v: after %+v comes %+v, want the period behind it, once it is over", s, before, next)
					}
					before = next
				}
			}
		}
	}
}
