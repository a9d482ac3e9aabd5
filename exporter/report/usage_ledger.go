package report

import "context"

// usageLedger lists every usage activity, by (occurred_at, sequence).
var usageLedger = definition{
	filters: []string{"action"},
	sections: func(Filters) []Section {
		return []Section{{Name: "usage", Columns: ledgerColumns, Key: timeKey}}
	},
	rows: func(ctx context.Context, source Source, f Filters) (map[string]Rows, error) {
		return map[string]Rows{"usage": activityRows(ctx, source, Scan{Match: f.usage(), Order: ByTime}, ledgerColumns)}, nil
	},
}

// timeKey is the order of time.
var timeKey = []string{"occurred_at", "sequence"}

var ledgerColumns = []Column{
	{Name: "sequence", Type: Integer},
	{Name: "id", Type: String},
	{Name: "occurred_at", Type: Time},
	{Name: "action", Type: String},
	{Name: "source", Type: String},
	{Name: "product_id", Type: String},
	{Name: "customer_id", Type: String},
	{Name: "license_id", Type: String},
	{Name: "order_id", Type: String},
	{Name: "subscription_id", Type: String},
	{Name: "feature_code", Type: String},
	{Name: "amount", Type: Integer, Sum: true},
	{Name: "request_id", Type: String},
	{Name: "result_class", Type: String},
	{Name: "status_code", Type: Integer},
}

// activityRows streams what a scan selects as rows; the columns' names choose
// the fields.
func activityRows(ctx context.Context, source Source, scan Scan, columns []Column) Rows {
	scan.Fields = 0
	for _, c := range columns {
		if field, ok := ParseField(c.Name); ok {
			scan.Fields |= SetOf(field)
		}
	}
	return func(yield func(Batch, error) bool) {
		for facts, err := range source.Activities(ctx, scan) {
			if err != nil {
				yield(nil, err)
				return
			}
			batch := make(Batch, len(columns))
			for i, c := range columns {
				batch[i] = facts.vector(c.Name)
			}
			if !yield(batch, nil) {
				return
			}
		}
	}
}

// vector gives a column of facts by its name.
func (f *Facts) vector(name string) Vector {
	switch name {
	case "sequence":
		return Vector{Int: f.Sequence}
	case "occurred_at":
		return Vector{Int: f.OccurredAt}
	case "received_at":
		return Vector{Int: f.ReceivedAt}
	case "amount":
		return Vector{Int: f.Amount}
	case "status_code":
		return Vector{Int: f.StatusCode}
	}
	field, ok := ParseField(name)
	if !ok {
		panic("report: activities have no column " + name)
	}
	return Vector{Text: f.Text[field]}
}
