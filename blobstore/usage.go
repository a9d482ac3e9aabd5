package blobstore

import (
	"context"
	"errors"
	"io/fs"
)

// Share counts files and their bytes.
type Share struct{ Files, Bytes int64 }

// Usage is what a store holds.
type Usage struct {
	Blobs       Share
	Quarantined Share // damaged, kept aside
	Trashed     Share // collected, not yet deleted
}

// Usage adds up what the store holds. It looks at every file's size, and takes
// as long as that takes.
func (s *Store) Usage(ctx context.Context) (u Usage, err error) {
	err = s.Walk(ctx, func(_ Ref, size int64) error {
		u.Blobs.add(size)
		return nil
	})
	for dir, share := range map[string]*Share{quarantineDir: &u.Quarantined, trashDir: &u.Trashed} {
		if err == nil {
			err = s.weigh(dir, share)
		}
	}
	return u, err
}

func (s *Store) weigh(dir string, share *Share) error {
	entries, err := fs.ReadDir(s.root.FS(), dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		share.add(info.Size())
	}
	return nil
}

func (s *Share) add(size int64) {
	s.Files++
	s.Bytes += size
}
