package report

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// roster finds the records of an object that a report lists, in the order of
// their ids: those that the filters select, and those that a selected activity
// or another selected record names. The latter may have no record at all, and
// then only an id. What is named is held in memory, what is selected streams.
type roster struct {
	object     Object
	properties []Column // of the records, first the id
	names      *numbering[string]
	named      *groups  // the activities by the object's id, with a group per name
	found      []string // ids of the selected, if a survey has looked at all records and they are few
	surveyed   bool     // that is so
}

// fewRecords is how many selected records a roster remembers, so that they need
// not be looked for again.
const fewRecords = 4096

// newRoster lists records with some of their properties and with measures of
// the activities that name them.
func newRoster(object Object, properties []string, measures ...measure) *roster {
	ids := &textDimension{field: idFields[object]}
	return &roster{
		object: object, properties: propertyColumns(object, properties),
		names: &ids.numbering, named: newGroups([]dimension{ids}, measures...),
	}
}

// propertyColumns are the columns of some properties. A boolean is the text
// "true" or "false".
func propertyColumns(object Object, names []string) (columns []Column) {
	for _, name := range names {
		i := slices.IndexFunc(object.Properties(), func(p Property) bool { return p.Name == name })
		typ := map[PropertyType]Type{IntegerProperty: Integer, TimeProperty: Time}[object.Properties()[i].Type]
		if typ == "" {
			typ = String
		}
		columns = append(columns, Column{Name: name, Type: typ})
	}
	return columns
}

// columns are the properties', then one per measure.
func (r *roster) columns() []Column {
	columns := slices.Clone(r.properties)
	for _, m := range r.named.measures {
		columns = append(columns, m.column)
	}
	return columns
}

// section is the table of the records, without rows.
func (r *roster) section(name string) Section {
	return Section{Name: name, Columns: r.columns(), Key: []string{"id"}}
}

// name puts a record on the roster; "" is none.
func (r *roster) name(id string) error {
	if id == "" {
		return nil
	}
	number, known := r.names.numbers[id]
	if !known {
		number = r.names.number(strings.Clone(id))
	}
	return r.named.grow(int(number) + 1)
}

// group is the group of a record, -1 if nothing names it.
func (r *roster) group(id string) int {
	if number, ok := r.names.numbers[id]; ok && id != "" {
		return int(number)
	}
	return -1
}

// linking are the objects whose records name others.
var linking = []Object{Licenses, Orders, Subscriptions}

// surveyed gives a function that fills rosters when it is first called.
func surveyed(ctx context.Context, source Source, match Match, objects []Object, rosters ...*roster) func() error {
	return sync.OnceValue(func() error { return survey(ctx, source, match, objects, rosters...) })
}

// survey fills rosters from the activities that a match selects, and from the
// links of the records that it selects among some objects.
func survey(ctx context.Context, source Source, match Match, objects []Object, rosters ...*roster) error {
	var groupings []*groups
	for _, r := range rosters {
		groupings = append(groupings, r.named)
	}
	if err := scan(ctx, source, match, groupings...); err != nil {
		return err
	}
	for _, object := range objects {
		if err := surveyRecords(ctx, source, match, object, rosters); err != nil {
			return err
		}
	}
	return nil
}

func surveyRecords(ctx context.Context, source Source, match Match, object Object, rosters []*roster) error {
	var found []string
	for record, err := range candidates(ctx, source, object, match) {
		if err == nil {
			record, err = linked(source, record)
		}
		if err == nil && match.selects(record) {
			if match.narrow() && len(found) <= fewRecords {
				found = append(found, strings.Clone(record.ID()))
			}
			err = nameLinks(record, rosters)
		}
		if err != nil {
			return err
		}
	}
	for _, r := range rosters {
		if r.object == object && match.narrow() && len(found) <= fewRecords {
			r.found, r.surveyed = found, true
		}
	}
	return nil
}

// nameLinks puts what a record names on the rosters. Its own id stays off: the
// record is selected as it is.
func nameLinks(record Record, rosters []*roster) error {
	for _, r := range rosters {
		if r.object == record.Object {
			continue
		}
		if err := r.name(record.names(r.object)); err != nil {
			return err
		}
	}
	return nil
}

// The properties of records that reports show.
var (
	licenseProperties = []string{
		"id", "product_id", "policy_id", "customer_id", "order_id", "subscription_id", "status", "license_type",
		"starts_at", "expires_at", "maintenance_expires_at", "created_at", "updated_at",
	}
	orderProperties = []string{
		"id", "product_id", "customer_id", "subscription_id", "external_system", "external_id", "status",
		"period_start", "period_end", "created_at", "updated_at",
	}
	subscriptionProperties = []string{
		"id", "product_id", "customer_id", "external_system", "external_id", "status", "current_period_start",
		"current_period_end", "cancel_at_period_end", "canceled_at", "created_at", "updated_at",
	}
)

// activityMeasures say what is known of a record from the activities that name
// it: how much usage, and from when to when anything happened at all.
func activityMeasures() []measure {
	return []measure{
		events("usage_events").whereAction(isUsage),
		amount("usage_amount").whereAction(isUsage),
		first("first_activity_at"),
		last("last_activity_at"),
	}
}
