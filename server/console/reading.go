package console

import (
	"compress/gzip"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"licensekit/exporter/ledger/intake"
	"licensekit/exporter/report"
)

// reading says how a file is to be read, in the words of the API.
type reading struct {
	Map        []string // field=column
	Set        map[string]string
	DateFormat string
	TimeZone   string
	Delimiter  string
	Sheet      string
}

// setPrefix marks the fields of a form that give a field one value.
const setPrefix = "set."

// readingOf takes what a form or a URL says. A tab may be named.
func readingOf(given url.Values) reading {
	how := reading{
		Set: map[string]string{}, DateFormat: given.Get("date_format"), TimeZone: given.Get("time_zone"),
		Delimiter: given.Get("delimiter"), Sheet: given.Get("sheet"),
	}
	if how.Delimiter == "tab" {
		how.Delimiter = "\t"
	}
	for _, text := range given["map"] {
		if text != "" && !slices.Contains(how.Map, text) {
			how.Map = append(how.Map, text)
		}
	}
	for name := range given {
		if field, ok := strings.CutPrefix(name, setPrefix); ok && given.Get(name) != "" {
			how.Set[field] = given.Get(name)
		}
	}
	return how
}

// settings are the fields that say the same in another form.
func (how reading) settings() url.Values {
	values := url.Values{"map": how.Map}
	for field, value := range how.Set {
		values.Set(setPrefix+field, value)
	}
	for name, value := range map[string]string{"date_format": how.DateFormat, "time_zone": how.TimeZone, "delimiter": how.Delimiter, "sheet": how.Sheet} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// query is that of the API's ingestion.
func (how reading) query() url.Values {
	values := url.Values{}
	for name, all := range how.settings() {
		if !strings.HasPrefix(name, setPrefix) && len(all) > 0 {
			values[name] = all
		}
	}
	for _, field := range slices.Sorted(maps.Keys(how.Set)) {
		values.Add("set", field+"="+how.Set[field])
	}
	return values
}

// options are those of the preview. What can't be read among them is left to
// the import, which says what is wrong with it.
func (how reading) options(u *upload, tmp string) intake.Options {
	o := intake.Options{Object: u.Object, Format: u.Format, DateFormat: how.DateFormat, Sheet: how.Sheet, Tmp: tmp}
	for _, text := range how.Map {
		if m, err := intake.ParseMapping(text); err == nil {
			o.Map = append(o.Map, m)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(how.Set)) {
		o.Set = append(o.Set, intake.Constant{Field: field, Value: how.Set[field]})
	}
	if len(how.Delimiter) == 1 {
		o.Delimiter = how.Delimiter[0]
	}
	if zone, err := report.LoadZone(how.TimeZone); err == nil && how.TimeZone != "" {
		o.TimeZone = zone
	}
	return o
}

// unpacked gives the file's content.
func (u *upload) unpacked(file *os.File) (io.Reader, error) {
	if u.Packed {
		return gzip.NewReader(file)
	}
	return file, nil
}

// meanings are names that columns often have, for fields that have others.
var meanings = map[string]string{
	"event_id": "id", "usage_id": "id", "uuid": "id", "key": "id",
	"timestamp": "occurred_at", "date": "occurred_at", "time": "occurred_at", "datetime": "occurred_at", "usage_date": "occurred_at", "created": "occurred_at",
	"event": "action", "event_type": "action", "type": "action",
	"customer": "customer_id", "account": "customer_id", "account_id": "customer_id", "client_id": "customer_id",
	"product": "product_id", "license": "license_id", "licence_id": "license_id", "order": "order_id", "subscription": "subscription_id",
	"feature": "feature_code", "feature_name": "feature_code",
	"quantity": "amount", "qty": "amount", "count": "amount", "usage": "amount", "usage_count": "amount", "units": "amount",
	"title": "name", "mail": "email", "e_mail": "email",
}

// mapping is where the page stands that shows how a file is read.
func (u *upload) mapping(how reading) string {
	return importPath + "/" + u.id + "?" + how.settings().Encode()
}

// guessedDelimiter is what stands between columns where it is no comma, "" for
// one, or for what is not known.
func guessedDelimiter(p *intake.Preview, format intake.Format) string {
	if format != intake.CSV || len(p.Columns) != 1 {
		return ""
	}
	for _, delimiter := range []string{";", "\t", "|"} {
		if strings.Contains(p.Columns[0].Name, delimiter) {
			return delimiter
		}
	}
	return ""
}

// guessedMap maps columns to the fields that their names seem to mean, each
// field once.
func guessedMap(p *intake.Preview) (mapped []string) {
	taken := map[string]string{} // column by field
	claim := func(column, field string) {
		isField := slices.ContainsFunc(p.Fields, func(f intake.PreviewField) bool { return f.Name == field })
		if _, already := taken[field]; isField && !already {
			taken[field] = column
		}
	}
	plain := strings.NewReplacer(" ", "_", "-", "_", ".", "_")
	normal := func(name string) string { return plain.Replace(strings.ToLower(strings.TrimSpace(name))) }
	for _, meaning := range []func(string) string{
		func(name string) string { return name },
		normal,
		func(name string) string { return meanings[normal(name)] },
	} {
		for _, column := range p.Columns {
			used := slices.Contains(slices.Collect(maps.Values(taken)), column.Name)
			if !used && column.Name != "" {
				claim(column.Name, meaning(column.Name))
			}
		}
	}
	for _, field := range slices.Sorted(maps.Keys(taken)) {
		mapped = append(mapped, field+"="+taken[field])
	}
	return mapped
}
