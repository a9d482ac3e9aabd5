package intake

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"licensekit/exporter/report"
	"licensekit/exporter/rfc4180"
)

// anyActivity makes a valid activity.
func anyActivity(r *rand.Rand, n int) report.Activity {
	a := report.Activity{OccurredAt: r.Int64N(lastMilli-firstMilli) + firstMilli, Amount: report.Null, StatusCode: report.Null}
	if r.IntN(3) > 0 {
		a.Amount = r.Int64N(2*report.MaxAmount+1) - report.MaxAmount
	}
	if r.IntN(3) > 0 {
		a.StatusCode = r.Int64N(600)
	}
	for f := range report.NumFields {
		if r.IntN(3) > 0 {
			a.Text[f] = anyText(r)
		}
	}
	a.Text[report.FieldID] = fmt.Sprint(n, anyText(r))
	a.Text[report.FieldAction] = "usage." + anyText(r)
	a.Text[report.FieldMetadata] = ""
	if r.IntN(3) > 0 {
		value, _ := json.Marshal(map[string]string{"k": strings.ReplaceAll(anyText(r), "\u2028", "")})
		a.Text[report.FieldMetadata] = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(value))
	}
	return a
}

func anyText(r *rand.Rand) string {
	alphabet := []rune(`abc,;"'=+-@\/{}[]<>& ` + "äß€漢😀\u2028\u00a0\ufeff")
	text := make([]rune, 1+r.IntN(12))
	for i := range text {
		text[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(text)
}

func columns() (names []string) {
	for _, f := range activityFields() {
		names = append(names, f.name)
	}
	return names
}

// values are an activity's, in the order of columns.
func values(a report.Activity) []string {
	list := append([]string{}, a.Text[:]...)
	list = append(list, report.FormatTime(a.OccurredAt))
	for _, n := range []int64{a.Amount, a.StatusCode} {
		if n == report.Null {
			list = append(list, "")
		} else {
			list = append(list, fmt.Sprint(n))
		}
	}
	return list
}

// objectOf is an activity as a JSON row.
func objectOf(a report.Activity) []byte {
	object := map[string]any{}
	for i, v := range values(a) {
		switch name := columns()[i]; {
		case v == "":
		case name == "amount" || name == "status_code" || name == "metadata":
			object[name] = json.RawMessage(v)
		default:
			object[name] = v
		}
	}
	row, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return row
}

func TestRoundTrip(t *testing.T) {
	const n = 2000
	r := rand.New(rand.NewPCG(1, 2))
	table := rfc4180.AppendRecord(nil, columns()...)
	var lines, array []byte
	want := map[string]report.Activity{}
	for i := range n {
		a := anyActivity(r, i)
		want[a.Text[report.FieldID]] = a
		table = rfc4180.AppendRecord(table, values(a)...)
		lines = append(append(lines, objectOf(a)...), '\n')
		array = append(append(array, ','), objectOf(a)...)
	}
	array = append(append([]byte{'['}, array[1:]...), ']')
	for format, text := range map[Format][]byte{CSV: table, NDJSON: lines, JSON: array} {
		m, result, err := read(t, string(text), Options{Format: format, Limits: Limits{BatchRows: 300}})
		if err != nil || result.Accepted != n {
			t.Fatalf("%s: got %+v, %v; want %d accepted", format, result, err, n)
		}
		for id, a := range want {
			if got := m.activities[id]; got != a {
				t.Fatalf("%s:\n got %+v\nwant %+v", format, got, a)
			}
		}
	}
}

// TestRavenStack reads a public data set, with its dates as a spreadsheet left
// them and its ids that stand twice.
func TestRavenStack(t *testing.T) {
	file, err := os.Open("../../../../shared/data/ravenstack/ravenstack_feature_usage.csv")
	if err != nil {
		t.Skip("the RavenStack sample is not beside the module: ", err)
	}
	defer file.Close()
	m := newMemory()
	result, err := Read(t.Context(), file, ravenStack, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkCounts(t, result, 24_979, 0, 21, 0)
	if len(result.Errors) != 21 || result.ErrorsOmitted != 0 {
		t.Fatalf("%d errors named, %d omitted; want 21 and 0", len(result.Errors), result.ErrorsOmitted)
	}
	for _, e := range result.Errors {
		if e.Code != CodeConflict || e.Field != "id" || e.Line < 2 {
			t.Errorf("got %+v, want a conflict of the id", e)
		}
	}
	want := report.Activity{OccurredAt: 1690416000000, Amount: 9, StatusCode: report.Null}
	want.Text[report.FieldID], want.Text[report.FieldAction] = "U-1c6c24", "usage.consumed"
	want.Text[report.FieldSubscription], want.Text[report.FieldFeature] = "S-0fcf7d", "feature_20"
	if got := m.activities["U-1c6c24"]; got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

var ravenStack = Options{
	Object: Activities, Format: CSV, DateFormat: "DD-MM-YYYY",
	Map: []Mapping{{"id", "usage_id"}, {"occurred_at", "usage_date"}, {"feature_code", "feature_name"}, {"amount", "usage_count"}},
	Set: []Constant{{"action", "usage.consumed"}},
}
