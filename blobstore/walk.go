package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Walk calls visit for each blob, sorted by name, with its size in bytes,
// and stops at its first error. Blobs that come or go meanwhile may be seen or
// not. A file that is not named as a blob of its shard is passed over.
func (s *Store) Walk(ctx context.Context, visit func(ref Ref, size int64) error) error {
	for first := range 256 {
		if err := s.walkDir(ctx, shard(byte(first)), visit); err != nil {
			return fmt.Errorf("walk blobs: %w", err)
		}
	}
	return nil
}

// walkDir visits the files of one directory that have a blob's name. In a
// shard these are its own, in trash/ those of all shards.
func (s *Store) walkDir(ctx context.Context, dir string, visit func(Ref, int64) error) error {
	entries, err := fs.ReadDir(s.root.FS(), dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		ref, err := ParseRef(entry.Name())
		if err != nil || dir != trashDir && dir != shard(ref[0]) {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := visit(ref, info.Size()); err != nil {
			return err
		}
	}
	return nil
}
