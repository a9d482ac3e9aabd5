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
//	               data_size (bytes), row_count, key_id, version
//
// No member is optional and no other is allowed; numbers are integers from 0
// to 2^53-1. data.json is the report's canonical form (package report), and
// the artifact is the same report in its format (package render). A manifest
// has one encoding: a reader encodes again what it read, and compares.
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
// # Bundle
//
// <export id>.lkbundle.zip holds these files, each once, in this order:
//
//	manifest.json      the manifest
//	manifest.json.sig  the signature, 64 raw bytes
//	SHA256SUMS         of all the others, in sha256sum's format
//	data.json          the canonical form
//	artifact.<format>  the artifact
//	README.txt         how to check all of it with stock tools
//
// They are stored, not deflated, dated 1980-01-01, and follow each other
// without a gap. Headers have no flags, comments, attributes or data
// descriptors; an extra field is there only for the 64-bit sizes and offsets of
// files from 4 GiB on, and then in the local header too. SHA256SUMS and
// README.txt follow from manifest and signature. So a bundle follows, byte for
// byte, from manifest, signature and artifact, and its size from the manifest.
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
//	5 data        catches every change of data.json, SHA256SUMS, README.txt and
//	              of the checksums in the zip: no byte of a bundle is left over
//	6 log         not run: the format has no log proof yet
//	7 checkpoint  not run, likewise
//	8 content     catches an artifact that does not say what data.json says,
//	              also where both were signed so
//	9 pages       not run: would catch PDF pages that show other values than
//	              the data that the file carries
//
// VERIFIED says that a pinned key signed and that no step failed. UNANCHORED
// says that no step failed, but no key was pinned: a forger gets that far.
// INVALID says that a step failed. What was not run is listed as that, and
// never as passed. An error says that there was no checking, for instance
// because the file could not be read, and it is never a verdict.
//
// # Threats
//
// Everything that is verified is taken to be hostile: whoever made it knows
// this program, and may have a genuine bundle of any other export and keys of
// their own. Trust comes from the caller alone. The reviewer's machine, its
// copy of this program, and the way on which the public key came are trusted.
//
// README.txt is as trustworthy as the bundle that it is in: a hostile one can
// hold hostile commands. Step 5 refuses it, but who works with stock tools alone
// takes the commands from a source of their own.
//
// Nothing here can show that the source data was true; that the time of
// freezing was the true one, for it is the instance's own; that the holder of
// the key did not sign two different accounts of the same days; that the key
// was not stolen; or that there are no exports besides those that are shown.
// A log of all exports answers some of this, and witnesses of that log more.
//
// # Refusals
//
// The package opens no socket and no database. It never takes a key from what
// it verifies, never repairs what it reads, and writes no second form of
// anything that is signed.
package evidence
