package exporter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"licensekit/blobstore"
	"licensekit/exporter/evidence"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// Bundle is an export's evidence bundle, ready to be written.
type Bundle struct {
	Export   Export
	FileName string
	Size     int64 // bytes
	LogSize  int64 // of the tree that its proof leads to
	contents evidence.Contents
	artifact *blobstore.Blob
}

// Close lets go of the artifact.
func (b *Bundle) Close() error { return b.artifact.Close() }

// WriteTo streams the bundle; the same export gives the same bytes.
func (b *Bundle) WriteTo(ctx context.Context, w io.Writer) error {
	contents := b.contents
	contents.Artifact = whole(b.artifact)
	return evidence.WriteBundle(ctx, w, contents)
}

// whole reads a blob from its begin, wherever others read it.
func whole(blob *blobstore.Blob) io.Reader { return io.NewSectionReader(blob, 0, blob.Size()) }

// Bundle gathers what a bundle holds. Nothing of it is stored twice: the
// canonical form is made from the artifact. Errors: [ErrNotReady],
// [ErrNotCosigned].
func (e *Exporter) Bundle(ctx context.Context, id ID, shown Shown) (*Bundle, error) {
	blob, export, err := e.Artifact(ctx, id)
	if err != nil {
		return nil, err
	}
	bundle, err := e.bundle(ctx, export, blob, shown)
	if err != nil {
		blob.Close()
		return nil, fmt.Errorf("bundle of %s: %w", id, err)
	}
	return bundle, nil
}

func (e *Exporter) bundle(ctx context.Context, export Export, blob *blobstore.Blob, shown Shown) (*Bundle, error) {
	stored, err := e.entry(export.ID)
	if err != nil {
		return nil, err
	}
	if stored.Manifest == nil {
		return nil, fmt.Errorf("signed manifest: %w", ErrLost)
	}
	envelope, err := e.envelope(ctx, *stored.Manifest)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("signed manifest: %w", ErrLost)
	}
	if err == nil && stored.ArtifactCRC == 0 && stored.DataCRC == 0 { // it was missing when the export was entered
		stored.ArtifactCRC, stored.DataCRC, err = checksums(export, blob)
	}
	if err != nil {
		return nil, err
	}
	proof, err := e.prove(envelope, stored, shown)
	if err != nil {
		return nil, err
	}
	contents := evidence.Contents{
		Envelope: envelope, Proof: proof.Marshal(), ArtifactCRC: stored.ArtifactCRC,
		Data: func(w io.Writer) error { return writeData(w, export, blob) }, DataCRC: stored.DataCRC,
	}
	size, err := contents.Size()
	if err != nil {
		return nil, err
	}
	return &Bundle{Export: export, FileName: evidence.BundleName(string(export.ID)), Size: size, LogSize: proof.Size, artifact: blob, contents: contents}, nil
}

// envelope reads the signed manifest of an export.
func (e *Exporter) envelope(ctx context.Context, digest report.Digest) (*evidence.Envelope, error) {
	return readEnvelope(ctx, e.blobs, digest)
}

// writeData makes the canonical form from an artifact.
func writeData(w io.Writer, export Export, blob *blobstore.Blob) error {
	format, err := render.Parse(export.Format)
	if err != nil {
		return err
	}
	if format.Canonical {
		_, err := io.Copy(w, whole(blob))
		return err
	}
	document, err := format.Decode(blob, blob.Size(), export.Kind, export.Filters)
	if err != nil {
		return err
	}
	_, err = report.WriteCanonical(w, document)
	return err
}
