// Package rfc4180 writes and reads comma-separated values without losing or
// changing a byte.
//
// # The written form
//
// A file is a run of records, and every record ends in CR LF, the last one
// too. A record is one or more fields with a comma between them; all records
// of a file have the same number of fields. The first is usually the header,
// which is a record like the others. There is no byte order mark.
//
//	file   = *( record CRLF )
//	record = field *( "," field )
//	field  = plain / quoted
//	plain  = any bytes but comma, quote, CR and LF; may be empty
//	quoted = DQUOTE any bytes, each quote of the text doubled DQUOTE
//
// A field is quoted if its text holds a comma, a quote, a CR or an LF, and in
// one case more: a record whose only field is empty is written "", because
// many programs skip an empty line. Spaces are text like any other. So each
// table has exactly one written form.
//
// # Reading
//
// Strict reading ([Options].Strict) accepts the written form alone: what it
// accepts re-encodes to the same bytes. It stops for good at the first fault.
//
// Lenient reading is for files from elsewhere. Beyond the written form it
// takes lines that end in LF, another delimiter, a UTF-8 byte order mark at
// the very start (skipped), a last line without a line end, empty lines
// (skipped), and quotes around fields that need none. A CR that is not part of
// a line end is text, so files with CR alone as line end are one long line.
// Quotes inside unquoted fields and text after a closing quote are faults, not
// guesses.
//
// After a fault lenient reading goes on at the line after the one on which the
// offending field began, so that one forgotten quote costs a line and not the
// file. If that field truly had several lines, the rest of it is then read as
// lines of their own; they mostly show up as further faults.
//
// # Refusals
//
// A record longer than a limit is a fault, so memory stays bounded whatever
// the input. Encodings are none of this package's business: bytes that are not
// UTF-8 pass through, for the consumer to judge.
//
// Lines are counted by LF, those inside of quoted fields included, as editors
// count them.
package rfc4180

// LineEnd ends every written record.
const LineEnd = "\r\n"
