package exporter

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"licensekit/blobstore"
)

// copyBlobs adds the blobs that are not there, and hashes all.
func (t *Transfer) copyBlobs(ctx context.Context, b *Backup) error {
	to, err := blobstore.Open(filepath.Join(t.To, blobsDir))
	if err != nil {
		return err
	}
	defer to.Close()
	root := filepath.Join(t.From, blobsDir, "sha256")
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != root { // it was collected meanwhile
			return nil
		}
		if err != nil || entry.IsDir() {
			return err
		}
		ref, err := blobstore.ParseRef(entry.Name())
		if err != nil {
			return nil
		}
		return t.copyBlob(ctx, to, path, ref, b)
	})
}

func (t *Transfer) copyBlob(ctx context.Context, to *blobstore.Store, path string, ref blobstore.Ref, b *Backup) error {
	there, err := to.Has(ref)
	if err != nil {
		return err
	}
	if there && to.Verify(ctx, ref) == nil {
		return t.count(path, b)
	}
	source, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer source.Close()
	w, err := to.Create(ctx, 1<<62)
	if err != nil {
		return err
	}
	defer w.Abort()
	hash := sha256.New()
	if _, err := io.CopyBuffer(io.MultiWriter(&reporting{w, t.Progress}, hash), source, make([]byte, 256<<10)); err != nil {
		return err
	}
	if got := blobstore.Ref(hash.Sum(nil)); got != ref {
		b.note("blob "+ref.String(), fmt.Errorf("its content has the digest %s", got))
		return nil
	}
	if _, _, err := w.Commit(); err != nil {
		return err
	}
	b.Copied++
	return t.count(path, b)
}

func (t *Transfer) count(path string, b *Backup) error {
	info, err := os.Stat(path)
	if err == nil {
		b.Blobs++
		b.Bytes += info.Size()
	}
	return nil
}
