// Package ledger is the reporting data: facts that are appended once and
// records that are replaced as a whole, both in a bbolt database, and one
// consistent view of them.
//
// # Promises
//
//   - What Append or Put answered is on disk. A call is stored whole or not at
//     all; so is everything within [Ledger.Atomic].
//   - An activity's sequence is its place in the order of acceptance: 1, 2, 3,
//     without gaps. Nothing is ever keyed by a clock.
//   - For ever, the same id with the same content is a [Duplicate], and with
//     other content a [Conflict], which is not stored. Content is compared
//     exactly, as the producer gave it: ids that were inferred don't count, nor
//     do received_at and sequence. Batches don't matter: the outcomes are those
//     of the same rows one by one.
//   - A [Snapshot] never changes while it is open, whatever is written.
//   - Memory doesn't grow with the ledger, but for 32 bytes for each of its
//     blocks, some 4 KB a million activities. Appending takes some 400 bytes per
//     row of the batch beside the batch itself, and [Ledger.Atomic] some 250
//     per row of the whole session.
//   - Every value carries a CRC32C. One that doesn't match is an error with
//     the value's bucket and key; [Ledger.Check] visits them all, and a scan
//     those that it needs.
//
// # Inference
//
// Ids that a producer left out are taken from the records that it named, as
// these are when the activity is accepted:
//
//  1. product, customer, order and subscription from the license,
//  2. then product, customer and subscription from the order,
//  3. then product and customer from the subscription.
//
// A record's own missing links are followed in the same way: a license without
// a customer has that of its order, or of its subscription. Records that aren't
// known have no links. What was inferred is fixed: a record that comes or
// changes later changes no activity.
//
// The producer's word stands, with one exception. A product never changes, so
// an activity whose product (given, or taken from the first record above that
// has one) is not the product of every license, order and subscription that it
// names is rejected with [CodeLinkMismatch], and so is a license or an order
// that names an order or a subscription of another product. Customers may
// differ: licenses are transferred.
//
// # Refusals
//
// The package doesn't validate text beyond what storing it needs, and doesn't
// know files, formats or HTTP; that is the business of package intake. It never
// deletes or changes an activity.
//
// # Storage
//
// Facts are blocks of up to [BlockRows] activities by column, keyed by their
// first sequence (block.go, ints.go, texts.go). What times they span is kept in
// memory once it was read (outline.go). Rows of small commits wait in the tail,
// one per key, until they make a block (tail.go, store.go). The id
// index leads from a hash of the id to the sequence; it is log-structured, for
// ids arrive in random order (index.go, chunk.go, merge.go). Records are one
// value per id (records.go). Text is read in place from the mapped file.
package ledger
