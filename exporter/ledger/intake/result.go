package intake

import (
	"fmt"

	"licensekit/exporter/ledger"
)

// MaxErrors is how many row errors a [Result] names. All are counted.
const MaxErrors = 1000

// Result is the account of a file: each of its data rows is in exactly one of
// the four counts. Conflicts and rejected rows are named in Errors, by line,
// the first [MaxErrors] of them.
type Result struct {
	Accepted      int64      `json:"accepted"`
	Duplicates    int64      `json:"duplicates"`
	Conflicts     int64      `json:"conflicts"`
	Rejected      int64      `json:"rejected"`
	Errors        []RowError `json:"errors"`         // never nil
	ErrorsOmitted int64      `json:"errors_omitted"` // conflicts and rejected rows that Errors has no room for
}

// Rows is the number of data rows that are accounted for.
func (r *Result) Rows() int64 {
	return r.Accepted + r.Duplicates + r.Conflicts + r.Rejected
}

// add enters a batch that was appended, merging the rows that the reader
// rejected with those that the ledger did in the order of their lines.
func (r *Result) add(b *batch, outcomes []ledger.Outcome) {
	read := b.errors
	for i, outcome := range outcomes {
		if !r.count(outcome.Status) {
			continue
		}
		for len(read) > 0 && read[0].row < b.places[i].row {
			r.name(read[0].RowError)
			read = read[1:]
		}
		r.name(rowError(b.places[i], b.elements, outcomeFault(outcome)))
	}
	for _, e := range read {
		r.name(e.RowError)
	}
	r.Rejected += b.rejected
	r.ErrorsOmitted = r.Conflicts + r.Rejected - int64(len(r.Errors))
}

// count enters one outcome and tells whether it is to be named.
func (r *Result) count(status ledger.Status) (fault bool) {
	switch status {
	case ledger.Accepted:
		r.Accepted++
	case ledger.Duplicate:
		r.Duplicates++
	case ledger.Conflict:
		r.Conflicts++
		return true
	default:
		r.Rejected++
		return true
	}
	return false
}

func (r *Result) name(e RowError) {
	if len(r.Errors) < MaxErrors {
		r.Errors = append(r.Errors, e)
	}
}

// outcomeFault gives the ledger's reason. A conflict has none of its own.
func outcomeFault(o ledger.Outcome) *fault {
	if o.Status != ledger.Conflict {
		return &fault{field: o.Field, code: o.Code, message: o.Message}
	}
	message := "is taken by a row that says something else"
	if o.Sequence != 0 {
		message = fmt.Sprintf("is taken by activity %d, which says something else", o.Sequence)
	}
	return &fault{field: "id", code: CodeConflict, message: message}
}

func rowError(at place, elements bool, f *fault) RowError {
	e := RowError{Line: at.line, Field: f.field, Code: f.code, Message: f.message}
	if elements {
		e.Element = at.row
	}
	return e
}
