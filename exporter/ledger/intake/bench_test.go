package intake

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"licensekit/exporter/ledger"
	"licensekit/exporter/report"
)

// counter is a sink that costs nothing.
type counter struct{ outcomes []ledger.Outcome }

func (c *counter) answer(n int) []ledger.Outcome {
	for len(c.outcomes) < n {
		c.outcomes = append(c.outcomes, ledger.Outcome{Status: ledger.Accepted})
	}
	return c.outcomes[:n]
}

func (c *counter) Append(_ context.Context, rows []report.Activity) ([]ledger.Outcome, error) {
	return c.answer(len(rows)), nil
}

func (c *counter) Put(_ context.Context, records []report.Record) ([]ledger.Outcome, error) {
	return c.answer(len(records)), nil
}

func benchmark(b *testing.B, format Format, file func(rows int) []byte) {
	const n = 1_000_000
	text := file(n)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		result, err := Read(b.Context(), bytes.NewReader(text), Options{Object: Activities, Format: format}, &counter{}, nil)
		if err != nil || result.Accepted != n {
			b.Fatal(result, err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkCSV(b *testing.B) {
	benchmark(b, CSV, func(n int) []byte {
		text := []byte("id,occurred_at,action,source,customer_id,product_id,license_id,feature_code,amount,status_code\n")
		for i := range n {
			text = fmt.Appendf(text, "evt_%012d,2026-%02d-%02dT%02d:%02d:%02d.%03dZ,usage.consumed,meter,cus_%06d,prod_%02d,lic_%06d,feature_%d,%d,200\n",
				i, i%12+1, i%28+1, i%24, i%60, i%59, i%1000, i%5000, i%20, i%9000, i%40, i%1000)
		}
		return text
	})
}

func BenchmarkNDJSON(b *testing.B) {
	benchmark(b, NDJSON, func(n int) []byte { return benchObjects(n, "\n") })
}

func BenchmarkJSON(b *testing.B) {
	benchmark(b, JSON, func(n int) []byte {
		return append(append([]byte{'['}, bytes.TrimSuffix(benchObjects(n, ","), []byte{','})...), ']')
	})
}

func benchObjects(n int, end string) (text []byte) {
	for i := range n {
		text = fmt.Appendf(text, `{"id":"evt_%012d","occurred_at":"2026-%02d-%02dT%02d:%02d:%02d.%03dZ","action":"usage.consumed","source":"meter","customer_id":"cus_%06d","product_id":"prod_%02d","license_id":"lic_%06d","feature_code":"feature_%d","amount":%d,"status_code":200}%s`,
			i, i%12+1, i%28+1, i%24, i%60, i%59, i%1000, i%5000, i%20, i%9000, i%40, i%1000, end)
	}
	return text
}
