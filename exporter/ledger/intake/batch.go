package intake

import (
	"context"
	"slices"

	"licensekit/exporter/report"
)

// place is where a data row stands.
type place struct {
	line int64
	row  int64 // 1 for the first data row
}

// batch is a run of data rows. Those that can be appended are in activities or
// records; the others are counted, and named as far as a result may need it.
type batch struct {
	activities []report.Activity
	records    []report.Record
	places     []place // of each activity or record
	rejected   int64
	errors     []placedError // of the first MaxErrors rejected rows
	elements   bool          // rows are elements of a JSON array
	part       Part
	textBytes  int
	bytes      int64 // of the source, read so far
}

type placedError struct {
	RowError
	row int64
}

// rows is the number of data rows, rejected ones included.
func (b *batch) rows() int64 { return int64(len(b.places)) + b.rejected }

func (b *batch) reset() {
	b.activities, b.records, b.places, b.errors = b.activities[:0], b.records[:0], b.places[:0], b.errors[:0]
	b.rejected, b.textBytes, b.part = 0, 0, Middle
}

// next makes room for an activity, which still says what an earlier one said.
// A few rows cost little memory; many get theirs at once.
func (b *batch) next(most int) *report.Activity {
	const few = 512
	n := len(b.activities)
	if n == cap(b.activities) {
		room := min(few, most)
		if n > 0 {
			room = max(most-n, n)
		}
		b.activities = slices.Grow(b.activities, room)
		b.places = slices.Grow(b.places, room)
	}
	b.activities = b.activities[:n+1]
	return &b.activities[n]
}

// writer is what a format's reader hands its rows to. A row is either begun,
// filled in and kept, or rejected.
type writer struct {
	*draft
	ctx     context.Context
	source  *source
	limits  Limits
	full    chan<- *batch
	spare   <-chan *batch
	current *batch
	row     int64
}

// start begins a row.
func (w *writer) start() {
	if w.isRecords() {
		w.begin(nil)
		return
	}
	w.begin(w.current.next(w.limits.BatchRows))
}

// end keeps the row that was begun, or rejects it where bad is not nil or the
// row is wrong as a whole. size is its share of the file. Errors: the context's.
func (w *writer) end(line int64, size int, bad *fault) error {
	if bad == nil {
		bad = w.finish()
	}
	b := w.current
	if bad != nil {
		w.drop()
		return w.reject(line, bad)
	}
	if w.isRecords() {
		b.records = append(b.records, w.record)
	}
	w.row++
	b.places = append(b.places, place{line, w.row})
	b.textBytes += size
	return w.passOn()
}

// drop forgets the row that was begun.
func (w *writer) drop() {
	if b := w.current; !w.isRecords() {
		b.activities = b.activities[:len(b.activities)-1]
	}
}

// reject counts a row that was not begun.
func (w *writer) reject(line int64, bad *fault) error {
	w.row++
	b := w.current
	b.rejected++
	if len(b.errors) < MaxErrors {
		e := rowError(place{line, w.row}, b.elements, bad)
		b.errors = append(b.errors, placedError{e, w.row})
	}
	return w.passOn()
}

func (w *writer) passOn() error {
	if b := w.current; b.rows() < int64(w.limits.BatchRows) && b.textBytes < w.limits.BatchBytes {
		return nil
	}
	return w.flush()
}

// flush hands the current batch to the sink and takes up a spare one.
func (w *writer) flush() error {
	w.current.bytes = w.source.read
	select {
	case w.full <- w.current:
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
	elements := w.current.elements
	select {
	case w.current = <-w.spare:
		w.current.reset()
	default:
		w.current = &batch{}
	}
	w.current.elements = elements
	return nil
}
