package report

// Field is a text field of an activity.
type Field uint8

// The text fields of an activity, in the order of their columns.
const (
	FieldID Field = iota
	FieldAction
	FieldSource
	FieldProduct
	FieldCustomer
	FieldLicense
	FieldOrder
	FieldSubscription
	FieldFeature
	FieldRequest
	FieldResultClass
	FieldMetadata
	NumFields int = iota
)

// fieldNames are the names of the fields in the LicenseKit contract.
var fieldNames = [NumFields]string{
	"id", "action", "source", "product_id", "customer_id", "license_id", "order_id",
	"subscription_id", "feature_code", "request_id", "result_class", "metadata",
}

// String is the field's name in the contract: "customer_id".
func (f Field) String() string { return fieldNames[f] }

// ParseField finds a field by its name in the contract.
func ParseField(name string) (Field, bool) {
	for i, n := range fieldNames {
		if n == name {
			return Field(i), true
		}
	}
	return 0, false
}

// FieldSet is a set of fields.
type FieldSet uint16

// AllFields holds every text field.
const AllFields FieldSet = 1<<NumFields - 1

// SetOf gathers fields into a set.
func SetOf(fields ...Field) (set FieldSet) {
	for _, f := range fields {
		set |= 1 << f
	}
	return set
}

// Has tells whether the field is in the set.
func (s FieldSet) Has(f Field) bool { return s&(1<<f) != 0 }

// UsagePrefix begins the actions that count as usage ("usage.consumed",
// "usage.adjusted"). The usage reports are about these alone; the activity
// feed and the license audit show the others too.
const UsagePrefix = "usage."

// AdjustedUsage is the action of usage that corrects earlier usage.
const AdjustedUsage = UsagePrefix + "adjusted"

// MaxAmount bounds an amount: |amount| <= 2^53-1, the integers that every
// JSON reader holds exactly (RFC 7493).
const MaxAmount = 1<<53 - 1

// Activity is a fact: something was used, or happened to a license. It is
// appended once and never changes.
type Activity struct {
	Sequence   int64 // ours: the order of acceptance, from 1, without gaps
	OccurredAt int64 // milliseconds since the epoch, UTC; what finer input said is cut off
	ReceivedAt int64 // milliseconds since the epoch, UTC
	Amount     int64 // or Null
	StatusCode int64 // or Null
	Text       [NumFields]string
	Inferred   FieldSet // the ids that were taken from linked records, not from the producer
}

// Facts is a batch of activities by column. All slices have the same length,
// save those of text fields that were not asked for, which are empty.
type Facts struct {
	Sequence, OccurredAt, ReceivedAt, Amount, StatusCode []int64
	Text                                                 [NumFields]Coded
}

// Len is the number of activities.
func (f *Facts) Len() int { return len(f.Sequence) }
