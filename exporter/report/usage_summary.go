package report

import (
	"context"
	"time"
)

// usageSummary counts usage and adds up its amounts, by what group_by names
// and, if asked, by hour or day. Rows are sorted by bucket_start, then by the
// groups in their order; an absent value comes first.
var usageSummary = definition{
	filters: []string{"group_by", "bucket", "time_zone"},
	groupBy: []string{"product_id", "feature_code"},
	sections: func(f Filters) []Section {
		return []Section{summaryGroups(f, nil).section("usage")}
	},
	rows: func(ctx context.Context, source Source, f Filters) (map[string]Rows, error) {
		zone, err := f.Location()
		if err != nil {
			return nil, err
		}
		return map[string]Rows{"usage": groupedRows(ctx, source, f.usage(), func() *groups {
			return summaryGroups(f, zone)
		})}, nil
	},
}

func summaryGroups(f Filters, zone *time.Location) *groups {
	var dimensions []dimension
	if f.Bucket != "" {
		dimensions = append(dimensions, &bucketDimension{buckets: newBuckets(f.Bucket, zone)})
	}
	return newGroups(append(dimensions, textDimensions(f.GroupBy...)...), events("events"), amount("amount"))
}

// textDimensions groups by text fields, by their names.
func textDimensions(names ...string) (dimensions []dimension) {
	for _, name := range names {
		field, ok := ParseField(name)
		if !ok {
			panic("report: activities have no field " + name)
		}
		dimensions = append(dimensions, &textDimension{field: field})
	}
	return dimensions
}
