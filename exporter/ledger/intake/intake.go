// Package intake turns customers' files into activities and records: it reads
// CSV, NDJSON, JSON, CloudEvents and XLSX as streams, checks every row, and
// feeds an appender in batches.
//
// # Promises
//
//   - Each data row ends in exactly one of four counts: accepted, duplicate,
//     conflict, rejected. A rejected row is named with its line, field, code
//     and a message that says what would be right (see [Result]).
//   - What is wrong with a file as a whole is a [*FileError], before any row
//     goes in: a column that means nothing, a required field without a column.
//   - A file that breaks half way is an error too; the rows before the break
//     are in, and counted. Sending it again makes them duplicates.
//   - Memory is bounded by [Limits], whatever the number of rows.
//
// # Refusals
//
// Nothing is guessed or repaired: no value is trimmed, rounded or cut, save
// that times finer than a millisecond lose what is finer. Compression is the
// business of whoever opens the file.
//
// # From columns to fields
//
// A column, or the member of a JSON row, is the field of its name. Mappings
// read fields from elsewhere, constants give them one value in every row. A
// mapping or constant goes before the column of the field's name, and a mapped
// column means nothing but what it was mapped to. With neither, a name that is
// no field is an error; with any, it is ignored, for the sender has chosen.
// The ledger's own sequence and received_at can't be given. A table must have
// columns for the required fields: id, and for activities occurred_at and
// action. A column without a name must be empty, unless names are ignored.
//
// # Values
//
// An empty text is an absent value, and so is JSON's null.
//
//   - Text is UTF-8 without control characters, ids of at most 128 bytes,
//     other text of at most 1,024. Statuses are those that the contract lists.
//   - Integers are digits with an optional minus, up to 2^53-1. JSON's 10.0 and
//     1e1 are refused. A spreadsheet's number is a double however it is
//     written, so it is an integer where it is whole.
//   - Booleans are true or false, in CSV and XLSX in any case.
//   - Metadata is a JSON object, kept in RFC 8785 form, at most 4,096 bytes of
//     it, at most 64 levels deep. A name that stands twice and an integer
//     beyond 2^53-1, which that form would round, are refused.
//   - The end of a subscription's or order's period is not before its start.
//
// # Times
//
// A time is RFC 3339 with its offset from UTC. With a time zone the offset may
// be missing, or the time of day with it: 2026-01-31 is then midnight.
//
// A date format reads other times. It is "unix" or "unix_ms" (a count since
// 1970, maybe with decimals), or made of
//
//	YYYY          year
//	MM M MMM      month, as two digits, as one or two, as Jan to Dec
//	DD D          day, as two digits, as one or two
//	HH H hh h A   hour to 23; hour to 12 with AM or PM
//	mm ss SSS     minute, second, fraction of one to nine digits
//	Z             offset: Z, +hh:mm or +hhmm
//
// with T, spaces and punctuation between. A time without Z is in the time zone,
// by default UTC. Where clocks are set back, a time that they show twice is the
// first of the two; where they are set forward, one that they skip is read as
// if they had not been (02:30 becomes 03:30). Dates that do not exist are
// refused, and so are leap seconds.
//
// # CSV
//
// What package rfc4180 reads leniently. The first record is the header. A
// record with another number of fields, or with broken quotes, is one rejected
// row (MALFORMED_ROW), after which reading goes on with the next line. Empty
// lines are no rows.
//
// # NDJSON and JSON
//
// NDJSON is a JSON object per line; white lines are no rows, and a line that is
// no JSON is a rejected row. JSON is an array of objects, or one object; an
// element that is well-formed but wrong is a rejected row, but where the text
// stops being JSON, reading ends. Errors then have the element's number beside
// its line. A name that stands twice in a row is refused.
//
// # CloudEvents
//
// An array of CloudEvents 1.0 in the JSON format (a batch), or one of them.
// They carry activities:
//
//	id      -> id
//	type    -> action
//	source  -> source
//	time    -> occurred_at
//	data    -> the other fields, by their names, in a JSON object
//
// Other attributes (subject, extensions) pass unread, unless a mapping names
// one: customer_id=subject. Data in data_base64, or of a type other than JSON,
// is refused.
//
// # XLSX
//
// A sheet whose first row that is not empty is the header; a row's line is its
// number in the sheet. In a time field a number is a serial date (of the 1900
// or the 1904 system, as the workbook says), on the time zone's clock, by
// default UTC; with unix or unix_ms it is that count. Text is read as in CSV. A
// number in a text field is taken if it is whole and has at most 15 digits,
// which is what a spreadsheet keeps. A cell with a formula or an error in a
// column that is used makes a rejected row, naming the cell: a cached result
// may be of another day than the file. Files with macros are refused.
//
// The parts are read here, from the archive's own XML, because that is how the
// type of a cell and its formula come with its value, and how a part that ends
// half way is an error instead of a shorter sheet.
package intake
