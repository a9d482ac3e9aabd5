package report

import (
	"sort"
	"time"
)

// buckets cuts time into hours or days. Hours are those of UTC; days begin at
// local midnight of the zone, or at the first instant of a day that has no
// midnight.
type buckets struct {
	hourly bool
	zone   *time.Location
	days   []span // sorted, those met so far
	last   span
}

// span is a half-open range of milliseconds since the epoch.
type span struct{ start, end int64 }

func (s span) has(ms int64) bool { return s.start <= ms && ms < s.end }

func newBuckets(size string, zone *time.Location) *buckets {
	return &buckets{hourly: size == "1h", zone: zone}
}

const msPerHour = 60 * 60 * 1000

// start is where the bucket of an instant begins.
func (b *buckets) start(ms int64) int64 {
	if b.hourly {
		return floorDiv(ms, msPerHour) * msPerHour
	}
	if !b.last.has(ms) {
		b.last = b.day(ms)
	}
	return b.last.start
}

func (b *buckets) day(ms int64) span {
	i := sort.Search(len(b.days), func(i int) bool { return b.days[i].end > ms })
	if i < len(b.days) && b.days[i].has(ms) {
		return b.days[i]
	}
	day := dayOf(ms, b.zone)
	b.days = append(b.days, span{})
	copy(b.days[i+1:], b.days[i:])
	b.days[i] = day
	return day
}

// dayOf gives the calendar day of an instant in a zone. Where clocks went back
// over midnight an instant's own date may differ from that of the day that it
// lies in, so the neighbours are asked too: the days part time without gaps.
func dayOf(ms int64, zone *time.Location) span {
	year, month, day := time.UnixMilli(ms).In(zone).Date()
	for _, offset := range []int{0, -1, 1} {
		s := span{firstInstant(year, month, day+offset, zone), firstInstant(year, month, day+offset+1, zone)}
		if s.has(ms) {
			return s
		}
	}
	panic("report: no day holds " + FormatTime(ms))
}

// firstInstant is where a calendar day begins: see [FirstInstant].
func firstInstant(year int, month time.Month, day int, zone *time.Location) int64 {
	return FirstInstant(time.Date(year, month, day, 0, 0, 0, 0, time.UTC), zone)
}

// FirstInstant is the first instant, in milliseconds since the epoch, at which
// the local clock shows a date and time, given as if they were in UTC, or a later
// one. That is the earlier one where the time comes twice, and the clock change
// where it is left out. The clock is followed from one change to the next, since
// time.Date may answer with an instant of the day before.
func FirstInstant(shown time.Time, zone *time.Location) int64 {
	local := shown.UnixMilli()
	for t := time.UnixMilli(local - 2*msPerDay).In(zone); ; {
		_, offset := t.Zone()
		first := max(t.UnixMilli(), local-int64(offset)*1000)
		_, change := t.ZoneBounds()
		if !change.IsZero() && !change.After(t) {
			change = t.Add(time.Hour) // ZoneBounds ends leap years to come a day early
		}
		if change.IsZero() || first < change.UnixMilli() {
			return first
		}
		t = change
	}
}
