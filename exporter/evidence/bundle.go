package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"

	"licensekit/exporter/evidence/tilelog"
)

// Contents is what a bundle is made of. The sizes and digests of the two big
// files stand in the manifest.
type Contents struct {
	Envelope    *Envelope
	Proof       []byte // the log's, as [tilelog.Proof] encodes it; empty without a log
	Artifact    io.Reader
	ArtifactCRC uint32                  // CRC-32 (IEEE), as [Tally] gives it
	Data        func(w io.Writer) error // writes the canonical form
	DataCRC     uint32
}

// part is a member and how its bytes are made.
type part struct {
	member
	file  File
	write func(w io.Writer) error
}

// plan lists the members in their order.
func (c *Contents) plan() ([]part, error) {
	m, err := c.Envelope.Parse()
	if err != nil {
		return nil, err
	}
	if err := c.checkProof(m); err != nil {
		return nil, err
	}
	small, err := derived(m, c.Envelope.Manifest, c.Envelope.Signature, c.Proof)
	if err != nil {
		return nil, err
	}
	copyArtifact := func(w io.Writer) error { _, err := io.Copy(w, c.Artifact); return err }
	return []part{
		smallPart(ManifestName, small[ManifestName]),
		smallPart(SignatureName, small[SignatureName]),
		smallPart(SigstoreName, small[SigstoreName]),
		smallPart(ProofName, small[ProofName]),
		smallPart(SumsName, small[SumsName]),
		{member{DataName, m.Data.Size, c.DataCRC}, m.Data, c.Data},
		{member{m.ArtifactName(), m.Artifact.Size, c.ArtifactCRC}, m.Artifact, copyArtifact},
		smallPart(ReadmeName, small[ReadmeName]),
	}, nil
}

// checkProof refuses a proof that is not this manifest's. Who signed its
// checkpoint is for those who verify the bundle.
func (c *Contents) checkProof(m *Manifest) error {
	if m.Log == nil {
		return same("bytes of a proof for a manifest that is in no log", 0, len(c.Proof))
	}
	proof, err := tilelog.ParseProof(c.Proof)
	if err != nil {
		return err
	}
	return placed(proof, m.Log, c.Envelope.Manifest)
}

func smallPart(name string, content []byte) part {
	tally := tallyOf(content)
	file := tally.File()
	write := func(w io.Writer) error { _, err := w.Write(content); return err }
	return part{member{name, file.Size, tally.CRC32()}, file, write}
}

func membersOf(parts []part) []member {
	members := make([]member, len(parts))
	for i, p := range parts {
		members[i] = p.member
	}
	return members
}

// Size is the size in bytes of the bundle that [WriteBundle] writes; it follows
// from envelope and proof alone.
func (c *Contents) Size() (int64, error) {
	parts, err := c.plan()
	if err != nil {
		return 0, fmt.Errorf("size of bundle: %w", err)
	}
	return archiveSize(membersOf(parts)), nil
}

// WriteBundle streams a bundle. The same contents give the same bytes. It
// counts and hashes what it copies: contents that are not what the manifest
// and the checksums say are an error, and the bundle is left without its end.
func WriteBundle(ctx context.Context, w io.Writer, c Contents) error {
	parts, err := c.plan()
	if err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	w = &heedingWriter{ctx, w}
	for _, p := range parts {
		if err := p.copyTo(w); err != nil {
			return fmt.Errorf("write bundle: %s: %w", p.name, err)
		}
	}
	if _, err := w.Write(directory(membersOf(parts))); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// copyTo writes the member and makes sure that its header told the truth.
func (p *part) copyTo(w io.Writer) error {
	if _, err := w.Write(p.local()); err != nil {
		return err
	}
	tally := NewTally()
	if err := p.write(io.MultiWriter(w, tally)); err != nil {
		return err
	}
	return p.matches(tally)
}

// matches compares what was read with what the manifest and the zip say of it.
func (p *part) matches(found *Tally) error {
	return errors.Join(matches(p.file, found.File()), sameCRC(p.crc, found.CRC32()))
}

func matches(want, found File) error {
	if err := same("size in bytes", want.Size, found.Size); err != nil {
		return err
	}
	return same("SHA-256", want.Digest.Hex(), found.Digest.Hex())
}

func sameCRC(want, found uint32) error {
	return same("CRC-32", fmt.Sprintf("%08x", want), fmt.Sprintf("%08x", found))
}

// heedingWriter ends with its context.
type heedingWriter struct {
	ctx context.Context
	w   io.Writer
}

func (h *heedingWriter) Write(p []byte) (int, error) {
	if err := context.Cause(h.ctx); err != nil {
		return 0, err
	}
	return h.w.Write(p)
}
