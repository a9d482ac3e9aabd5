package report_test

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"licensekit/exporter/report"
)

// repeated is a source of many activities, a batch that comes again and again,
// in the form that the ledger's blocks have.
type repeated struct {
	report.Source
	facts *report.Facts
	times int
}

func (s repeated) Activities(context.Context, report.Scan) iter.Seq2[*report.Facts, error] {
	return func(yield func(*report.Facts, error) bool) {
		for range s.times {
			if !yield(s.facts, nil) {
				return
			}
		}
	}
}

// Records gives none.
func (s repeated) Records(context.Context, report.Object, report.Match) iter.Seq2[report.Record, error] {
	return func(func(report.Record, error) bool) {}
}

func repeatedFacts(rows int) *report.Facts {
	f := &report.Facts{}
	for i := range rows {
		f.Sequence = append(f.Sequence, int64(i+1))
		f.OccurredAt = append(f.OccurredAt, 1_767_225_600_000+977*int64(i))
		f.ReceivedAt = append(f.ReceivedAt, 1_767_225_700_000+977*int64(i))
		f.Amount = append(f.Amount, int64(i%977-10))
		f.StatusCode = append(f.StatusCode, 200)
	}
	for field, distinct := range map[report.Field]int{
		report.FieldAction: 1, report.FieldProduct: 20, report.FieldCustomer: 1000, report.FieldLicense: 3000,
		report.FieldOrder: 3000, report.FieldSubscription: 3000, report.FieldFeature: 12,
	} {
		values := make([]string, distinct)
		for i := range values {
			values[i] = fmt.Sprintf("usage.%s_%04d", field, i)
		}
		text := report.Coded{Values: report.ListTexts(values...), Codes: make([]uint32, rows)}
		for i := range text.Codes {
			text.Codes[i] = uint32(i * 31 % distinct)
		}
		f.Text[field] = text
	}
	return f
}

// BenchmarkGrouping reads a million activities and groups them.
func BenchmarkGrouping(b *testing.B) {
	const rows, batch = 1_000_000, 8192
	source := repeated{facts: repeatedFacts(batch), times: rows / batch}
	for _, request := range []struct {
		kind    report.Kind
		groupBy string
	}{
		{report.UsageSummary, "customer_id"},
		{report.UsageSummary, "product_id,feature_code"},
		{report.SubscriptionSettlement, "license_id,feature_code"},
	} {
		b.Run(fmt.Sprintf("%s/%s", request.kind, request.groupBy), func(b *testing.B) {
			filters, err := report.ParseFilters(request.kind, map[string]string{"group_by": request.groupBy})
			if err != nil {
				b.Skip(err)
			}
			for b.Loop() {
				d, err := report.Build(b.Context(), source, request.kind, filters)
				if err != nil {
					b.Fatal(err)
				}
				usage := d.Sections[len(d.Sections)-1]
				for _, err := range usage.Rows {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
