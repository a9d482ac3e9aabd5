package intake

import (
	"fmt"
	"strings"
	"time"

	"licensekit/exporter/report"
)

// Activities is the object of a file of activities, beside those of the
// report package.
const Activities = "activities"

// Options say how a file is to be read. Object and Format are required.
type Options struct {
	Object     string         // Activities or a report.Object
	Format     Format         // see FormatOf
	Map        []Mapping      // fields that are not named like their column
	Set        []Constant     // fields that have the same value in every row
	DateFormat string         // see the package documentation; "" for RFC 3339
	TimeZone   *time.Location // of times without an offset; nil for UTC with a DateFormat, and for none without
	Delimiter  byte           // of CSV; 0 for the comma
	Sheet      string         // of XLSX, by name; "" for the first
	Tmp        string         // directory for what XLSX must spool; "" for the system's
	Limits     Limits
}

// Limits bound what a file may cost. Zero values stand for the defaults.
type Limits struct {
	RowBytes   int   // of a line or JSON element, 1 MiB
	BatchRows  int   // appended at once, 100,000
	BatchBytes int   // of row text appended at once, 16 MiB
	FileBytes  int64 // of an XLSX file, 256 MiB
	PartBytes  int64 // of an XLSX file's sheet when unpacked, 2 GiB
	TextBytes  int64 // of an XLSX file's shared texts, which stay in memory, 64 MiB
}

func (l Limits) withDefaults() Limits {
	return Limits{
		RowBytes:   or(l.RowBytes, 1<<20),
		BatchRows:  or(l.BatchRows, 100_000),
		BatchBytes: or(l.BatchBytes, 16<<20),
		FileBytes:  or(l.FileBytes, 256<<20),
		PartBytes:  or(l.PartBytes, 2<<30),
		TextBytes:  or(l.TextBytes, 64<<20),
	}
}

func or[N int | int64](value, otherwise N) N {
	if value <= 0 {
		return otherwise
	}
	return value
}

// Mapping says which column (or JSON member) a field is read from.
type Mapping struct{ Field, Column string }

// ParseMapping reads "field=column". A column's name may hold further "=".
func ParseMapping(text string) (Mapping, error) {
	field, column, ok := strings.Cut(text, "=")
	if !ok || field == "" || column == "" {
		return Mapping{}, fmt.Errorf("mapping %q: want field=column, such as id=usage_id", text)
	}
	return Mapping{field, column}, nil
}

// Constant gives a field the same value in every row.
type Constant struct{ Field, Value string }

// ParseConstant reads "field=value". The value may hold further "=".
func ParseConstant(text string) (Constant, error) {
	field, value, ok := strings.Cut(text, "=")
	if !ok || field == "" || value == "" {
		return Constant{}, fmt.Errorf("constant %q: want field=value, such as action=usage.consumed", text)
	}
	return Constant{field, value}, nil
}

// ParseDelimiter reads what parts the columns of CSV: one ASCII character, or
// "tab", which few can type.
func ParseDelimiter(text string) (byte, error) {
	switch {
	case text == "tab" || text == `\t`:
		return '\t', nil
	case len(text) != 1 || text[0] >= 0x80:
		return 0, fmt.Errorf("delimiter %q must be one ASCII character, or tab", text)
	}
	return text[0], nil
}

// ObjectNames lists what [Options].Object may be.
func ObjectNames() []string { return append([]string{Activities}, report.ObjectNames()...) }
