package intake

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// token is a piece of a date format that stands for a value.
type token uint8

const (
	literal token = iota // the piece's byte itself
	year
	month
	monthName
	day
	hour
	hour12
	halfDay
	minute
	second
	fraction
	offset
	numTokens
)

// piece is a token with the number of digits it takes.
type piece struct {
	token    token
	min, max int
	literal  byte
}

// spellings are what a date format is made of; where one begins another the
// longer stands first.
var spellings = []struct {
	text string
	piece
}{
	{"YYYY", piece{token: year, min: 4, max: 4}},
	{"MMM", piece{token: monthName}},
	{"MM", piece{token: month, min: 2, max: 2}},
	{"M", piece{token: month, min: 1, max: 2}},
	{"DD", piece{token: day, min: 2, max: 2}},
	{"D", piece{token: day, min: 1, max: 2}},
	{"HH", piece{token: hour, min: 2, max: 2}},
	{"H", piece{token: hour, min: 1, max: 2}},
	{"hh", piece{token: hour12, min: 2, max: 2}},
	{"h", piece{token: hour12, min: 1, max: 2}},
	{"mm", piece{token: minute, min: 2, max: 2}},
	{"ss", piece{token: second, min: 2, max: 2}},
	{"SSS", piece{token: fraction, min: 1, max: 9}},
	{"A", piece{token: halfDay}},
	{"Z", piece{token: offset}},
}

// parseDateFormat takes a format apart.
func parseDateFormat(format string) ([]piece, error) {
	var pieces []piece
	for rest := format; rest != ""; {
		p, size, err := nextPiece(rest)
		if err != nil {
			return nil, invalidDateFormat(format, err.Error())
		}
		rest = rest[size:]
		if p.token != literal && hasToken(pieces, p.token) {
			return nil, invalidDateFormat(format, fmt.Sprintf("says a part twice before %q", rest))
		}
		pieces = append(pieces, p)
	}
	has := func(t token) bool { return hasToken(pieces, t) }
	switch {
	case !has(year) || !has(day) || has(month) == has(monthName):
		return nil, invalidDateFormat(format, "must have a year (YYYY), a month (MM, M or MMM) and a day (DD or D)")
	case has(hour12) != has(halfDay) || has(hour) && has(hour12):
		return nil, invalidDateFormat(format, "must have hh with A (AM or PM), or HH alone")
	}
	return pieces, nil
}

func nextPiece(rest string) (piece, int, error) {
	for _, s := range spellings {
		if strings.HasPrefix(rest, s.text) {
			return s.piece, len(s.text), nil
		}
	}
	c := rest[0]
	if isLetter := c|0x20 >= 'a' && c|0x20 <= 'z'; isLetter && c != 'T' || c >= 0x80 || c < ' ' || c >= '0' && c <= '9' {
		return piece{}, 0, fmt.Errorf("does not make sense at %q", rest)
	}
	return piece{token: literal, literal: c}, 1, nil
}

func hasToken(pieces []piece, t token) bool {
	return slices.ContainsFunc(pieces, func(p piece) bool { return p.token == t })
}

func invalidDateFormat(format, problem string) error {
	return &FileError{Field: "date_format", Code: CodeInvalidOption, Message: fmt.Sprintf("%q %s", format, problem),
		Hint: "it is made of YYYY MM M MMM DD D HH H hh h A mm ss SSS Z, or it is unix or unix_ms; for example DD-MM-YYYY or YYYY-MM-DD HH:mm:ss"}
}

// parts are the values of a time, by token.
type parts [numTokens]int

// read takes a text apart along the pieces.
func (v *parts) read(pieces []piece, text []byte) (zoned, ok bool) {
	for _, p := range pieces {
		n, size := 0, 0
		switch p.token {
		case literal:
			if len(text) > 0 && text[0] == p.literal {
				size = 1
			}
		case monthName:
			n, size = readMonth(text)
		case halfDay:
			n, size = readHalfDay(text)
		case fraction:
			n, size = readFraction(text)
		case offset:
			n, size = readOffset(text)
			zoned = true
		default:
			n, size = readDigits(text, p.min, p.max)
		}
		if size == 0 {
			return zoned, false
		}
		v[p.token] = n
		text = text[size:]
	}
	return zoned, len(text) == 0
}

// seconds since the epoch of a wall clock in UTC; ok tells whether the time
// exists. Leap seconds do not.
func (v *parts) seconds() (int64, bool) {
	mon, hours := max(v[month], v[monthName]), v[hour]
	if v[halfDay] != 0 {
		if v[hour12] < 1 || v[hour12] > 12 {
			return 0, false
		}
		hours = v[hour12]%12 + v[halfDay] - 1
	}
	if mon < 1 || mon > 12 || v[day] < 1 || v[day] > daysIn(v[year], mon) || hours > 23 || v[minute] > 59 || v[second] > 59 {
		return 0, false
	}
	return time.Date(v[year], time.Month(mon), v[day], hours, v[minute], v[second], 0, time.UTC).Unix(), true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// readDigits reads a number of least to most digits; size is 0 if there is none.
func readDigits(text []byte, least, most int) (n, size int) {
	for size < most && size < len(text) && text[size]-'0' <= 9 {
		n = n*10 + int(text[size]-'0')
		size++
	}
	if size < least {
		return 0, 0
	}
	return n, size
}

// readFraction reads up to nine digits behind a decimal point as milliseconds;
// what is finer is cut off.
func readFraction(text []byte) (ms, size int) {
	_, size = readDigits(text, 1, 9)
	for i := range 3 {
		ms *= 10
		if i < size {
			ms += int(text[i] - '0')
		}
	}
	return ms, size
}

// readOffset reads Z, +hh:mm or +hhmm as seconds east of UTC.
func readOffset(text []byte) (seconds, size int) {
	if len(text) == 0 {
		return 0, 0
	}
	if text[0] == 'Z' || text[0] == 'z' {
		return 0, 1
	}
	hours, n := readDigits(text[1:], 2, 2)
	if n == 0 || text[0] != '+' && text[0] != '-' {
		return 0, 0
	}
	size = 1 + n
	if size < len(text) && text[size] == ':' {
		size++
	}
	minutes, n := readDigits(text[size:], 2, 2)
	if n == 0 || hours > 23 || minutes > 59 {
		return 0, 0
	}
	seconds = hours*3600 + minutes*60
	if text[0] == '-' {
		seconds = -seconds
	}
	return seconds, size + n
}

func readMonth(text []byte) (n, size int) {
	if len(text) < 3 {
		return 0, 0
	}
	for m := time.January; m <= time.December; m++ {
		if strings.EqualFold(m.String()[:3], string(text[:3])) {
			return int(m), 3
		}
	}
	return 0, 0
}

// readHalfDay gives 1 for AM and 13 for PM: one more than the hours to add.
func readHalfDay(text []byte) (n, size int) {
	if len(text) >= 2 && text[1]|0x20 == 'm' {
		switch text[0] | 0x20 {
		case 'a':
			return 1, 2
		case 'p':
			return 13, 2
		}
	}
	return 0, 0
}
