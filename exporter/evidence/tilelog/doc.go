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
// beginning of the next wider one; it is removed once [keepPartial] further
// leaves were logged, and until then whoever copies the directory finds it.
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
// # Limits
//
// One process appends to a directory; the caller sees to that. What is read
// is checked against the checkpoint, not against what the disk says, so a
// damaged tile is an error and never a wrong proof. A copy of the directory
// whose checkpoint is newer than its tiles is refused, with [ErrMismatch]. One
// that is older as a whole is found out by an [Anchor] alone.
package tilelog
