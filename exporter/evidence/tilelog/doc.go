// Package tilelog keeps an append-only log of small texts in plain files, and
// proves to others what is in it. The files are those of C2SP tlog-tiles, so
// any tool for such logs reads them, from the disk or over HTTP.
//
// # Files
//
//	checkpoint                    the size of the log and the root of its tree, signed
//	tile/<L>/<N>[.p/<W>]          256 hashes of level L, or the first W of them
//	tile/entries/<N>[.p/<W>]      256 leaves, or the first W of them
//	cosigned/<size>               the checkpoint of a size with the signatures of others
//	cosigned/<size>.damaged       such a file, damaged, in whose place a good one came
//	ahead                         a signed checkpoint whose leaves were lost; see below
//	.staged[.<n>]                 what is being written; meaningless after a crash
//
// and elsewhere, if it has one:
//
//	<anchor>                      the newest checkpoint, see [Anchor]
//	.<anchor>.staged              what is being written
//
// Hashing is that of RFC 6962 with SHA-256. N is written in groups of three
// digits, all but the last with an x in front: x001/x234/067. A leaf stands in
// its bundle behind its length, 16 bits, big-endian; so it is at most 65,535
// bytes. A tile without .p is full and never changes. A partial one is the
// beginning of the next wider one; it is removed by the next append once
// [keepPartial] further leaves were logged, and until then whoever copies the
// directory finds it.
//
// The checkpoint is a C2SP signed note with a C2SP tlog-checkpoint text:
// origin, size in decimal, root in base64, a line each, without extension
// lines. The log signs with one Ed25519 key whose name in the note is the
// origin. Others may add signatures; those of unknown keys are passed over.
// What is written to cosigned/ has been seen by others, so an older copy of a
// log, whose checkpoint is behind it, was rolled back.
//
// # Proofs
//
// A [Proof] says that a leaf is at an index of the tree of a checkpoint. Its
// text is a C2SP tlog-proof without extra data. A [Consistency] says that a
// smaller tree is the beginning of that of a checkpoint. Its text is the body
// of a C2SP tlog-witness add-checkpoint request. Both have one encoding: what
// reads otherwise, down to a bit in the base64, is refused.
//
// # Durability
//
// An append writes the leaves, the hashes and the checkpoint that covers them
// under other names and flushes them, side by side. Then the tiles are renamed
// and their directories flushed, and only after that the checkpoint gets its
// name, is flushed into its directory, and goes to the anchor. So at any
// instant of a crash the checkpoint on the disk is covered by the tiles on the
// disk, and what was acknowledged is in it. Tiles beyond the checkpoint were
// never spoken of: [Open] removes them, and their indexes are given anew.
//
// Once a checkpoint may have been seen, its indexes are never given to other
// leaves. If publishing one ends in an error, it is unknown which checkpoint
// the disk has, and if writing the anchor did, whether that has it; the log
// then refuses to append until it was opened again.
//
// # Copies
//
// A tool that copies the directory of a log in use takes its files one after
// the other, so in the copy checkpoint and tiles are of different moments, and
// tiles that it had listed may be gone. [OpenRecalled] mends that, with what the
// caller knows of the log from elsewhere: signed checkpoints, and leaves. What
// it goes by:
//
//   - Only what the log's key has signed, or the caller knows to have been
//     acknowledged, counts. The log becomes the tree of the newest signed
//     checkpoint, wherever it is found (checkpoint, ahead, cosigned/, the anchor,
//     the caller), whose leaves can be had from tiles or from the caller. Every
//     leaf that is put back, and every hash, is verified against that
//     checkpoint's root before it is written; so it is the leaf that was there,
//     and the tree is the same to the bit.
//   - In a copy, leaves in tiles beyond all checkpoints are those that the
//     original was just appending, or went on to append. They are kept, and a
//     checkpoint is signed for them. As leaves, key and algorithm are the
//     original's, it is the one that the original has signed or is about to; to
//     drop the leaves would give their indexes to others. (In a directory that is
//     no copy, tiles beyond the checkpoint are what a crash left. They were
//     never spoken of, and are removed as ever.)
//   - If a checkpoint is known, or a leaf, that the log as it can be had does not
//     reach, then what was signed is lost here and may be held by others. Such a
//     log is [ErrBehind]: it opens, proves what it has, and appends nothing, now
//     or after being opened again; the newest lost checkpoint is kept in ahead,
//     durably, before the checkpoint is replaced by the older one that the leaves
//     are there for. The way out is a log with another name that says what it
//     follows, or to bring the missing files.
//   - Where the directory is no copy, what is wrong is made good as a whole or
//     not at all. A damaged log is never cut to what is left of it.
//
// So a copy signs no second history against anything in it. That the original
// went on later, nothing in the copy shows: that is what an [Anchor] is for,
// which is met before a file is changed.
//
// # Limits
//
// One process appends to a directory; the caller sees to that. What is read
// is checked against the checkpoint, not against what the disk says, so a
// damaged tile is an error and never a wrong proof. [Open], which recalls
// nothing, refuses a copy whose checkpoint is newer than its tiles, with
// [ErrMismatch]. One that is older as a whole is found out by an [Anchor] alone.
package tilelog
