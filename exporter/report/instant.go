package report

import (
	"encoding/binary"
	"fmt"
)

// AppendTime appends what [FormatTime] gives, for instants of the years 0 to
// 9999; others do not occur, for intake refuses them.
func AppendTime(buf []byte, ms int64) []byte {
	at := len(buf)
	buf = append(buf, timeLayout...)
	new(timeText).put(buf[at:], ms)
	return buf
}

// The first and the last instant whose text has four digits for the year, in
// milliseconds since the epoch.
const (
	MinInstant = -62_167_219_200_000 // 0000-01-01T00:00:00.000Z
	MaxInstant = 253_402_300_799_999 // 9999-12-31T23:59:59.999Z
)

// timeText writes instants as [FormatTime] does, faster where several in a row
// are of one minute or day. The zero value is ready.
type timeText struct {
	day   dayText
	start int64    // where the minute begins
	text  [16]byte // "2026-01-31T10:20", or zero before the first
}

// put writes an instant.
func (t *timeText) put(buf []byte, ms int64) {
	if t.text[0] == 0 || ms < t.start || ms-t.start >= msPerMinute {
		t.turn(ms)
	}
	ms -= t.start
	second, milli := threes[ms/1000], threes[ms%1000]
	binary.LittleEndian.PutUint64(buf[0:], binary.LittleEndian.Uint64(t.text[0:]))
	binary.LittleEndian.PutUint64(buf[8:], binary.LittleEndian.Uint64(t.text[8:]))
	binary.LittleEndian.PutUint64(buf[16:], ':'|uint64(second>>8&0xffff)<<8|'.'<<24|uint64(milli&0xffffff)<<32|'Z'<<56)
}

// turn makes the text of a minute.
func (t *timeText) turn(ms int64) {
	if start := t.day.start; t.day.date[10] == 0 || ms < start || ms-start >= msPerDay {
		t.day.turn(floorDiv(ms, msPerDay))
	}
	minutes := (ms - t.day.start) / msPerMinute
	t.start = t.day.start + minutes*msPerMinute
	copy(t.text[:], t.day.date[:])
	hour, minute := threes[minutes/60], threes[minutes%60]
	t.text[11], t.text[12], t.text[13] = byte(hour>>8), byte(hour>>16), ':'
	t.text[14], t.text[15] = byte(minute>>8), byte(minute>>16)
}

// dayText is a date and where it begins.
type dayText struct {
	start int64
	date  [11]byte // "2026-01-31T", or zero before the first
}

// turn makes the date of a day, counted from 1970-01-01.
func (d *dayText) turn(number int64) {
	d.start = number * msPerDay
	year, month, date := civil(number)
	digit := func(n int64) byte { return '0' + byte(n%10) }
	d.date = [11]byte{
		digit(year / 1000), digit(year / 100), digit(year / 10), digit(year), '-',
		digit(month / 10), digit(month), '-', digit(date / 10), digit(date), 'T',
	}
}

// TimeParser reads instants as [ParseTime] does, faster where several in a row
// are of one day. The zero value is ready.
type TimeParser struct{ day dayText }

// Parse reads an instant, exactly as [FormatTime] writes it.
func (p *TimeParser) Parse(text []byte) (int64, error) {
	date, ok := p.date(text)
	hour, minute, second, milli := digits(text, 11, 2), digits(text, 14, 2), digits(text, 17, 2), digits(text, 20, 3)
	if !ok || hour|minute|second|milli < 0 || hour > 23 || minute > 59 || second > 59 ||
		text[13] != ':' || text[16] != ':' || text[19] != '.' || text[23] != 'Z' {
		return 0, fmt.Errorf("time %q: want the form %s", text, timeLayout)
	}
	return date + (hour*60+minute)*60_000 + second*1000 + milli, nil
}

// date reads the date and gives where that day begins.
func (p *TimeParser) date(text []byte) (start int64, ok bool) {
	if len(text) != len(timeLayout) {
		return 0, false
	}
	if p.day.date[10] == 0 || string(text[:11]) != string(p.day.date[:]) {
		year, month, day := digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2)
		if year|month|day < 0 {
			return 0, false
		}
		p.day.turn(daysTo(year, month, day)) // which writes a date that doesn't exist in another way
	}
	return p.day.start, string(text[:11]) == string(p.day.date[:])
}

// digits is the number that some digits of a text make; it is negative where
// there are others or none.
func digits(text []byte, at, count int) (n int64) {
	if at+count > len(text) {
		return -1
	}
	for _, c := range text[at : at+count] {
		if c < '0' || c > '9' {
			return -1
		}
		n = 10*n + int64(c-'0')
	}
	return n
}

const (
	msPerMinute = 60 * 1000
	msPerDay    = 24 * 60 * msPerMinute
)

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// civil turns days since 1970-01-01 into a date of the proleptic Gregorian
// calendar. The year is counted from March, so that the leap day ends it, and
// in eras of 400 years, which all have 146097 days.
func civil(days int64) (year, month, day int64) {
	days += 719468 // from 0000-03-01 to 1970-01-01
	era := floorDiv(days, 146097)
	dayOfEra := days - era*146097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	shifted := (5*dayOfYear + 2) / 153 // months since March
	day = dayOfYear - (153*shifted+2)/5 + 1
	month = (shifted+2)%12 + 1
	year = yearOfEra + era*400
	if month <= 2 {
		year++
	}
	return year, month, day
}

// daysTo is the inverse of civil.
func daysTo(year, month, day int64) int64 {
	if month <= 2 {
		year--
	}
	era := floorDiv(year, 400)
	yearOfEra := year - era*400
	dayOfYear := (153*((month+9)%12)+2)/5 + day - 1
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}
