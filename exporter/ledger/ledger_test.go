package ledger

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"licensekit/exporter/metadb"
	"licensekit/exporter/report"
)

// openDB opens a database as the product does.
func openDB(t testing.TB, path string) *metadb.DB {
	t.Helper()
	db, err := metadb.Open(path, metadb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// clock is where the tests' time stands still.
var clock = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func testOptions(t testing.TB) Options {
	return Options{Now: func() time.Time { return clock }, Tmp: t.TempDir()}
}

func newLedger(t testing.TB) *Ledger {
	t.Helper()
	l, err := Open(openDB(t, filepath.Join(t.TempDir(), "meta.db")), testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var (
	products  = numbered("prod_%02d", 20)
	customers = numbered("cust_%05d", 2000)
	licenses  = numbered("lic_%06d", 20000)
	features  = numbered("feature-%d", 40)
)

func numbered(format string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(format, i)
	}
	return list
}

func hexDigits(random *rand.Rand, n int) string {
	digits := make([]byte, n)
	for i := range digits {
		digits[i] = "0123456789abcdef"[random.Uint32()>>28]
	}
	return string(digits)
}

// fact makes an activity like those that producers send: about 115 bytes, ids
// in random order, times roughly in the order of arrival.
func fact(random *rand.Rand, i int) report.Activity {
	a := report.Activity{
		OccurredAt: clock.UnixMilli() + int64(i)*700 + random.Int64N(60_000),
		Amount:     random.Int64N(1000),
		StatusCode: report.Null,
	}
	a.Text[report.FieldID] = "evt_" + hexDigits(random, 24)
	a.Text[report.FieldAction] = "usage.consumed"
	a.Text[report.FieldSource] = "meter"
	a.Text[report.FieldProduct] = products[random.IntN(len(products))]
	a.Text[report.FieldCustomer] = customers[random.IntN(len(customers))]
	a.Text[report.FieldLicense] = licenses[random.IntN(len(licenses))]
	a.Text[report.FieldFeature] = features[random.IntN(len(features))]
	a.Text[report.FieldRequest] = "req_" + hexDigits(random, 12)
	a.Text[report.FieldResultClass] = []string{"success", "denied"}[random.IntN(2)]
	return a
}

func facts(random *rand.Rand, from, count int) []report.Activity {
	rows := make([]report.Activity, count)
	for i := range rows {
		rows[i] = fact(random, from+i)
	}
	return rows
}

// count tells how many outcomes have each status.
func count(outcomes []Outcome) map[Status]int {
	n := map[Status]int{}
	for _, o := range outcomes {
		n[o.Status]++
	}
	return n
}
