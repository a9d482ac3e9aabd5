package exporter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"licensekit/blobstore"
	"licensekit/exporter/metadb"
)

// Usage is what the files of a data directory take, the database aside.
type Usage struct {
	blobstore.Usage
	Log       blobstore.Share // of all logs
	Snapshots blobstore.Share // earlier states of the database
}

// Usage adds up what the directory holds. It looks at every file's size, and
// takes as long as that takes.
func (d *Directory) Usage(ctx context.Context) (u Usage, err error) {
	if u.Usage, err = d.Blobs.Usage(ctx); err != nil {
		return u, fmt.Errorf("add up the blobs of %s: %w", d.Path, err)
	}
	logs, err := filepath.Glob(filepath.Join(d.Path, logDir+"*"))
	for _, dir := range logs {
		err = errors.Join(err, weigh(ctx, dir, &u.Log))
	}
	err = errors.Join(err, weigh(ctx, filepath.Join(d.Path, metadb.Snapshots), &u.Snapshots))
	if err != nil {
		return u, fmt.Errorf("add up the files of %s: %w", d.Path, err)
	}
	return u, nil
}

// weigh passes over what goes away meanwhile.
func weigh(ctx context.Context, dir string, share *blobstore.Share) error {
	return filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && entry.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				share.Files++
				share.Bytes += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

// Room is how many bytes may still be written to the data directory, by a
// process without privileges: where its parts are on several file systems, on
// the fullest of them.
func (d *Directory) Room() (bytes int64, err error) {
	for i, part := range []string{"", blobsDir, logDir, tmpDir} {
		free, err := room(filepath.Join(d.Path, part))
		if err != nil {
			return 0, fmt.Errorf("free room on the disk of %s: %w", d.Path, err)
		}
		if i == 0 || free < bytes {
			bytes = free
		}
	}
	return bytes, nil
}
