//go:build unix

package faults

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"
)

// row is an activity as a producer has it.
type row struct {
	ID       string `json:"id"`
	Time     string `json:"occurred_at"`
	Action   string `json:"action"`
	Source   string `json:"source"`
	Customer string `json:"customer_id"`
	Feature  string `json:"feature_code"`
	Amount   int    `json:"amount"`
}

// newRows gives activities of a customer whose ids begin with a prefix that
// nobody else has.
func newRows(prefix, customer string, count int) []row {
	begin, rows := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), make([]row, count)
	for i := range rows {
		rows[i] = row{
			ID: fmt.Sprintf("%s.%d", prefix, i), Time: begin.Add(time.Duration(i) * time.Minute).Format(time.RFC3339),
			Action: "usage.consumed", Source: "/faults", Customer: customer, Feature: fmt.Sprint("feature ", i%7), Amount: i%1000 - 10,
		}
	}
	return rows
}

// line is the row as NDJSON has it.
func (r row) line() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // texts and a number
	}
	return string(text)
}

func lines(rows []row) (all []string) {
	for _, r := range rows {
		all = append(all, r.line())
	}
	return all
}

// shape is a way to send rows.
type shape struct {
	contentType string
	encode      func([]row) string
}

var ndjson = shape{"application/x-ndjson", func(rows []row) string { return strings.Join(lines(rows), "\n") }}

// shapes are all of them. They mean the same, so that a row that was sent as
// one is a duplicate as another.
var shapes = []shape{
	ndjson,
	{"application/json", func(rows []row) string { return "[" + strings.Join(lines(rows), ",\n") + "]" }},
	{"text/csv", asCSV},
	{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", asXLSX},
	{"application/cloudevents-batch+json", asCloudEvents},
}

var columns = []any{"id", "occurred_at", "action", "source", "customer_id", "feature_code", "amount"}

func (r row) values() []any {
	return []any{r.ID, r.Time, r.Action, r.Source, r.Customer, r.Feature, r.Amount}
}

func asCSV(rows []row) string {
	var text strings.Builder
	for _, values := range table(rows) { // none needs quotes
		text.WriteString(strings.TrimSuffix(fmt.Sprintf(strings.Repeat("%v,", len(values)), values...), ",") + "\r\n")
	}
	return text.String()
}

func table(rows []row) [][]any {
	all := [][]any{columns}
	for _, r := range rows {
		all = append(all, r.values())
	}
	return all
}

func asXLSX(rows []row) string {
	book := excelize.NewFile()
	defer book.Close()
	for i, values := range table(rows) {
		if err := book.SetSheetRow("Sheet1", fmt.Sprint("A", i+1), &values); err != nil {
			panic(err) // plain values in a book in memory
		}
	}
	text, err := book.WriteToBuffer()
	if err != nil {
		panic(err)
	}
	return text.String()
}

func asCloudEvents(rows []row) string {
	var events []map[string]any
	for _, r := range rows {
		events = append(events, map[string]any{
			"specversion": "1.0", "id": r.ID, "time": r.Time, "type": r.Action, "source": r.Source,
			"data": map[string]any{"customer_id": r.Customer, "feature_code": r.Feature, "amount": r.Amount},
		})
	}
	text, err := json.Marshal(events)
	if err != nil {
		panic(err)
	}
	return string(text)
}
