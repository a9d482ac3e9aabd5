package rfc4180

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"testing"
)

// ledgerRows are rows like those of a usage ledger, about 180 bytes each; every
// nth has a quoted field.
func ledgerRows(n, quotedEach int) [][]string {
	rows := make([][]string, n)
	for i := range rows {
		action := "usage.consumed"
		if quotedEach > 0 && i%quotedEach == 0 {
			action = `usage "adjusted", late`
		}
		rows[i] = []string{
			fmt.Sprint(1_000_000 + i), fmt.Sprintf("evt_%016x", i*7919), "2026-01-15T10:20:30.123Z",
			action, "metering", "prod_0042", fmt.Sprintf("cust_%06d", i%1000), fmt.Sprintf("lic_%08d", i%5000),
			"", fmt.Sprintf("sub_%08d", i%5000), "api.calls", fmt.Sprint(i % 977), fmt.Sprintf("req_%016x", i), "ok",
		}
	}
	return rows
}

func encode(rows [][]string) (data []byte) {
	for _, row := range rows {
		data = AppendRecord(data, row...)
	}
	return data
}

// endless repeats its data, so that a benchmark reads one steady stream.
type endless struct {
	data []byte
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.data[e.at:])
	e.at = (e.at + n) % len(e.data)
	return n, nil
}

var mixes = []struct {
	name       string
	quotedEach int
}{{"plain", 0}, {"quoted1in10", 10}, {"quotedAll", 1}}

func BenchmarkRead(b *testing.B) {
	for _, mix := range mixes {
		for _, strict := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/strict=%t", mix.name, strict), func(b *testing.B) {
				rows := ledgerRows(10_000, mix.quotedEach)
				data := encode(rows)
				r := NewReader(&endless{data: data}, Options{Strict: strict})
				b.SetBytes(int64(len(data) / len(rows)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := r.Read(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, mix := range mixes {
		b.Run(mix.name, func(b *testing.B) {
			rows := ledgerRows(10_000, mix.quotedEach)
			dst := encode(rows)
			b.SetBytes(int64(len(dst)))
			b.ReportAllocs()
			for b.Loop() {
				dst = dst[:0]
				for _, row := range rows {
					dst = AppendRecord(dst, row...)
				}
			}
		})
	}
}

// BenchmarkEncodingCSV is the yardstick.
func BenchmarkEncodingCSV(b *testing.B) {
	data := encode(ledgerRows(10_000, 10))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		r := csv.NewReader(bytes.NewReader(data))
		r.ReuseRecord = true
		for {
			if _, err := r.Read(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
