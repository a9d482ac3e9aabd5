package command

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"

	"licensekit/exporter/report"
)

// generator makes activities for measurements: realistic, and the same ones
// for the same settings on every machine.
//
// A year of usage of 5 products by 2,000 customers with three licenses each.
// A few customers make most of it (Zipf). Rows come roughly in the order of
// time, as a meter sends them; one in 50 is up to three days late. One in 60
// adjusts usage, one in 2,000 is a license event.
type generator struct {
	rows   int64
	random bool // event ids are random UUIDs, otherwise ordered by time

	rng       *rand.Rand
	customers *rand.Zipf
}

const generatorStart = 1735689600000 // 2025-01-01T00:00:00Z

func newGenerator(rows int64, random bool) *generator {
	rng := rand.New(rand.NewPCG(20250101, 7))
	return &generator{rows: rows, random: random, rng: rng, customers: rand.NewZipf(rng, 1.2, 8, 1999)}
}

// generatorHeader names the columns of the generated CSV.
const generatorHeader = "id,occurred_at,action,source,product_id,customer_id,license_id,feature_code,amount,request_id,status_code\n"

// write writes the activities as CSV. It ends early with ctx.
func (g *generator) write(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<20)
	out.WriteString(generatorHeader)
	row := make([]byte, 0, 256)
	for i := range g.rows {
		if i%8192 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		row = g.append(row[:0], i)
		if _, err := out.Write(row); err != nil {
			return fmt.Errorf("write generated activities: %w", err)
		}
	}
	return out.Flush()
}

func (g *generator) append(row []byte, i int64) []byte {
	const year, day = 365 * 24 * 3600 * 1000, 24 * 3600 * 1000
	at := generatorStart + i*(year/max(g.rows, 1)) + g.rng.Int64N(2000)
	if g.rng.IntN(50) == 0 {
		at -= g.rng.Int64N(3 * day)
	}
	customer := g.customers.Uint64()
	license := customer*3 + g.rng.Uint64N(3)
	product := license % 5
	row = append(g.id(row, i), ',')
	row = append(report.AppendTime(row, at), ',')
	action, amount, feature, status := "usage.consumed", 1+g.rng.Int64N(500), g.rng.Uint64N(8), "200"
	switch n := g.rng.IntN(6000); {
	case n < 100:
		action, amount = "usage.adjusted", -amount
	case n < 103:
		action = "license.renewed"
	case n < 400:
		status, amount = "429", 0
	}
	row = append(append(row, action...), ",meter,"...)
	row = strconv.AppendUint(append(row, "prod_"...), product, 10)
	row = strconv.AppendUint(append(row, ",cust_"...), 10000+customer, 10)
	row = strconv.AppendUint(append(row, ",lic_"...), 100000+license, 10)
	row = strconv.AppendUint(append(row, ",feature_"...), product*8+feature, 10)
	row = strconv.AppendInt(append(row, ','), amount, 10)
	row = strconv.AppendUint(append(row, ",req_"...), g.rng.Uint64()>>24, 36)
	return append(append(append(row, ','), status...), '\n')
}

// id makes an event id: a UUIDv4, or one that sorts by time.
func (g *generator) id(row []byte, i int64) []byte {
	if !g.random {
		return fmt.Appendf(row, "evt_%012d", i)
	}
	high, low := g.rng.Uint64(), g.rng.Uint64()
	return fmt.Appendf(row, "%08x-%04x-4%03x-%04x-%012x", high>>32, high>>16&0xffff, high&0xfff, 0x8000|low>>48&0x3fff, low&0xffffffffffff)
}
