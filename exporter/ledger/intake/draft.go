package intake

import (
	"strings"

	"licensekit/exporter/report"
)

// draft is the row that is being built. It is used again for every row.
type draft struct {
	*plan
	blank    report.Activity // with the constants in it
	needed   uint64          // fields that a row must bring
	texts    arena
	activity *report.Activity // nil when the rows are records
	record   report.Record
	given    uint64   // fields that have a value
	last     []string // the last valid text of each text field
}

func newDraft(p *plan) *draft {
	d := &draft{plan: p, needed: p.required() &^ p.fixed, last: make([]string, len(p.fields))}
	d.blank = report.Activity{Amount: report.Null, StatusCode: report.Null}
	d.activity = &d.blank
	if p.isRecords() {
		d.activity = nil
		return d
	}
	for _, c := range p.set {
		d.put(c.field, c.value) // checked by the plan
	}
	return d
}

// begin starts a row: an activity in the place given, or a record.
func (d *draft) begin(place *report.Activity) {
	d.given = 0
	if d.isRecords() {
		d.record = report.NewRecord(report.Object(d.object))
		for _, c := range d.set {
			d.put(c.field, c.value)
		}
		return
	}
	if place == nil {
		place = new(report.Activity)
	}
	d.activity = place
	*place = d.blank
}

// finish says what is wrong with the row as a whole, nil if nothing is.
func (d *draft) finish() *fault {
	if missing := d.needed &^ d.given; missing != 0 {
		for i, f := range d.fields {
			if missing&(1<<i) != 0 {
				return faultf(CodeMissingField, "is required").on(f.name)
			}
		}
	}
	if d.start == d.end {
		return nil
	}
	start, end := d.record.Int(d.fields[d.start].name), d.record.Int(d.fields[d.end].name)
	if start != report.Null && end != report.Null && end < start {
		return faultf(CodeInvalidValue, "%s is before %s %s", report.FormatTime(end), d.fields[d.start].name, report.FormatTime(start)).on(d.fields[d.end].name)
	}
	return nil
}

func (d *draft) setText(i int, text string) {
	d.given |= 1 << i
	if d.activity == nil {
		d.record.Set(d.fields[i].name, text)
		return
	}
	d.activity.Text[d.fields[i].slot] = text
}

func (d *draft) setInt(i int, n int64) {
	d.given |= 1 << i
	if d.activity == nil {
		d.record.Set(d.fields[i].name, n)
		return
	}
	switch d.fields[i].slot {
	case slotOccurredAt:
		d.activity.OccurredAt = n
	case slotAmount:
		d.activity.Amount = n
	case slotStatusCode:
		d.activity.StatusCode = n
	}
}

// setBool is for records; activities have no booleans.
func (d *draft) setBool(i int, b bool) {
	d.given |= 1 << i
	d.record.Set(d.fields[i].name, b)
}

// arena makes strings out of bytes, many to an allocation. It never changes
// what it handed out; a string keeps the block alive that it lies in.
type arena struct{ block strings.Builder }

const arenaBlock = 64 << 10

func (a *arena) text(bytes []byte) string {
	if a.block.Cap()-a.block.Len() < len(bytes) {
		size := max(arenaBlock, len(bytes))
		if a.block.Cap() == 0 {
			size = max(arenaBlock/64, len(bytes)) // a request may hold one row only
		}
		a.block.Reset()
		a.block.Grow(size)
	}
	start := a.block.Len()
	a.block.Write(bytes)
	return a.block.String()[start:]
}
