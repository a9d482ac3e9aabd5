package intake

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"licensekit/exporter/report"
)

// clock reads times. Its results are milliseconds since the epoch.
type clock struct {
	format string
	pieces []piece // nil for RFC 3339 and for counts of seconds
	unit   int64   // milliseconds in a unit of a count since the epoch, 0 if times are not counts
	zone   *time.Location
	assume bool // zone is that of times which name none; else they are refused
	is1904 bool // serial dates count from 1904
}

// newClock checks a date format. Errors: *[FileError].
func newClock(format string, zone *time.Location) (*clock, error) {
	c := &clock{format: format, zone: zone, assume: zone != nil || format != ""}
	if zone == nil {
		c.zone = time.UTC
	}
	var err error
	switch format {
	case "":
	case "unix":
		c.unit = 1000
	case "unix_ms":
		c.unit = 1
	default:
		c.pieces, err = parseDateFormat(format)
	}
	return c, err
}

// The years that can be kept, in milliseconds: 0001 to 9999.
const (
	firstMilli = -62135596800000
	lastMilli  = report.MaxInstant
)

// parse reads a text in the clock's format.
func (c *clock) parse(text []byte) (int64, *fault) {
	switch {
	case c.unit != 0:
		return c.count(text)
	case c.pieces == nil:
		return c.rfc3339(text, c.assume)
	}
	var v parts
	zoned, ok := v.read(c.pieces, text)
	if !ok {
		return 0, faultf(CodeInvalidTime, "%s is not of the form %s", quote(text), c.format)
	}
	return c.instant(&v, zoned, text)
}

// local reads an ISO 8601 time that may lack its offset.
func (c *clock) local(text []byte) (int64, *fault) { return c.rfc3339(text, true) }

// instant turns parts into milliseconds.
func (c *clock) instant(v *parts, zoned bool, text []byte) (int64, *fault) {
	seconds, ok := v.seconds()
	if !ok {
		return 0, faultf(CodeInvalidTime, "%s does not exist", quote(text))
	}
	if zoned {
		seconds -= int64(v[offset])
	} else {
		seconds = inZone(seconds, c.zone)
	}
	return inRange(seconds*1000+int64(v[fraction]), text)
}

func inRange(ms int64, text []byte) (int64, *fault) {
	if ms < firstMilli || ms > lastMilli {
		return 0, faultf(CodeOutOfRange, "%s is outside of the years 0001 to 9999", quote(text))
	}
	return ms, nil
}

// inZone finds the instant at which clocks in a zone show a time, given as if
// it were UTC. What clocks show twice is the first time; what they skip is
// read as if they had not yet been changed, which makes 02:30 of a skipped hour
// 03:30.
func inZone(wall int64, zone *time.Location) int64 {
	if zone == time.UTC {
		return wall
	}
	const day = 24 * 60 * 60
	before, after := offsetAt(wall-day, zone), offsetAt(wall+day, zone)
	first, second := wall-before, wall-after
	if offsetAt(first, zone) != before && offsetAt(second, zone) == after {
		return second
	}
	return first
}

func offsetAt(unix int64, zone *time.Location) int64 {
	_, seconds := time.Unix(unix, 0).In(zone).Zone()
	return int64(seconds)
}

// rfc3339 reads YYYY-MM-DDThh:mm:ss, an optional fraction and an offset. Where
// a zone may be assumed the offset may be missing, or the whole time of day.
func (c *clock) rfc3339(text []byte, assume bool) (int64, *fault) {
	var v parts
	rest, ok := v.readDate(text)
	if ok && assume && len(rest) == 0 {
		return c.instant(&v, false, text)
	}
	if ok {
		rest, ok = v.readTimeOfDay(rest)
	}
	if ok && assume && len(rest) == 0 {
		return c.instant(&v, false, text)
	}
	n, size := readOffset(rest)
	colon := size < 2 || rest[3] == ':'
	if !ok || size == 0 || size != len(rest) || !colon {
		return 0, c.notRFC3339(text)
	}
	v[offset] = n
	return c.instant(&v, true, text)
}

// notRFC3339 tells a time that lacks its offset from one that is something else.
func (c *clock) notRFC3339(text []byte) *fault {
	var v parts
	rest, ok := v.readDate(text)
	if ok && len(rest) > 0 {
		rest, ok = v.readTimeOfDay(rest)
	}
	if ok && len(rest) == 0 {
		return faultf(CodeInvalidTime, "%s has no offset from UTC; write it like 2026-01-31T00:00:00Z, or say which time zone it is in", quote(text))
	}
	return faultf(CodeInvalidTime, "%s is not an RFC 3339 time such as 2026-01-31T00:00:00Z; say what its date format is", quote(text))
}

// number reads exactly size digits at the front of a text that has them.
func number(text []byte, size int) (n int, ok bool) {
	for _, c := range text[:size] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// readDate reads YYYY-MM-DD.
func (v *parts) readDate(text []byte) (rest []byte, ok bool) {
	if len(text) < 10 || text[4] != '-' || text[7] != '-' {
		return text, false
	}
	y, okY := number(text, 4)
	m, okM := number(text[5:], 2)
	d, okD := number(text[8:], 2)
	v[year], v[month], v[day] = y, m, d
	return text[10:], okY && okM && okD
}

// readTimeOfDay reads Thh:mm:ss and an optional fraction; a space may stand
// for the T.
func (v *parts) readTimeOfDay(text []byte) (rest []byte, ok bool) {
	if len(text) < 9 || text[0] != 'T' && text[0] != 't' && text[0] != ' ' || text[3] != ':' || text[6] != ':' {
		return text, false
	}
	h, okH := number(text[1:], 2)
	m, okM := number(text[4:], 2)
	s, okS := number(text[7:], 2)
	v[hour], v[minute], v[second] = h, m, s
	rest, ok = text[9:], okH && okM && okS
	if !ok || len(rest) == 0 || rest[0] != '.' {
		return rest, ok
	}
	digits := 1
	for digits < len(rest) && rest[digits]-'0' <= 9 {
		digits++
	}
	v[fraction], _ = readFraction(rest[1:])
	return rest[digits:], digits > 1
}

var unitName = map[int64]string{1: "milliseconds", 1000: "seconds"}

// count reads seconds or milliseconds since the epoch, maybe with decimals.
func (c *clock) count(text []byte) (int64, *fault) {
	whole, decimals, hasDecimals := bytes.Cut(bytes.TrimPrefix(text, []byte{'-'}), []byte{'.'})
	n, size := readDigits(whole, 1, 15)
	if size == 0 || size < len(whole) || hasDecimals && !allDigits(decimals) {
		return 0, faultf(CodeInvalidTime, "%s is not a count of %s since 1970", quote(text), unitName[c.unit])
	}
	ms, finer := int64(n)*c.unit, decimals
	if c.unit == 1000 {
		cut, _ := readFraction(decimals)
		ms += int64(cut)
		finer = decimals[min(3, len(decimals)):]
	}
	if text[0] == '-' {
		ms = -ms
		if len(bytes.Trim(finer, "0")) > 0 {
			ms-- // towards the past, as the fraction of a date is cut off
		}
	}
	return inRange(ms, text)
}

func allDigits(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(text) > 0
}

// serial reads a spreadsheet's date: days since 1900 (or 1904) with the time of
// day as a fraction, rounded to the millisecond, on the zone's clock. Day 60 of
// the 1900 system is the 29th of February 1900, which did not exist.
func (c *clock) serial(text []byte) (int64, *fault) {
	days, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsNaN(days) || days < 0 || days > 2_958_466 || !c.is1904 && days < 1 {
		return 0, faultf(CodeInvalidTime, "%s is not a date; format the cell as one", quote(text))
	}
	if !c.is1904 && days >= 60 && days < 61 {
		return 0, faultf(CodeInvalidTime, "%s is 1900-02-29, which does not exist", quote(text))
	}
	ms := int64(math.Round(days * 86_400_000))
	seconds := inZone(c.serialEpoch(days)+ms/1000, c.zone)
	return inRange(seconds*1000+ms%1000, text)
}

// serialEpoch is the day 0 to which a serial date adds.
func (c *clock) serialEpoch(days float64) int64 {
	date := func(y int, m time.Month, d int) int64 { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() }
	switch {
	case c.is1904:
		return date(1904, time.January, 1)
	case days < 60:
		return date(1899, time.December, 31)
	}
	return date(1899, time.December, 30)
}
