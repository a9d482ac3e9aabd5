package report

import (
	"encoding/json"
	"slices"
)

// Object names a sort of record of the LicenseKit contract.
type Object string

// The objects that reporting data speaks of.
const (
	Products      Object = "products"
	Customers     Object = "customers"
	Licenses      Object = "licenses"
	Orders        Object = "orders"
	Subscriptions Object = "subscriptions"
)

// Objects lists the objects in the order in which their links point: each may
// link to those before it.
var Objects = []Object{Products, Customers, Subscriptions, Orders, Licenses}

// ObjectNames lists their names.
func ObjectNames() (names []string) {
	for _, object := range Objects {
		names = append(names, string(object))
	}
	return names
}

// Property describes a property of a record, with LicenseKit's name for it.
type Property struct {
	Name     string
	Type     PropertyType
	Required bool
	OneOf    []string // the values a status may have; nil for any
	Link     Object   // the object whose id this holds; "" for none
}

// PropertyType is the type of a property.
type PropertyType uint8

// The property types. Times are to the millisecond, metadata is a JSON object
// in RFC 8785 form.
const (
	TextProperty PropertyType = iota
	IDProperty
	IntegerProperty
	BooleanProperty
	TimeProperty
	ObjectProperty
)

var properties = map[Object][]Property{
	Products: common(
		Property{Name: "name"},
		Property{Name: "code"},
	),
	Customers: common(
		Property{Name: "name"},
		Property{Name: "code"},
		Property{Name: "email"},
	),
	Licenses: common(
		Property{Name: "product_id", Type: IDProperty, Link: Products},
		Property{Name: "policy_id", Type: IDProperty},
		Property{Name: "customer_id", Type: IDProperty, Link: Customers},
		Property{Name: "order_id", Type: IDProperty, Link: Orders},
		Property{Name: "subscription_id", Type: IDProperty, Link: Subscriptions},
		Property{Name: "status", OneOf: []string{"active", "suspended", "expired", "revoked", "grace_period"}},
		Property{Name: "license_type", OneOf: []string{"perpetual", "time_limited", "subscription", "trial", "consumption"}},
		Property{Name: "license_key_prefix"},
		Property{Name: "license_key_last4"},
		Property{Name: "customer_email"},
		Property{Name: "customer_name"},
		Property{Name: "active_device_count", Type: IntegerProperty},
		Property{Name: "times_activated", Type: IntegerProperty},
		Property{Name: "times_transferred", Type: IntegerProperty},
		Property{Name: "total_consumptions", Type: IntegerProperty},
		Property{Name: "entitlement_version", Type: IntegerProperty},
		Property{Name: "starts_at", Type: TimeProperty},
		Property{Name: "expires_at", Type: TimeProperty},
		Property{Name: "maintenance_expires_at", Type: TimeProperty},
	),
	Subscriptions: common(
		Property{Name: "product_id", Type: IDProperty, Link: Products},
		Property{Name: "customer_id", Type: IDProperty, Link: Customers},
		Property{Name: "external_system"},
		Property{Name: "external_id"},
		Property{Name: "status", OneOf: []string{"trialing", "active", "past_due", "paused", "canceled"}},
		Property{Name: "current_period_start", Type: TimeProperty},
		Property{Name: "current_period_end", Type: TimeProperty},
		Property{Name: "cancel_at_period_end", Type: BooleanProperty},
		Property{Name: "canceled_at", Type: TimeProperty},
	),
	Orders: common(
		Property{Name: "product_id", Type: IDProperty, Link: Products},
		Property{Name: "customer_id", Type: IDProperty, Link: Customers},
		Property{Name: "subscription_id", Type: IDProperty, Link: Subscriptions},
		Property{Name: "external_system"},
		Property{Name: "external_id"},
		Property{Name: "status", OneOf: []string{"pending", "paid", "fulfilled", "canceled", "refunded"}},
		Property{Name: "period_start", Type: TimeProperty},
		Property{Name: "period_end", Type: TimeProperty},
	),
}

// common frames an object's own properties with those that every object has.
func common(own ...Property) []Property {
	all := append([]Property{{Name: "id", Type: IDProperty, Required: true}}, own...)
	return append(all,
		Property{Name: "metadata", Type: ObjectProperty},
		Property{Name: "created_at", Type: TimeProperty},
		Property{Name: "updated_at", Type: TimeProperty},
	)
}

// Properties lists the properties of an object, nil for one that does not
// exist. Only the id is required: reporting takes what the vendor's system has.
func (o Object) Properties() []Property { return properties[o] }

// Record is a product, customer, license, order or subscription. Unlike an
// activity it is replaced as a whole when it comes again.
type Record struct {
	Object Object
	values map[string]any // string, int64 (integers, times in ms) or bool; absent ones are missing
}

// NewRecord gives an empty record.
func NewRecord(object Object) Record {
	return Record{Object: object, values: map[string]any{}}
}

// ID is the record's id.
func (r Record) ID() string { return r.Text("id") }

// Text gives a text, id or metadata property, "" where it is absent.
func (r Record) Text(name string) string {
	text, _ := r.values[name].(string)
	return text
}

// Int gives an integer or a time (milliseconds since the epoch) property,
// [Null] where it is absent.
func (r Record) Int(name string) int64 {
	if v, ok := r.values[name].(int64); ok {
		return v
	}
	return Null
}

// Bool gives a boolean property; ok tells whether it is there.
func (r Record) Bool(name string) (value, ok bool) {
	value, ok = r.values[name].(bool)
	return value, ok
}

// Set gives a property a value of its type: string, int64 or bool. The empty
// string and Null mean absent.
func (r Record) Set(name string, value any) {
	if value == "" || value == Null {
		delete(r.values, name)
		return
	}
	r.values[name] = value
}

// Equal tells whether two records say the same.
func (r Record) Equal(other Record) bool {
	return r.Object == other.Object && !slices.ContainsFunc(r.Object.Properties(), func(p Property) bool {
		return r.values[p.Name] != other.values[p.Name]
	})
}

// Members gives a record as a JSON object has it: every property by its name,
// times as [FormatTime] writes them, metadata as the object that it is, and nil
// for what is absent.
func (r Record) Members() map[string]any {
	members := map[string]any{}
	for _, p := range r.Object.Properties() {
		value := r.values[p.Name]
		switch v := value.(type) {
		case int64:
			if p.Type == TimeProperty {
				value = FormatTime(v)
			}
		case string:
			if p.Type == ObjectProperty {
				value = json.RawMessage(v)
			}
		}
		members[p.Name] = value
	}
	return members
}
