package report

import (
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata" // the zones' rules as Go ships them, whatever the machine has
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	location, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

func instant(t testing.TB, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

// Where the days of some zones begin, around what their clocks did.
func TestDayStarts(t *testing.T) {
	tests := []struct {
		name, zone, from string
		want             []string // starts in UTC, the first at from
	}{
		{"no changes", "UTC", "2026-02-28T00:00:00Z", []string{"2026-03-01T00:00:00Z"}},
		{"spring, 23 hours", "Europe/Berlin", "2026-03-28T23:00:00Z", []string{"2026-03-29T22:00:00Z"}},
		{"autumn, 25 hours", "Europe/Berlin", "2026-10-24T22:00:00Z", []string{"2026-10-25T23:00:00Z"}},
		{"midnight left out", "America/Sao_Paulo", "2018-11-03T03:00:00Z", []string{"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}},
		{"back at midnight", "America/Sao_Paulo", "2018-02-17T02:00:00Z", []string{"2018-02-18T03:00:00Z"}},
		{"midnight left out", "Africa/Cairo", "2024-04-24T22:00:00Z", []string{"2024-04-25T22:00:00Z", "2024-04-26T21:00:00Z"}},
		{"midnight twice", "America/Havana", "2025-11-01T04:00:00Z", []string{"2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z"}},
		{"forth at 00:01", "America/St_Johns", "2010-03-13T03:30:00Z", []string{"2010-03-14T03:30:00Z", "2010-03-15T02:30:00Z"}},
		{"back at 00:01", "America/St_Johns", "2010-11-06T02:30:00Z", []string{"2010-11-07T02:30:00Z", "2010-11-08T03:30:00Z"}},
		{"no 30 December", "Pacific/Apia", "2011-12-29T10:00:00Z", []string{"2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"}},
		{"18 October twice", "America/Juneau", "1867-10-17T08:57:41Z", []string{"1867-10-18T08:57:41Z", "1867-10-20T08:57:41Z"}},
	}
	for _, test := range tests {
		t.Run(test.zone+", "+test.name, func(t *testing.T) {
			location, start := zone(t, test.zone), instant(t, test.from)
			for _, text := range test.want {
				want := span{start, instant(t, text)}
				for _, ms := range []int64{want.start, want.start + 1, (want.start + want.end) / 2, want.end - 1} {
					if got := dayOf(ms, location); got != want {
						t.Errorf("%s is in the day from %s to %s, want from %s to %s", FormatTime(ms),
							FormatTime(got.start), FormatTime(got.end), FormatTime(want.start), FormatTime(want.end))
					}
				}
				start = want.end
			}
		})
	}
}

// slowDays walks a zone's clock minute by minute: a day begins when the clock
// shows a later date than ever before. f gets each minute and its day's start.
func slowDays(from, to int64, location *time.Location, f func(ms, start int64)) {
	newest, start := "", int64(0)
	for ms := from; ms < to; ms += 60_000 {
		if date := time.UnixMilli(ms).In(location).Format(time.DateOnly); date > newest {
			newest, start = date, ms
		}
		f(ms, start)
	}
}

func TestDaysMatchSlowReference(t *testing.T) {
	for _, test := range []struct{ zone, around string }{
		{"UTC", "2024-02-29T00:00:00Z"},
		{"Europe/Berlin", "2026-03-29T00:00:00Z"}, {"Europe/Berlin", "2026-10-25T00:00:00Z"},
		{"America/Sao_Paulo", "2018-11-04T00:00:00Z"}, {"America/Sao_Paulo", "2018-02-18T00:00:00Z"},
		{"Africa/Cairo", "2024-04-26T00:00:00Z"}, {"Africa/Cairo", "2023-10-27T00:00:00Z"},
		{"Asia/Beirut", "2022-03-27T00:00:00Z"}, {"Asia/Tehran", "2021-09-22T00:00:00Z"},
		{"America/Havana", "2025-11-02T00:00:00Z"}, {"America/Havana", "2025-03-09T00:00:00Z"},
		{"America/St_Johns", "2010-11-07T00:00:00Z"}, {"America/St_Johns", "2010-03-14T00:00:00Z"},
		{"Pacific/Apia", "2011-12-30T00:00:00Z"}, {"Pacific/Kwajalein", "1993-08-21T00:00:00Z"},
		{"Pacific/Kiritimati", "1994-12-31T00:00:00Z"}, {"Australia/Lord_Howe", "2026-04-05T00:00:00Z"},
	} {
		location, middle := zone(t, test.zone), instant(t, test.around)
		b, begun := newBuckets("1d", location), 0
		slowDays(middle-4*msPerDay, middle+4*msPerDay, location, func(ms, want int64) {
			if want == middle-4*msPerDay {
				return // the day that was under way when the walk began
			}
			begun++
			if got := b.start(ms); got != want {
				t.Fatalf("%s: %s is in the day that starts %s, want %s", test.zone, FormatTime(ms), FormatTime(got), FormatTime(want))
			}
		})
		if begun < 6*24*60 {
			t.Errorf("%s: only %d minutes were compared", test.zone, begun)
		}
	}
}

// In whatever order they are asked for, days follow one another without gaps.
func TestDaysTile(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"UTC", "Europe/Berlin", "America/St_Johns", "America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia", "America/Juneau", "Asia/Manila"} {
		location := zone(t, name)
		b := newBuckets("1d", location)
		for range 1_500 {
			ms := instant(t, "1840-01-01T00:00:00Z") + random.Int64N(260*365*msPerDay)
			start := b.start(ms)
			day := b.last
			if !day.has(ms) || day.start != start {
				t.Fatalf("%s: %s is not in its day %v", name, FormatTime(ms), day)
			}
			if before, after := dayOf(day.start-1, location), dayOf(day.end, location); before.end != day.start || after.start != day.end {
				t.Fatalf("%s: the days %v, %v and %v do not meet", name, before, day, after)
			}
		}
		for i := 1; i < len(b.days); i++ {
			if b.days[i-1].end > b.days[i].start {
				t.Fatalf("%s: the days met are not sorted: %v, %v", name, b.days[i-1], b.days[i])
			}
		}
	}
}

func TestHours(t *testing.T) {
	b := newBuckets("1h", zone(t, "Asia/Kathmandu"))
	for _, test := range []struct{ at, want string }{
		{"2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z"},
		{"2026-01-01T00:59:59Z", "2026-01-01T00:00:00.000Z"},
		{"1969-12-31T23:59:59Z", "1969-12-31T23:00:00.000Z"},
	} {
		if got := FormatTime(b.start(instant(t, test.at))); got != test.want {
			t.Errorf("the hour of %s starts %s, want %s", test.at, got, test.want)
		}
	}
}
