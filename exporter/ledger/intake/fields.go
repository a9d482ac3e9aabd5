package intake

import (
	"fmt"
	"slices"
	"strings"

	"licensekit/exporter/report"
)

// maxMetadata bounds metadata, in bytes of its canonical form.
const maxMetadata = 4096

// field is a field that a row may have.
type field struct {
	name     string
	kind     report.PropertyType
	required bool
	limit    int // bytes of text
	oneOf    []string
	slot     slot
}

// slot is where an activity keeps a field: a text field by its number, or one
// of those below. Records keep fields by name.
type slot int

const (
	slotOccurredAt slot = iota + slot(report.NumFields)
	slotAmount
	slotStatusCode
)

// target is what rows are turned into.
type target struct {
	object string
	fields []field
	// Indices of the fields between which a period lies; equal if there are none.
	start, end int
}

// isRecords tells records from activities.
func (t *target) isRecords() bool { return t.object != Activities }

// find gives the index of a field, -1 for a name that is none.
func (t *target) find(name string) int {
	return slices.IndexFunc(t.fields, func(f field) bool { return f.name == name })
}

func (t *target) names() string {
	var names []string
	for _, f := range t.fields {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

func (t *target) required() (set uint64) {
	for i, f := range t.fields {
		if f.required {
			set |= 1 << i
		}
	}
	return set
}

func newTarget(object string) (*target, error) {
	if object == Activities {
		return &target{object: object, fields: activityFields()}, nil
	}
	properties := report.Object(object).Properties()
	if properties == nil {
		return nil, &FileError{Field: "object", Code: CodeInvalidOption, Message: fmt.Sprintf("%q is none of %s", object, strings.Join(ObjectNames(), ", "))}
	}
	t := &target{object: object}
	for _, p := range properties {
		t.fields = append(t.fields, newField(p))
	}
	switch report.Object(object) {
	case report.Subscriptions:
		t.start, t.end = t.find("current_period_start"), t.find("current_period_end")
	case report.Orders:
		t.start, t.end = t.find("period_start"), t.find("period_end")
	}
	return t, nil
}

func newField(p report.Property) field {
	f := field{name: p.Name, kind: p.Type, required: p.Required, oneOf: p.OneOf, limit: report.MaxText}
	switch p.Type {
	case report.IDProperty:
		f.limit = report.MaxID
	case report.ObjectProperty:
		f.limit = maxMetadata
	}
	return f
}

// activityFields describes activities as records are described.
func activityFields() []field {
	var fields []field
	for i := range report.NumFields {
		p := report.Property{Name: report.Field(i).String(), Type: activityType(report.Field(i))}
		p.Required = p.Name == "id" || p.Name == "action"
		f := newField(p)
		f.slot = slot(i)
		fields = append(fields, f)
	}
	return append(fields,
		field{name: "occurred_at", kind: report.TimeProperty, required: true, slot: slotOccurredAt},
		field{name: "amount", kind: report.IntegerProperty, slot: slotAmount},
		field{name: "status_code", kind: report.IntegerProperty, slot: slotStatusCode},
	)
}

func activityType(f report.Field) report.PropertyType {
	switch {
	case f == report.FieldMetadata:
		return report.ObjectProperty
	case f == report.FieldID, strings.HasSuffix(f.String(), "_id"):
		return report.IDProperty
	}
	return report.TextProperty
}
