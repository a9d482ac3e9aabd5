package rfc4180

import (
	"errors"
	"fmt"
)

// ErrTooLong is what a [SyntaxError] wraps if a record exceeds
// [Options].MaxRecord.
var ErrTooLong = errors.New("record too long")

// SyntaxError says where a file departs from what the reader accepts.
type SyntaxError struct {
	Line    int    // 1 for the first
	Column  int    // in bytes, 1 for the first of the line
	Problem string // a phrase such as "bare quote in an unquoted field"

	cause error // ErrTooLong or nil
}

// Error gives "line 3, column 7: bare quote in an unquoted field".
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Problem)
}

// Unwrap gives [ErrTooLong] for a record that is too long, nil otherwise.
func (e *SyntaxError) Unwrap() error { return e.cause }

// The problems whose text is always the same.
const (
	bareQuote     = "bare quote in an unquoted field"
	bareCR        = "CR in an unquoted field"
	emptyLine     = "empty line"
	lineFeedOnly  = "line ends in LF alone, not CR LF"
	needlessQuote = "quotes around a field that needs none"
	noLineEnd     = "last record has no line end"
	unclosed      = "quote never closed"
)

func tooLong(limit int) string {
	return fmt.Sprintf("record is longer than %d bytes", limit)
}

func unclosedWithin(limit int) string {
	return fmt.Sprintf("%s within the %d bytes that a record may have", unclosed, limit)
}

// trailing is the problem of text after a closing quote. If the quotes stand on
// different lines, the opening one is as likely the culprit, so it is named.
func trailing(opened, closed int) string {
	const problem = "data after closing quote"
	if opened == closed {
		return problem
	}
	return fmt.Sprintf("%s (the quote was opened on line %d)", problem, opened)
}

func wrongCount(got, want int) string {
	noun := "fields"
	if got == 1 {
		noun = "field"
	}
	return fmt.Sprintf("record has %d %s, the header has %d", got, noun, want)
}
