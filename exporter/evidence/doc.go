// Package evidence makes what was frozen provable, and proves it: to anybody,
// offline, with nothing but the file and a public key known from elsewhere.
// This text is the format.
//
// # Manifest
//
// An in-toto Statement v1 in RFC 8785 form, at most 65,534 bytes:
//
//	_type          "https://in-toto.io/Statement/v1"
//	subject        two: "artifact.<format>" and "data.json", each with the one
//	               digest {"sha256": 64 hex digits}
//	predicateType  "urn:licensekit:report-export:1"
//	predicate      instance, export_id, report_kind, format, content_type,
//	               filters (normalised), as_of (the ledger's sequence),
//	               frozen_at (RFC 3339, UTC, milliseconds), artifact_size,
//	               data_size (bytes), row_count, key_id, version, and of an
//	               export in a log: log_origin, log_index
//
// No other member is allowed; the last two are there together or not at all.
// Numbers are integers from 0 to 2^53-1. data.json is the report's canonical
// form (package report), and the artifact is the same report in its format
// (package render). A manifest has one encoding: a reader encodes again what it
// read, and compares.
//
// # Signature
//
// Ed25519 over the DSSE v1 pre-authentication encoding of the manifest,
//
//	"DSSEv1" SP "28" SP "application/vnd.in-toto+json" SP <length> SP <manifest>
//
// with the length in decimal. key_id is the SHA-256 of the public key's
// SubjectPublicKeyInfo in DER, in hex. Manifest and signature are kept together
// as a DSSE envelope in RFC 8785 form with exactly one signature.
//
// A key has one purpose, and its file says which: keys/export.key signs
// manifests, keys/log.key the log. The files are PKCS#8 in PEM, behind a line
// with purpose and date, with mode 0600; one that others can read is refused.
//
// # Log
//
// The manifest is a leaf of the instance's log of exports, as it is, at the
// index that it names; package tilelog describes the log and its proofs. So a
// manifest is made while no other leaf is appended, and signed before it is
// logged. The log's name (origin) has letters, digits and "._/-", begins with
// one of the first two, and is the log's alone. Its key signs checkpoints and
// nothing else. Reviewers pin it as a verifier key of C2SP signed notes.
//
// Leaves of another kind hold their signatures: they are DSSE envelopes in RFC
// 8785 form around an in-toto statement. Its predicateType tells them apart:
//
//	urn:licensekit:key-rotation:1  instance, purpose, old_key, new_key (in DER),
//	                               rotated_at, log_origin, log_index; subject is
//	                               the new key's id; signed by the old key and
//	                               by the new one, in this order
//	urn:licensekit:log-restart:1   instance, kept_checkpoint, last_checkpoint (as
//	                               signed notes), closed_log_key, log_key (as
//	                               verifier keys), restarted_at, key_id,
//	                               log_origin, log_index (0); subject is the
//	                               last checkpoint, by its SHA-256; signed by
//	                               the export key and by that of the closed log,
//	                               in this order
//	urn:licensekit:tombstone:1     reserved: nothing that was frozen is deleted
//
// A log that was rolled back is not continued. It is closed, and another begun
// under another name and with another key, whose first leaf is the restart: it
// names the newest checkpoint of the closed log as it is kept, and the newest
// that was signed, which are the same unless an anchor or a witness shows
// otherwise. The names of an instance's later logs are that of its first, a
// slash, a number, and a random part, so that two copies of one directory never
// begin logs of one name.
//
// To others a log is its name and its key, and no policy takes one key for two
// logs. So the key of a log is replaced in the same way: the log is closed and
// another begun. The old secret is gone then. What bundles show of the closed
// log was signed before, and is kept with each export; so exports of a closed
// log are proven by that log for ever, in the same bytes. Only where the
// database was lost they lead to the log's last checkpoint.
//
// The export key is replaced by a leaf that both keys sign, and the log goes
// on. What a retired key signed stays valid; its public half is kept in
// keys/retired/.
//
// # Bundle
//
// <export id>.lkbundle.zip holds these files, each once, in this order:
//
//	manifest.json             the manifest
//	manifest.json.sig         the signature, 64 raw bytes
//	manifest.sigstore.json    both as a Sigstore bundle v0.3, in RFC 8785 form
//	manifest.json.tlog-proof  a C2SP tlog-proof that the manifest is in the log;
//	                          empty if the manifest names none
//	SHA256SUMS                of all the others, in sha256sum's format
//	data.json                 the canonical form
//	artifact.<format>         the artifact
//	README.txt                how to check all of it with stock tools
//
// They are stored, not deflated, dated 1980-01-01, and follow each other
// without a gap. Headers have no flags, comments, attributes or data
// descriptors; an extra field is there only for the 64-bit sizes and offsets of
// files from 4 GiB on, and then in the local header too. The Sigstore bundle,
// SHA256SUMS and README.txt follow from manifest, signature and proof. So a
// bundle follows, byte for byte, from these three and the artifact, and its
// size from these three. The proof leads to the checkpoint that was the first
// to cover the manifest, or to any later one: the manifest does not say which.
//
// # Verification
//
// The steps run in this order, and the first that fails ends it:
//
//	1 zip         catches another structure than the one above: names that
//	              would be unpacked elsewhere, entries that two readers take
//	              differently, bytes hidden between or around the files,
//	              compression bombs, truncation
//	2 manifest    catches what two readers could understand differently
//	3 signature   catches every change of the manifest, and every manifest by
//	              others than the holder of a pinned key
//	4 artifact    catches every change of the artifact
//	5 data        catches every change of data.json, of what follows from the
//	              other files, and of the checksums in the zip: no byte of a
//	              bundle is left over
//	6 log         catches an export that is not in the log, or not where it
//	              says, and every log but the one whose key is pinned
//	7 checkpoint  catches a log that shows one history to some and another to
//	              others, as far as this reviewer has seen both
//	8 content     catches an artifact that does not say what data.json says,
//	              also where both were signed so
//	9 pages       catches PDF pages that show other values than the data that
//	              the file carries; takes MuPDF, and a pinned key's signature.
//	              That MuPDF fails, or takes too long, is an error
//	10 witnesses  catches a log that shows one history to some and another to
//	              others, unless as many witnesses as the reviewer's policy asks
//	              for help it; needs no earlier checkpoint
//
// VERIFIED says that a pinned key signed and that no step failed. UNANCHORED
// says that no step failed, but no key was pinned: a forger gets that far.
// INVALID says that a step failed. FORK says that step 7 found two checkpoints
// of one size with two roots, both signed by the pinned log key; they are the
// evidence, and are shown and kept. Where no log key is pinned, step 6 checks
// all but the checkpoint's signature, and counts as not run; where one is, an
// export that is in no log is INVALID. What was not run is listed as that, and
// never as passed. An error says that there was no checking, for instance
// because the file could not be read, and it is never a verdict.
//
// # Consistency
//
// Step 7 compares the checkpoint that a bundle's proof leads to with the newest
// that the reviewer found good before. The same size and root are one history,
// the same size and another root a fork, without anything else. Where the sizes
// differ, the larger tree must be shown to begin with the smaller one, whichever
// of the two was kept. No bundle can hold that proof, for nobody knows what the
// reviewer has kept; so it is a file of its own, which the operator makes from
// the log and which needs no trust:
//
//	licensekit log consistency --from <smaller size> --to <larger size>
//
// Without the file the step is not run, and says which sizes are wanted; nothing
// is kept then. A file that does not prove what it says fails the step, but is
// no fork: anybody can make one. The first checkpoint that is seen is kept and
// the step not run. A kept checkpoint is only ever replaced by a larger one, and
// only after VERIFIED.
//
// Of a closed log there are proofs to its last size, and to those that bundles
// lead to, for its key signs no more.
//
// Each log has a kept checkpoint of its own, told apart by the log's name. That
// an instance begins another log makes no key trusted: exports of it are INVALID
// in step 6 until the reviewer pins the new log's verifier key beside the old
// one. What the new log says of the old one is verified once, from its first
// leaf and the proof of that, see [VerifyRestart]: that both keys signed it, and
// that the closed log ends no earlier than at the checkpoint that was kept of
// it, in the same history. What was lost between the last state that is kept
// and the last that was signed can't be proven any more, and is said.
//
// # Witnesses
//
// A witness is somebody else who keeps the newest checkpoint of a log, and
// signs a newer one only if it is shown that the log only grew. Package witness
// has the forms. All of it goes by files, so a witness needs no network: the
// proof of consistency is the body of a C2SP tlog-witness request, and what the
// witness brings back is the checkpoint with its cosignature. A reviewer's
// directory is made a witness's by a key in it, see [Cosigner]; it never signs
// a checkpoint that is older than, or contradicts, the one that it keeps, and
// keeps the new one before its cosignature is given away.
//
// The instance keeps what was brought back in log/cosigned/, and the keys of
// its witnesses in the file witnesses: signatures by others are left out. The
// default bundle does not change by that. One that is asked for leads to the
// newest cosigned checkpoint, with the cosignatures; it covers every export
// that was logged before it was made.
//
// A cosigned checkpoint that the log beside it does not continue shows that the
// log was rolled back, or that two copies of it went on. It is opened no more
// than with an anchor that shows so.
//
// # Anchor
//
// An anchor is a file outside of the data directory that holds the newest
// checkpoint that was signed, a signed note and nothing else. It is replaced
// after each new checkpoint is durable, and before that is acknowledged or
// shown to anybody. A log is opened only if its tree begins with that of the
// anchor; one that is ahead is what a crash between the two leaves. Before a
// leaf is logged the file must still hold what was last written there, so of
// two copies that run at a time only one goes on. A missing file is no anchor:
// a disk that is not mounted would look like that. An empty one begins here.
//
// # Threats
//
// Everything that is verified is taken to be hostile: whoever made it knows
// this program, and may have a genuine bundle of any other export and keys of
// their own. Trust comes from the caller alone. The reviewer's machine, its
// copy of this program, and the way on which the public key came are trusted.
//
// What forgers are known to try, and the tests that try it, is listed in
// attacks_test.go.
//
// MuPDF is the one part that is not written in a language that keeps to its
// memory. It reads nothing that no pinned key has signed, and in a process that
// can open nothing, so whoever stole the key gains no more than a wrong answer
// of step 9; see package render/mupdf.
//
// README.txt is as trustworthy as the bundle that it is in: a hostile one can
// hold hostile commands. Step 5 refuses it, but who works with stock tools alone
// takes the commands from a source of their own.
//
// Nothing here can show that the source data was true; that the time of
// freezing was the true one, for it is the instance's own; that the holder of
// the key did not sign two different accounts of the same days; or that the key
// was not stolen. The log shows that an export is one of a numbered row that
// only grows, so a missing one leaves a number; but only to those who compare
// checkpoints. Who has both keys can still show two reviewers two logs until
// they, or witnesses that cosign checkpoints, see both. A policy is as strong
// as the witnesses that it names: those who are the operator's friends may sign
// whatever they like.
//
// An anchor keeps an operator from a second history by mistake, where an older
// copy of the data directory was restored. It is no help against who can write
// to both, nor where a command that does not name it opens the directory.
//
// # Refusals
//
// The package opens no socket and no database. It never takes a key from what
// it verifies, never repairs what it reads, and writes no second form of
// anything that is signed.
package evidence
