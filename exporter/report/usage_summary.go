package report

import "context"

// usageSummary counts usage and adds up its amounts, by what group_by names
// and, if asked, by hour or day. Rows are sorted by bucket_start, then by the
// groups in their order; an absent value comes first.
var usageSummary = definition{
	filters: []string{"group_by", "bucket", "time_zone"},
	groupBy: []string{"product_id", "feature_code"},
	sections: func(f Filters) []Section {
		return []Section{{Name: "usage", Columns: summaryColumns(f)}}
	},
	rows: func(ctx context.Context, source Source, f Filters) (map[string]Rows, error) {
		match := f.Match()
		match.Usage = true
		dimensions, err := usageDimensions(f)
		if err != nil {
			return nil, err
		}
		return map[string]Rows{"usage": func(yield func(Batch, error) bool) {
			groups := newGroups(dimensions)
			if err := groups.scan(ctx, source, match); err != nil {
				yield(nil, err)
				return
			}
			groups.rows(summaryColumns(f), yield)
		}}, nil
	},
}

func summaryColumns(f Filters) []Column {
	var columns []Column
	if f.Bucket != "" {
		columns = append(columns, Column{Name: "bucket_start", Type: Time})
	}
	for _, group := range f.GroupBy {
		columns = append(columns, Column{Name: group, Type: String})
	}
	return append(columns,
		Column{Name: "events", Type: Integer, Sum: true},
		Column{Name: "amount", Type: Integer, Sum: true})
}

// usageDimensions are what usage is grouped by, in the order of the columns.
func usageDimensions(f Filters) ([]dimension, error) {
	var dimensions []dimension
	if f.Bucket != "" {
		zone, err := f.Location()
		if err != nil {
			return nil, err
		}
		dimensions = append(dimensions, &bucketDimension{buckets: newBuckets(f.Bucket, zone)})
	}
	for _, group := range f.GroupBy {
		field, _ := ParseField(group)
		dimensions = append(dimensions, &textDimension{field: field})
	}
	return dimensions, nil
}
