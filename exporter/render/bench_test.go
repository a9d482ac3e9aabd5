package render

import (
	"bytes"
	"fmt"
	"testing"

	"licensekit/exporter/report"
)

// syntheticLedger has rows of about 190 bytes in CSV, 15 columns, most of them
// filled, in batches that repeat.
func syntheticLedger(t testing.TB, rows int) *report.Document {
	t.Helper()
	d := ledger(t, nil)
	columns := d.Sections[0].Columns
	b := report.NewBuilder(columns)
	for i := range report.BatchRows {
		for column, c := range columns {
			switch v := syntheticValue(c.Name, i).(type) {
			case string:
				b.String(column, v)
			case int64:
				b.Int(column, v)
			}
		}
		b.EndRow()
	}
	batch := b.Take()
	d.Sections[0].Rows = func(yield func(report.Batch, error) bool) {
		for left := rows; left > 0; left -= batch.Len() {
			if !yield(batch, nil) {
				return
			}
		}
	}
	return d
}

func syntheticValue(column string, i int) any {
	switch column {
	case "sequence":
		return int64(5_000_000 + i)
	case "id":
		return fmt.Sprintf("evt_%016x", i*7919)
	case "occurred_at":
		return int64(1_767_225_600_000 + 977*i)
	case "action":
		return "usage.consumed"
	case "source":
		return "metering"
	case "product_id":
		return fmt.Sprintf("prod_%02d", i%20)
	case "customer_id":
		return fmt.Sprintf("cust_%06d", i*31%1000)
	case "license_id":
		return fmt.Sprintf("lic_%08d", i*17%5000)
	case "subscription_id":
		return fmt.Sprintf("sub_%08d", i*17%5000)
	case "feature_code":
		return fmt.Sprintf("feature.%d", i%12)
	case "amount":
		return int64(i%977 - 10)
	case "request_id":
		return fmt.Sprintf("req_%016x", i*104729)
	case "result_class":
		return "success"
	case "status_code":
		return int64(200)
	}
	return ""
}

const benchRows = 1_000_000 / report.BatchRows * report.BatchRows

func BenchmarkEncode(b *testing.B) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			format, d := mustParse(b, name), syntheticLedger(b, benchRows)
			var size counter
			b.ReportAllocs()
			for b.Loop() {
				size = 0
				if err := format.Encode(b.Context(), &size, d, Info{}); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(size))
			b.ReportMetric(float64(benchRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			format, d := mustParse(b, name), syntheticLedger(b, benchRows/4)
			file := encode(b, format, d)
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			for b.Loop() {
				decoded, err := format.Decode(bytes.NewReader(file), int64(len(file)), d.Kind, d.Filters)
				if err != nil {
					b.Fatal(err)
				}
				for _, err := range decoded.Sections[0].Rows {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(benchRows/4)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// counter counts the bytes that are written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
