package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// FilterError says which filter is wrong, why, and what would be right.
type FilterError struct {
	Field, Value, Problem string
}

// Error reads `group_by "color" must be one of …`.
func (e *FilterError) Error() string {
	if e.Value == "" {
		return e.Field + " " + e.Problem
	}
	return fmt.Sprintf("%s %q %s", e.Field, e.Value, e.Problem)
}

// Filters narrows a report. The zero value narrows nothing. The JSON form is
// the normalised one of the canonical form: absent filters are left out, times
// are as [FormatTime] writes them.
type Filters struct {
	From           *Instant `json:"from,omitempty"` // half-open [from, to)
	To             *Instant `json:"to,omitempty"`
	ProductID      string   `json:"product_id,omitempty"`
	CustomerID     string   `json:"customer_id,omitempty"`
	LicenseID      string   `json:"license_id,omitempty"`
	OrderID        string   `json:"order_id,omitempty"`
	SubscriptionID string   `json:"subscription_id,omitempty"`
	FeatureCode    string   `json:"feature_code,omitempty"`
	Action         string   `json:"action,omitempty"`
	GroupBy        []string `json:"group_by,omitempty"`
	Bucket         string   `json:"bucket,omitempty"`    // "1h" or "1d"
	TimeZone       string   `json:"time_zone,omitempty"` // IANA; where the days of 1d buckets begin
}

// Instant is a point in time in milliseconds since the epoch. Its text form is
// that of [FormatTime]; RFC 3339 with any offset is read, and what is finer
// than a millisecond is cut off, as it is for activities.
type Instant int64

// MarshalText writes the form of [FormatTime].
func (t Instant) MarshalText() ([]byte, error) { return []byte(FormatTime(int64(t))), nil }

// UnmarshalText reads RFC 3339.
func (t *Instant) UnmarshalText(text []byte) error {
	parsed, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		hint := ""
		if _, err := time.Parse(time.RFC3339Nano, strings.Replace(string(text), " ", "+", 1)); err == nil {
			hint = "; a + in a query is written %2B"
		}
		return fmt.Errorf("%q is not an RFC 3339 time such as 2026-01-31T00:00:00Z%s", text, hint)
	}
	if year := parsed.UTC().Year(); year < 0 || year > 9999 {
		return fmt.Errorf("%q is in UTC outside of the years 0000 to 9999", text)
	}
	*t = Instant(parsed.UnixMilli())
	return nil
}

// commonFilters go with every kind.
var commonFilters = []string{
	"from", "to", "product_id", "customer_id", "license_id", "order_id", "subscription_id", "feature_code",
}

// groupings are what usage can be grouped by.
var groupings = []string{
	"product_id", "customer_id", "license_id", "order_id", "subscription_id", "feature_code",
	"action", "source", "result_class",
}

// Groupings lists what usage can be grouped by.
func Groupings() []string { return slices.Clone(groupings) }

// FilterNames lists the filters that a kind takes.
func FilterNames(kind Kind) []string {
	return slices.Concat(commonFilters, definitions[kind].filters)
}

// ParseFilters reads filters as name and value, as a query string or the
// command line has them; group_by is comma-separated. The result is
// normalised. Errors: *[FilterError].
func ParseFilters(kind Kind, values map[string]string) (Filters, error) {
	var f Filters
	for _, name := range sortedKeys(values) {
		if err := checkFilterName(kind, name); err != nil {
			return Filters{}, err
		}
		if err := f.set(name, values[name]); err != nil {
			return Filters{}, err
		}
	}
	return f.Normalise(kind)
}

func checkFilterName(kind Kind, name string) error {
	if slices.Contains(FilterNames(kind), name) {
		return nil
	}
	return &FilterError{Field: name, Problem: fmt.Sprintf("is not a filter of %s; it takes %s", kind, strings.Join(FilterNames(kind), ", "))}
}

// UnmarshalFilters reads filters from a JSON object: strings, and for group_by
// a list of strings or a comma-separated one. The result is normalised.
// Errors: *[FilterError].
func UnmarshalFilters(kind Kind, data []byte) (Filters, error) {
	values := map[string]string{}
	raw, err := objectMembers(data)
	if err != nil {
		return Filters{}, &FilterError{Field: "filters", Problem: err.Error()}
	}
	for _, name := range sortedKeys(raw) {
		if err := checkFilterName(kind, name); err != nil {
			return Filters{}, err
		}
		value := raw[name]
		text, list := "", []string(nil)
		if name == "group_by" && json.Unmarshal(value, &list) == nil {
			text = strings.Join(list, ",")
		} else if json.Unmarshal(value, &text) != nil {
			return Filters{}, &FilterError{Field: name, Value: string(value), Problem: "must be a string"}
		}
		if string(value) != "null" {
			values[name] = text
		}
	}
	return ParseFilters(kind, values)
}

// objectMembers splits a JSON object, refusing a name that stands twice.
func objectMembers(data []byte) (map[string]json.RawMessage, error) {
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, fmt.Errorf("must be a JSON object")
	}
	members := map[string]json.RawMessage{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name := token.(string)
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("name %q twice", name)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		members[name] = value
	}
	_, err := decoder.Token()
	return members, err
}

func (f *Filters) set(name, value string) error {
	if value == "" {
		return &FilterError{Field: name, Problem: "is empty; leave it out instead"}
	}
	if problem := CheckText(value, MaxText); problem != "" {
		return &FilterError{Field: name, Value: value, Problem: problem}
	}
	switch name {
	case "from", "to":
		var t Instant
		if err := t.UnmarshalText([]byte(value)); err != nil {
			return &FilterError{Field: name, Problem: err.Error()}
		}
		*map[string]**Instant{"from": &f.From, "to": &f.To}[name] = &t
	case "group_by":
		f.GroupBy = strings.Split(value, ",")
	default:
		*f.text(name) = value
	}
	return nil
}

// text finds the filter of a name that holds plain text.
func (f *Filters) text(name string) *string {
	return map[string]*string{
		"product_id": &f.ProductID, "customer_id": &f.CustomerID, "license_id": &f.LicenseID,
		"order_id": &f.OrderID, "subscription_id": &f.SubscriptionID, "feature_code": &f.FeatureCode,
		"action": &f.Action, "bucket": &f.Bucket, "time_zone": &f.TimeZone,
	}[name]
}

// Normalise checks the filters together and gives them the one form that equal
// requests share: defaults are written out, and a time_zone that changes
// nothing (UTC, or without 1d buckets) is left out. Errors: *[FilterError].
func (f Filters) Normalise(kind Kind) (Filters, error) {
	if f.From != nil && f.To != nil && *f.From > *f.To {
		return f, &FilterError{Field: "from", Value: FormatTime(int64(*f.From)), Problem: "is after to " + FormatTime(int64(*f.To))}
	}
	if f.Bucket != "" && f.Bucket != "1h" && f.Bucket != "1d" {
		return f, &FilterError{Field: "bucket", Value: f.Bucket, Problem: "must be 1h or 1d"}
	}
	if err := f.normaliseZone(); err != nil {
		return f, err
	}
	if f.Action != "" && kind == UsageLedger && !strings.HasPrefix(f.Action, UsagePrefix) {
		return f, &FilterError{Field: "action", Value: f.Action, Problem: "is not usage: usage actions begin with " + UsagePrefix}
	}
	return f, f.normaliseGroups(definitions[kind].groupBy)
}

func (f *Filters) normaliseZone() error {
	if f.TimeZone == "" {
		return nil
	}
	if _, err := LoadZone(f.TimeZone); err != nil {
		return &FilterError{Field: "time_zone", Value: f.TimeZone, Problem: "is not an IANA time zone such as Europe/Berlin"}
	}
	if f.Bucket != "1d" || f.TimeZone == "UTC" {
		f.TimeZone = ""
	}
	return nil
}

func (f *Filters) normaliseGroups(byDefault []string) error {
	if f.GroupBy == nil {
		f.GroupBy = slices.Clone(byDefault)
	}
	for i, group := range f.GroupBy {
		if !slices.Contains(groupings, group) {
			return &FilterError{Field: "group_by", Value: group, Problem: "must be one of " + strings.Join(groupings, ", ")}
		}
		if slices.Contains(f.GroupBy[:i], group) {
			return &FilterError{Field: "group_by", Value: group, Problem: "stands twice"}
		}
	}
	return nil
}

// LoadZone loads an IANA time zone; "" is UTC. It refuses "Local", whose meaning differs from machine to machine.
func LoadZone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, fmt.Errorf("time zone Local is not a zone of the IANA database")
	}
	return time.LoadLocation(name)
}

// Location is the zone whose days 1d buckets follow.
func (f Filters) Location() (*time.Location, error) { return LoadZone(f.TimeZone) }

// Match selects the activities that the filters are about.
func (f Filters) Match() Match {
	m := Match{From: f.From, To: f.To}
	m.Equal[FieldProduct] = f.ProductID
	m.Equal[FieldCustomer] = f.CustomerID
	m.Equal[FieldLicense] = f.LicenseID
	m.Equal[FieldOrder] = f.OrderID
	m.Equal[FieldSubscription] = f.SubscriptionID
	m.Equal[FieldFeature] = f.FeatureCode
	m.Equal[FieldAction] = f.Action
	return m
}

// usage selects those of the activities that are usage.
func (f Filters) usage() Match {
	m := f.Match()
	m.Usage = true
	return m
}
