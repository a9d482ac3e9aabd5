package render

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"licensekit/exporter/report"
)

func TestXMLText(t *testing.T) {
	tests := []struct{ text, want string }{
		{"plain", "plain"}, {"<a & b>", "&lt;a &amp; b&gt;"}, {"]]>", "]]&gt;"}, {`"'`, `"'`}, {"&amp;lt;", "&amp;amp;lt;"},
		{"_x0041_", "_x005F_x0041_"}, {"_x005F_x0041_", "_x005F_x005F_x005F_x0041_"}, {"_xd83d_", "_x005F_xd83d_"},
		{"_x0041_x0042_", "_x005F_x0041_x005F_x0042_"}, {"_x004_", "_x004_"}, {"_x00G1_", "_x00G1_"}, {"_X0041_", "_X0041_"},
		{"_x\x10\x11\x12\x13_", "_x_x0010__x0011__x0012__x0013__"},
		{"_x0041\r", "_x005F_x0041_x000D_"}, {"_x0041&", "_x0041&amp;"}, {"_x0041", "_x0041"}, {"__x0041_", "__x005F_x0041_"},
		{"a\r\n\tb", "a_x000D_\n\tb"}, {"\x00\x1f\x7f", "_x0000__x001F_\x7f"},
		{"\uFFFD\uFFFE\uFFFF\uFEFF", "\uFFFD_xFFFE__xFFFF_\uFEFF"}, {"日本שלום\U0001F600e\u0301", "日本שלום\U0001F600e\u0301"},
	}
	for _, test := range tests {
		got := string(appendXMLText([]byte("<t>"), test.text))
		if got != "<t>"+test.want {
			t.Errorf("%q is written %q, want %q", test.text, got[3:], test.want)
		}
		if back := string(readXMLText([]byte(got[3:]))); back != test.text {
			t.Errorf("%q is read as %q, want %q", got[3:], back, test.text)
		}
	}
}

func TestXMLTextRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 1))
	pieces := []string{"_", "x", "0041", "x0041", "_x0041_", "_x005F", "\r", "\n", "\x01", "&", "amp;", "<", "]]>", "\uFFFF", "é", "\U0001F600", "=1"}
	for range 200_000 {
		var b strings.Builder
		for range random.IntN(7) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		text := b.String()
		written := string(appendXMLText(nil, text))
		if got := string(readXMLText([]byte(written))); got != text {
			t.Fatalf("%q is written %q and read as %q", text, written, got)
		}
	}
}

// Milliseconds survive since a date's float64 is at most half a unit in the
// last place away, which is 20 microseconds in the last days of 9999, and
// multiplying errs by less than that again. So the places to try are the ends,
// the powers of two in between, and many at random.
func TestSerialDates(t *testing.T) {
	check := func(ms int64) {
		if ms < firstDate || ms > lastDate {
			return
		}
		date := serialDate(ms)
		text := strconv.FormatFloat(date, 'f', -1, 64)
		read, err := strconv.ParseFloat(text, 64)
		if got := fromSerialDate(read); err != nil || got != ms {
			t.Fatalf("%s is the date %s, which is read as %s, %v", report.FormatTime(ms), text, report.FormatTime(got), err)
		}
		if off := math.Abs(date*msPerDay - float64(ms-serialEpoch)); off > 0.05 {
			t.Fatalf("%s is off by %v ms", report.FormatTime(ms), off)
		}
	}
	for near := range int64(5_000) {
		check(firstDate + near)
		check(lastDate - near)
		for day := 64; day < 1<<22; day *= 2 {
			check(int64(day)*msPerDay + serialEpoch + near - 2_500)
		}
	}
	random := rand.New(rand.NewPCG(2, 3))
	for range 1_000_000 {
		check(firstDate + random.Int64N(lastDate-firstDate+1))
	}
	for text, want := range map[string]float64{
		"1900-03-01T00:00:00.000Z": 61, "1970-01-01T00:00:00.000Z": 25569, "2000-02-29T12:00:00.000Z": 36585.5, "9999-12-31T00:00:00.000Z": 2958465,
	} {
		ms, err := report.ParseTime(text)
		if got := serialDate(ms); err != nil || got != want {
			t.Errorf("%s is the date %v, %v; want %v", text, got, err, want)
		}
	}
}
