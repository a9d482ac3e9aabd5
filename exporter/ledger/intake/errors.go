package intake

import (
	"fmt"
	"strings"
)

// The codes of row errors. They are part of the contract: a message may be
// reworded, a code keeps its meaning.
const (
	CodeMissingField = "MISSING_FIELD"  // a required field has no value
	CodeUnknownField = "UNKNOWN_FIELD"  // no field has this name
	CodeDuplicate    = "DUPLICATE_NAME" // a name stands twice, or a field gets two values
	CodeInvalidType  = "INVALID_TYPE"   // a value is not of the field's type
	CodeInvalidTime  = "INVALID_TIME"   // a time that does not exist or is written otherwise
	CodeOutOfRange   = "OUT_OF_RANGE"   // a number or time beyond what can be kept
	CodeInvalidText  = "INVALID_TEXT"   // not UTF-8, or with control characters
	CodeTextTooLong  = "TEXT_TOO_LONG"  // more bytes than the field may have
	CodeInvalidValue = "INVALID_VALUE"  // right type, but not one of the possible values
	CodeMalformedRow = "MALFORMED_ROW"  // the row can't be taken apart
	CodeConflict     = "CONFLICT"       // the id is taken by an activity that says something else
	CodeLinkMismatch = "LINK_MISMATCH"  // the ledger's: the row's product_id contradicts a record that it names
)

// The codes of file errors, beside those above.
const (
	CodeEmptyFile     = "EMPTY_FILE"     // nothing in it
	CodeMissingHeader = "MISSING_HEADER" // the first row names no field
	CodeMissingColumn = "MISSING_COLUMN" // a mapped column is not in the header
	CodeMalformedFile = "MALFORMED_FILE" // not of the format it should be
	CodeTruncatedFile = "TRUNCATED_FILE" // ends half way
	CodeFileTooLarge  = "FILE_TOO_LARGE" // beyond a limit
	CodeInvalidOption = "INVALID_OPTION" // the options make no sense
)

// RowError says why a row did not go in.
type RowError struct {
	Line    int64  `json:"line"`              // where the row begins, from 1; the row number of a sheet
	Element int64  `json:"element,omitempty"` // the place in a JSON array, from 1
	Field   string `json:"field"`             // "" if the row as a whole is at fault
	Code    string `json:"code"`
	Message string `json:"message"` // a phrase that reads after the field's name
}

// Error reads `line 3: amount "x" is not an integer`.
func (e RowError) Error() string {
	return fmt.Sprintf("line %d: %s", e.Line, subject(e.Field, e.Message))
}

// FileError says why a file can't be read, or not further.
type FileError struct {
	Line    int64  // 0 if no line is at fault
	Field   string // the field, column or option at fault, or ""
	Code    string
	Message string // a phrase that reads after the field's name
	Hint    string // what to do about it, or ""
	Err     error  // what the source failed with, or nil
}

// Error reads `line 1: column "foo" … (hint)`.
func (e *FileError) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	b.WriteString(subject(e.Field, e.Message))
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, " (%s)", e.Hint)
	}
	return b.String()
}

// Unwrap gives what the source failed with.
func (e *FileError) Unwrap() error { return e.Err }

func subject(field, message string) string {
	if field == "" {
		return message
	}
	return field + " " + message
}

// fault is a row error before its place is known.
type fault struct{ field, code, message string }

func faultf(code, format string, args ...any) *fault {
	return &fault{code: code, message: fmt.Sprintf(format, args...)}
}

// on says which field is at fault.
func (f *fault) on(field string) *fault {
	f.field = field
	return f
}

// quote shows input in a message: escaped, and cut where it is long.
func quote(text []byte) string {
	const most = 64
	if len(text) > most {
		return fmt.Sprintf("%.*q…", most, text[:most])
	}
	return fmt.Sprintf("%q", text)
}
