package exporter

import (
	"context"
	"fmt"
	"io"

	"licensekit/blobstore"
	"licensekit/exporter/evidence"
)

// Verify checks the bundle of an export as a reviewer does who has pinned this
// instance's own keys and kept the newest checkpoint of each of its logs. So it
// shows that what is handed out is whole, and nothing about the instance: who
// can alter an export here can alter this too. each is told of the steps as they
// end.
//
// The bundle is written to a file without a name, as large as it is. One is
// checked at a time. Errors: [ErrNotReady].
func (e *Exporter) Verify(ctx context.Context, id ID, each func(evidence.Step)) (*evidence.Result, error) {
	select {
	case e.verifying <- struct{}{}:
		defer func() { <-e.verifying }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	bundle, err := e.Bundle(ctx, id, ShowFirst)
	if err != nil {
		return nil, err
	}
	defer bundle.Close()
	trust, err := e.ownTrust(bundle)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", id, err)
	}
	spool, err := spool(e.tmp, "bundle-*")
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", id, err)
	}
	defer spool.Close()
	if err := bundle.WriteTo(ctx, spool); err != nil {
		return nil, fmt.Errorf("verify %s: %w", id, err)
	}
	return evidence.Verify(ctx, evidence.Input{Bundle: io.NewSectionReader(spool, 0, bundle.Size), Each: each}, trust)
}

// ownTrust is what a reviewer of this instance would have, with the proof that
// leads from the bundle's checkpoint to the newest.
func (e *Exporter) ownTrust(bundle *Bundle) (trust evidence.Trust, err error) {
	records, err := e.PublicKeys()
	if err != nil {
		return trust, err
	}
	for _, record := range records {
		if record.Purpose == evidence.ForLog {
			key, err := evidence.ParseLogKey([]byte(record.VerifierKey))
			if err != nil {
				return trust, err
			}
			trust.LogKeys = append(trust.LogKeys, key)
			continue
		}
		key, err := evidence.ParsePublicKey(evidence.ForExport, []byte(record.PEM))
		if err != nil {
			return trust, err
		}
		trust.Keys = append(trust.Keys, key)
	}
	for _, l := range e.logs {
		head := l.Head()
		trust.Last = append(trust.Last, head.Signed)
		if l.Origin() != *bundle.Export.LogOrigin {
			continue
		}
		proof, err := l.Consistency(bundle.LogSize, head)
		if err != nil {
			return trust, err
		}
		trust.Consistency = append(trust.Consistency, proof.Marshal())
	}
	return trust, nil
}

// Vouched opens the artifact of an export once it is sure that a key of this
// instance signed for its bytes: for readers that nothing else should reach.
// Errors: as [Exporter.Artifact], and [ErrNotSigned].
func (e *Exporter) Vouched(ctx context.Context, id ID) (*blobstore.Blob, Export, error) {
	blob, export, err := e.Artifact(ctx, id) // which has compared the bytes with the digest
	if err != nil {
		return nil, export, err
	}
	if err := e.vouch(ctx, export); err != nil {
		blob.Close()
		return nil, export, fmt.Errorf("artifact of %s: %w", id, err)
	}
	return blob, export, nil
}

func (e *Exporter) vouch(ctx context.Context, export Export) error {
	stored, err := e.entry(export.ID)
	if err != nil {
		return err
	}
	envelope, err := e.envelope(ctx, *stored.Manifest)
	if err != nil {
		return err
	}
	manifest, err := envelope.Parse()
	if err != nil {
		return err
	}
	if manifest.Artifact.Digest != *export.ArtifactDigest || manifest.ExportID != string(export.ID) {
		return fmt.Errorf("%w: the manifest is about another one", ErrNotSigned)
	}
	records, err := e.PublicKeys()
	if err != nil {
		return err
	}
	for _, record := range records {
		if record.Purpose != evidence.ForExport {
			continue
		}
		key, err := evidence.ParsePublicKey(evidence.ForExport, []byte(record.PEM))
		if err != nil {
			return err
		}
		if envelope.Check(key) == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: none of %d keys did", ErrNotSigned, len(records))
}
