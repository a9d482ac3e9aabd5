package intake

import (
	"testing"
	"time"

	"licensekit/exporter/report"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestTimes(t *testing.T) {
	berlin, asuncion := zone(t, "Europe/Berlin"), zone(t, "America/Asuncion")
	for _, test := range []struct {
		format string
		zone   *time.Location
		text   string
		want   string // "" for an error
	}{
		{"", nil, "2026-01-31T12:34:56Z", "2026-01-31T12:34:56.000Z"},
		{"", nil, "2026-01-31t12:34:56z", "2026-01-31T12:34:56.000Z"},
		{"", nil, "2026-01-31 12:34:56+02:00", "2026-01-31T10:34:56.000Z"},
		{"", nil, "2026-01-31T12:34:56.7Z", "2026-01-31T12:34:56.700Z"},
		{"", nil, "2026-01-31T12:34:56.123999999999Z", "2026-01-31T12:34:56.123Z"},
		{"", nil, "1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"},
		{"", nil, "2024-02-29T00:00:00-12:00", "2024-02-29T12:00:00.000Z"},
		{"", nil, "2026-01-31T12:34:56+0200", ""},
		{"", nil, "2026-01-31T12:34:56+24:00", ""},
		{"", nil, "2026-01-31T12:34:56.Z", ""},
		{"", nil, "2026-01-31T12:34:60Z", ""},
		{"", nil, "2026-01-31T24:00:00Z", ""},
		{"", nil, "2026-1-31T12:34:56Z", ""},
		{"", nil, "2026-01-31T12:34Z", ""},
		{"", nil, "2026-01-31T12:34:56Zulu", ""},
		{"", nil, "1900-02-29T00:00:00Z", ""},
		{"", nil, "2026-01-31", ""},
		{"", berlin, "2026-01-31", "2026-01-30T23:00:00.000Z"},
		{"", berlin, "2026-07-31T12:00:00.5", "2026-07-31T10:00:00.500Z"},
		{"", berlin, "2026-07-31T12:00:00Z", "2026-07-31T12:00:00.000Z"},
		{"", berlin, "2026-03-29T02:30:00", "2026-03-29T01:30:00.000Z"}, // skipped: as 03:30
		{"", berlin, "2026-03-29T03:00:00", "2026-03-29T01:00:00.000Z"},
		{"", berlin, "2026-10-25T02:30:00", "2026-10-25T00:30:00.000Z"}, // twice: the first
		{"", berlin, "2026-10-25T03:00:00", "2026-10-25T02:00:00.000Z"},
		{"", asuncion, "2023-10-01", "2023-10-01T04:00:00.000Z"}, // midnight is skipped
		{"DD-MM-YYYY", nil, "27-07-2023", "2023-07-27T00:00:00.000Z"},
		{"DD-MM-YYYY", berlin, "27-07-2023", "2023-07-26T22:00:00.000Z"},
		{"DD-MM-YYYY", nil, "31-02-2024", ""},
		{"DD-MM-YYYY", nil, "00-01-2024", ""},
		{"DD-MM-YYYY", nil, "01-13-2024", ""},
		{"DD-MM-YYYY", nil, "1-7-2023", ""},
		{"DD-MM-YYYY", nil, "27-07-2023 ", ""},
		{"DD-MM-YYYY", nil, "27-07-23", ""},
		{"D.M.YYYY H:mm", nil, "7.12.2023 9:05", "2023-12-07T09:05:00.000Z"},
		{"YYYY-MM-DD HH:mm:ss", nil, "2023-07-27 23:59:59", "2023-07-27T23:59:59.000Z"},
		{"YYYY-MM-DD HH:mm:ss", nil, "2023-07-27 23:60:59", ""},
		{"YYYY-MM-DDTHH:mm:ss.SSSZ", nil, "2023-07-27T23:59:59.1239+0130", "2023-07-27T22:29:59.123Z"},
		{"YYYY-MM-DD Z", berlin, "2023-07-27 Z", "2023-07-27T00:00:00.000Z"},
		{"M/D/YYYY h:mm A", nil, "7/4/2023 12:05 am", "2023-07-04T00:05:00.000Z"},
		{"M/D/YYYY h:mm A", nil, "7/4/2023 12:05 PM", "2023-07-04T12:05:00.000Z"},
		{"M/D/YYYY h:mm A", nil, "7/4/2023 1:05 PM", "2023-07-04T13:05:00.000Z"},
		{"M/D/YYYY h:mm A", nil, "7/4/2023 13:05 PM", ""},
		{"DD-MMM-YYYY", nil, "01-sep-2023", "2023-09-01T00:00:00.000Z"},
		{"DD-MMM-YYYY", nil, "01-Foo-2023", ""},
		{"YYYYMMDD", nil, "20230901", "2023-09-01T00:00:00.000Z"},
		{"unix", nil, "1700000000", "2023-11-14T22:13:20.000Z"},
		{"unix", berlin, "1700000000.1239", "2023-11-14T22:13:20.123Z"},
		{"unix", nil, "-0.0005", "1969-12-31T23:59:59.999Z"},
		{"unix", nil, "-1.5", "1969-12-31T23:59:58.500Z"},
		{"unix", nil, "1.7e9", ""},
		{"unix", nil, "1.", ""},
		{"unix", nil, "-", ""},
		{"unix", nil, "999999999999", ""},
		{"unix_ms", nil, "1700000000123", "2023-11-14T22:13:20.123Z"},
		{"unix_ms", nil, "1700000000123.9", "2023-11-14T22:13:20.123Z"},
		{"unix_ms", nil, "9999999999999999", ""},
	} {
		c, err := newClock(test.format, test.zone)
		if err != nil {
			t.Fatal(err)
		}
		ms, bad := c.parse([]byte(test.text))
		if got := report.FormatTime(ms); bad == nil && got != test.want || bad != nil && test.want != "" {
			t.Errorf("%q in format %q, zone %v: got %s, %+v; want %q", test.text, test.format, test.zone, got, bad, test.want)
		}
	}
}

func TestDateFormatErrors(t *testing.T) {
	for _, format := range []string{"YYYY", "YY-MM-DD", "YYYY-MM-DD hh:mm", "YYYY-MM-DD HH:mm A", "YYYY-MM-DD DD", "YYYY-MM-MMM-DD", "DD/MM/YYYY foo", "2006-01-02", "YYYY-MM-DDé"} {
		_, err := newClock(format, nil)
		if e, ok := err.(*FileError); !ok || e.Code != CodeInvalidOption || e.Field != "date_format" || e.Hint == "" {
			t.Errorf("format %q: got %v, want a *FileError with a hint", format, err)
		}
	}
}

// TestZones compares with what the standard library says of every half hour
// of a year: clocks at the instant that was found show the time, or it is a
// time that they skip.
func TestZones(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo"} {
		z := zone(t, name)
		skipped := 0
		for wall := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC); wall.Year() == 2018; wall = wall.Add(30 * time.Minute) {
			got := time.Unix(inZone(wall.Unix(), z), 0).In(z)
			shown := got.Format(time.DateTime)
			if earlier := got.Add(-time.Hour); earlier.Format(time.DateTime) == shown {
				t.Errorf("%s: %s is shown twice; got the second time", name, shown)
			}
			if shown != wall.Format(time.DateTime) {
				skipped++
			}
		}
		if skipped > 2 {
			t.Errorf("%s: %d half hours of a year are not what clocks show; want 2 at most", name, skipped)
		}
	}
}

func TestSerialDates(t *testing.T) {
	for _, test := range []struct {
		serial string
		is1904 bool
		want   string
	}{
		{"1", false, "1900-01-01T00:00:00.000Z"},
		{"59", false, "1900-02-28T00:00:00.000Z"},
		{"60", false, ""},
		{"60.5", false, ""},
		{"61", false, "1900-03-01T00:00:00.000Z"},
		{"45000", false, "2023-03-15T00:00:00.000Z"},
		{"45000.524305555555", false, "2023-03-15T12:35:00.000Z"},
		{"45000.999999999", false, "2023-03-16T00:00:00.000Z"},
		{"2958465", false, "9999-12-31T00:00:00.000Z"},
		{"2958466", false, ""},
		{"0.5", false, ""},
		{"-1", false, ""},
		{"NaN", false, ""},
		{"0", true, "1904-01-01T00:00:00.000Z"},
		{"43538", true, "2023-03-15T00:00:00.000Z"},
	} {
		c, _ := newClock("", nil)
		c.is1904 = test.is1904
		ms, bad := c.serial([]byte(test.serial))
		if got := report.FormatTime(ms); bad == nil && got != test.want || bad != nil && test.want != "" {
			t.Errorf("serial %s (1904: %v): got %s, %+v; want %q", test.serial, test.is1904, got, bad, test.want)
		}
	}
}
