package report

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestFilterRefusals(t *testing.T) {
	tests := []struct {
		kind        Kind
		name, value string
		want        string // of the message
	}{
		{UsageLedger, "color", "red", "color is not a filter of usage-ledger; it takes from, to, product_id"},
		{UsageLedger, "group_by", "customer_id", "group_by is not a filter of usage-ledger"},
		{UsageSummary, "action", "usage.consumed", "action is not a filter of usage-summary"},
		{UsageSummary, "limit", "5", "limit is not a filter"},
		{UsageLedger, "customer_id", "", "customer_id is empty; leave it out instead"},
		{UsageLedger, "from", "", "from is empty"},
		{UsageLedger, "customer_id", "a\x00b", `customer_id "a\x00b" has the control character U+0000 at byte 1`},
		{UsageLedger, "customer_id", "caf\xe9", "is not valid UTF-8 at byte 3"},
		{UsageLedger, "customer_id", strings.Repeat("x", MaxText+1), "is 1025 bytes long; the limit is 1024"},
		{UsageLedger, "from", "2026-01-31", `from "2026-01-31" is not an RFC 3339 time such as`},
		{UsageLedger, "to", "2026-02-30T00:00:00Z", "is not an RFC 3339 time"},
		{UsageLedger, "from", "0000-01-01T00:00:00+00:01", "outside of the years 0000 to 9999"},
		{UsageLedger, "to", "9999-12-31T23:59:59-00:01", "outside of the years 0000 to 9999"},
		{UsageLedger, "action", "license.issued", `action "license.issued" is not usage: usage actions begin with usage.`},
		{UsageSummary, "bucket", "1w", `bucket "1w" must be 1h or 1d`},
		{UsageSummary, "time_zone", "Europe/Atlantis", `time_zone "Europe/Atlantis" is not an IANA time zone`},
		{UsageSummary, "time_zone", "Local", `time_zone "Local" is not an IANA time zone`},
		{UsageSummary, "time_zone", "../../etc/passwd", "is not an IANA time zone"},
		{UsageSummary, "group_by", "color", `group_by "color" must be one of product_id, customer_id`},
		{UsageSummary, "group_by", "metadata", `group_by "metadata" must be one of`},
		{UsageSummary, "group_by", "action,", `group_by must be one of`},
		{UsageSummary, "group_by", "action,source,action", `group_by "action" stands twice`},
	}
	for _, test := range tests {
		f, err := ParseFilters(test.kind, map[string]string{test.name: test.value})
		var refused *FilterError
		if !errors.As(err, &refused) || refused.Field != test.name || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %q: %+v, %v; want an error for the field with %q", test.name, test.value, f, err, test.want)
		}
	}
}

func TestFiltersFromAfterTo(t *testing.T) {
	at := func(from, to string) error {
		_, err := ParseFilters(UsageLedger, map[string]string{"from": from, "to": to})
		return err
	}
	var refused *FilterError
	err := at("2026-01-01T00:00:00.001Z", "2026-01-01T00:00:00Z")
	if !errors.As(err, &refused) || refused.Field != "from" || !strings.Contains(err.Error(), "is after to 2026-01-01T00:00:00.000Z") {
		t.Errorf("from after to: %v", err)
	}
	if err := at("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"); err != nil {
		t.Errorf("from at to: %v, want an empty range", err)
	}
}

func TestUnmarshalFiltersRefusals(t *testing.T) {
	for _, test := range []struct{ text, field, want string }{
		{`[]`, "filters", "must be a JSON object"},
		{`null`, "filters", "must be a JSON object"},
		{``, "filters", "must be a JSON object"},
		{`{"bucket":"1h"`, "filters", "EOF"},
		{`{"bucket":"1h","bucket":"1d"}`, "filters", `name "bucket" twice`},
		{`{"bucket":1}`, "bucket", "must be a string"},
		{`{"customer_id":["a"]}`, "customer_id", "must be a string"},
		{`{"group_by":{}}`, "group_by", "must be a string"},
		{`{"group_by":[]}`, "group_by", "is empty"},
		{`{"Bucket":"1h"}`, "Bucket", "is not a filter of usage-summary"},
		{`{"limit":3}`, "limit", "is not a filter of usage-summary"},
		{`{"colour":null}`, "colour", "is not a filter of usage-summary"},
	} {
		f, err := UnmarshalFilters(UsageSummary, []byte(test.text))
		var refused *FilterError
		if !errors.As(err, &refused) || refused.Field != test.field || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v; want an error for %s with %q", test.text, f, err, test.field, test.want)
		}
	}
}

// Each list of requests means one thing, and has one form.
func TestFiltersNormalForm(t *testing.T) {
	tests := []struct {
		kind  Kind
		want  string
		texts []string
	}{
		{UsageLedger, `{}`, []string{`{}`, `{"customer_id":null}`, `{"from":null}`}},
		{UsageLedger, `{"from":"2026-01-01T00:00:00.000Z"}`, []string{
			`{"from":"2026-01-01T00:00:00Z"}`, `{"from":"2026-01-01T01:00:00+01:00"}`, `{"from":"2026-01-01T00:00:00.0009Z"}`}},
		{UsageLedger, `{"to":"1969-12-31T23:59:59.999Z"}`, []string{`{"to":"1969-12-31T23:59:59.9991Z"}`}},
		{UsageSummary, `{"group_by":["product_id","feature_code"]}`, []string{
			`{}`, `{"group_by":null}`, `{"group_by":"product_id,feature_code"}`, `{"group_by":["product_id","feature_code"]}`,
			`{"time_zone":"UTC"}`, `{"time_zone":"Europe/Berlin"}`}},
		{UsageSummary, `{"group_by":["feature_code","product_id"]}`, []string{`{"group_by":"feature_code,product_id"}`}},
		{UsageSummary, `{"bucket":"1d","group_by":["source"]}`, []string{
			`{"group_by":["source"],"bucket":"1d"}`, `{"bucket":"1d","group_by":"source","time_zone":"UTC"}`}},
		{UsageSummary, `{"bucket":"1h","group_by":["source"]}`, []string{`{"bucket":"1h","group_by":"source","time_zone":"Asia/Tokyo"}`}},
		{UsageSummary, `{"bucket":"1d","group_by":["source"],"time_zone":"Asia/Tokyo"}`, []string{
			`{"time_zone":"Asia/Tokyo","bucket":"1d","group_by":"source"}`}},
	}
	for _, test := range tests {
		for _, text := range test.texts {
			f, err := UnmarshalFilters(test.kind, []byte(text))
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if got, err := CanonicalJSON(f); err != nil || string(got) != test.want {
				t.Errorf("%s becomes %s, %v; want %s", text, got, err, test.want)
			}
			if again, err := f.Normalise(test.kind); err != nil || !reflect.DeepEqual(again, f) {
				t.Errorf("%s: normalised twice %+v, %v; want %+v", text, again, err, f)
			}
		}
	}
}

func TestFiltersRoundTrip(t *testing.T) {
	values := map[string]string{
		"from": "2026-01-01T00:00:00.123Z", "to": "2026-02-01T00:00:00Z", "product_id": `a"b`, "customer_id": "<é>", "license_id": "l",
		"order_id": "o", "subscription_id": "s", "feature_code": "f", "group_by": "action,source", "bucket": "1d", "time_zone": "Asia/Tokyo",
	}
	if len(values) != len(FilterNames(UsageSummary)) {
		t.Fatalf("the test sets %d filters, usage-summary takes %d", len(values), len(FilterNames(UsageSummary)))
	}
	want := parseFilters(t, UsageSummary, values)
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := UnmarshalFilters(UsageSummary, text); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s is read as %+v, %v; want %+v", text, got, err, want)
	}
}

// The defaults are handed out as copies.
func TestDefaultGroupsAreCopies(t *testing.T) {
	parseFilters(t, UsageSummary, nil).GroupBy[0] = "changed"
	if got := parseFilters(t, UsageSummary, nil).GroupBy[0]; got != "product_id" {
		t.Errorf("the default's first group is %q after a caller changed its own", got)
	}
}

func TestParseKind(t *testing.T) {
	for _, name := range KindNames() {
		if kind, err := ParseKind(name); err != nil || string(kind) != name {
			t.Errorf("ParseKind(%q) = %q, %v", name, kind, err)
		}
	}
	var refused *FilterError
	if _, err := ParseKind("usage"); !errors.As(err, &refused) || refused.Field != "report_kind" || !strings.Contains(err.Error(), "usage-summary") {
		t.Errorf("ParseKind(usage): %v, want a FilterError that names the kinds", err)
	}
}
