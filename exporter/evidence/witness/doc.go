// Package witness reads the cosignatures of others on the checkpoints of a log,
// and tells by a policy whether there are enough of them. A witness says that
// the log's tree begins with every tree of the log that it saw before; so a log
// can't show two histories without the help of as many witnesses as a policy
// asks for.
//
// # Cosignatures
//
// Those of C2SP tlog-cosignature: further signature lines of a checkpoint's
// signed note, each over the checkpoint's text and a time in seconds since the
// epoch. Keys are verifier keys of type 0x04 (Ed25519) or 0x06 (ML-DSA-44), and
// have one encoding. This program signs with Ed25519.
//
// # Policies
//
// The text of C2SP tlog-policy: a definition a line, # begins a comment.
//
//	log <verifier key> [<url>]
//	witness <name> <verifier key> [<url>]
//	group <name> <number, any or all> <name>…
//	quorum <name, or none>
//
// A name is defined before it is used, once, and is a member of one group at
// most. No key stands twice, whatever its name. There is one quorum. Where logs
// are named, no other is accepted. Anything else is an error that names the
// line; nothing of a policy is passed over.
//
// # Limits
//
// A cosignature's time is the witness's own. That a witness saw the log grow
// does not say that it read what is in it. Timestamps are not compared with a
// clock.
package witness
