package evidence

import (
	"crypto/sha256"
	"hash"
	"hash/crc32"

	"licensekit/exporter/report"
)

// Tally is a writer that keeps nothing but the digest, the CRC-32 and the size
// of what passes: all that a manifest and a bundle need to know of a file.
type Tally struct {
	digest hash.Hash
	crc    uint32
	size   int64
}

// NewTally begins with nothing.
func NewTally() *Tally { return &Tally{digest: sha256.New()} }

// Write never fails.
func (t *Tally) Write(p []byte) (int, error) {
	t.digest.Write(p)
	t.crc = crc32.Update(t.crc, crc32.IEEETable, p)
	t.size += int64(len(p))
	return len(p), nil
}

// File is the digest and the size in bytes of what has passed.
func (t *Tally) File() File {
	return File{Digest: report.Digest(t.digest.Sum(nil)), Size: t.size}
}

// CRC32 is the checksum (IEEE) that zip files carry.
func (t *Tally) CRC32() uint32 { return t.crc }

// tallyOf is the tally of a text at hand.
func tallyOf(data []byte) *Tally {
	t := NewTally()
	t.Write(data)
	return t
}
