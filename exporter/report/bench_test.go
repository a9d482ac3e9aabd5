package report

import (
	"bytes"
	"fmt"
	"testing"
)

const benchRows = 1_000_000 / BatchRows * BatchRows

// syntheticLedger has rows of about 190 bytes of values, in one batch that is
// handed out again and again.
func syntheticLedger(b *testing.B, rows int) *Document {
	b.Helper()
	activities := make([]Activity, BatchRows)
	for i := range activities {
		activities[i] = Activity{
			Sequence: int64(5_000_000 + i), OccurredAt: 1_767_225_600_000 + int64(977*i), Amount: int64(i%977 - 10), StatusCode: 200,
			Text: [NumFields]string{
				fmt.Sprintf("evt_%016x", i*7919), "usage.consumed", "metering", fmt.Sprintf("prod_%02d", i%20), fmt.Sprintf("cust_%06d", i*31%1000),
				fmt.Sprintf("lic_%08d", i*17%5000), "", fmt.Sprintf("sub_%08d", i*17%5000), fmt.Sprintf("feature.%d", i%12),
				fmt.Sprintf("req_%016x", i*104729), "success", "",
			},
		}
	}
	d, err := Build(b.Context(), &memory{activities: activities, perBatch: BatchRows}, UsageLedger, parseFilters(b, UsageLedger, nil))
	if err != nil {
		b.Fatal(err)
	}
	var batch Batch
	for batch = range d.Sections[0].Rows {
	}
	d.Sections[0].Rows = func(yield func(Batch, error) bool) {
		for left := rows; left > 0 && yield(batch, nil); left -= batch.Len() {
		}
	}
	return d
}

func BenchmarkWriteCanonical(b *testing.B) {
	d := syntheticLedger(b, benchRows)
	var size counter
	b.ReportAllocs()
	for b.Loop() {
		size = 0
		if _, err := WriteCanonical(&size, d); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(size))
	b.ReportMetric(benchRows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkReadCanonical(b *testing.B) {
	file := writeCanonical(b, syntheticLedger(b, benchRows/10))
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		d, err := ReadCanonical(bytes.NewReader(file))
		if err != nil {
			b.Fatal(err)
		}
		for _, err := range d.Sections[0].Rows {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(benchRows/10*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// counter counts the bytes that are written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
