package report

import (
	"reflect"
	"testing"
)

func at(ms int64, action string, fields map[Field]string) Activity {
	a := used(ms, Null, fields)
	a.Text[FieldAction] = action
	return a
}

func licensed(id string) map[Field]string { return map[Field]string{FieldLicense: id} }

// A licence's life, told out of order, is a history in order.
func TestAuditTellsTheHistoryOfALicense(t *testing.T) {
	source := newStocked([]Activity{
		used(day(5), 7, map[Field]string{FieldLicense: "L", FieldFeature: "f"}),
		at(day(9), "license.suspended", licensed("L")),
		at(day(1), "license.issued", licensed("L")),
		at(day(2), "license.issued", licensed("M")),
		at(day(9), "license.revoked", licensed("L")),
	}, []any{Licenses, "id", "L", "status", "revoked", "expires_at", day(31)})
	filters := map[string]string{"license_id": "L"}
	rows := build(t, source, LicenseAudit, filters)
	got := pick(t, LicenseAudit, filters, rows, "activities", "sequence", "occurred_at", "action", "amount")
	want := []row{
		{int64(3), day(1), "license.issued", Null}, {int64(1), day(5), "usage.consumed", int64(7)},
		{int64(2), day(9), "license.suspended", Null}, {int64(5), day(9), "license.revoked", Null},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the timeline is %v, want %v", got, want)
	}
	got = pick(t, LicenseAudit, filters, rows, "licenses", "id", "status", "expires_at", "usage_events", "usage_amount", "first_activity_at", "last_activity_at")
	if want := []row{{"L", "revoked", day(31), int64(1), int64(7), day(1), day(9)}}; !reflect.DeepEqual(got, want) {
		t.Errorf("the license is %v, want %v", got, want)
	}
	got = rows["usage"]
	if want := []row{{"L", "f", int64(1), int64(7), day(5), day(5)}}; !reflect.DeepEqual(got, want) {
		t.Errorf("the usage is %v, want %v", got, want)
	}
}

// Without a license_id all are there: those with a record, those that only
// activities name, and the usage that names none.
func TestAuditCoversAllLicenses(t *testing.T) {
	source := newStocked([]Activity{
		used(day(5), 7, licensed("M")), used(day(6), 70, nil), at(day(7), "license.issued", licensed("N")),
	}, []any{Licenses, "id", "L", "status", "active"}, []any{Licenses, "id", "N", "status", "active"})
	rows := build(t, source, LicenseAudit, nil)
	got := pick(t, LicenseAudit, nil, rows, "licenses", "id", "status", "usage_events", "usage_amount", "first_activity_at")
	want := []row{{"L", "active", int64(0), int64(0), Null}, {"M", "", int64(1), int64(7), day(5)}, {"N", "active", int64(0), int64(0), day(7)}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the licenses are %v, want %v", got, want)
	}
	got = pick(t, LicenseAudit, nil, rows, "usage", "license_id", "events", "amount")
	if want := []row{{"", int64(1), int64(70)}, {"M", int64(1), int64(7)}}; !reflect.DeepEqual(got, want) {
		t.Errorf("the usage is %v, want %v", got, want)
	}
}

// Time bounds what happened, not which licenses there are.
func TestAuditPeriodBoundsActivitiesAlone(t *testing.T) {
	source := newStocked([]Activity{used(day(1), 1, licensed("L")), used(day(5), 10, licensed("L"))},
		[]any{Licenses, "id", "L", "product_id", "p"}, []any{Licenses, "id", "M", "product_id", "q"})
	for _, test := range []struct {
		filters map[string]string
		want    []row
	}{
		{map[string]string{"from": FormatTime(day(2))}, []row{{"L", int64(1), day(5)}, {"M", int64(0), Null}}},
		{map[string]string{"from": FormatTime(day(2)), "product_id": "q"}, []row{{"M", int64(0), Null}}},
		{map[string]string{"feature_code": "none"}, []row{{"L", int64(0), Null}, {"M", int64(0), Null}}},
		{map[string]string{"license_id": "M", "product_id": "p"}, nil},
		{map[string]string{"license_id": "nobody"}, nil},
	} {
		rows := build(t, source, LicenseAudit, test.filters)
		got := pick(t, LicenseAudit, test.filters, rows, "licenses", "id", "usage_events", "first_activity_at")
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: got %v, want %v", test.filters, got, test.want)
		}
	}
}
