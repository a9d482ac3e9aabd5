package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Pace holds back who reads: it is told of each piece that was read, and returns
// when it is time for the next. Its error ends the reading.
type Pace func(ctx context.Context, bytes int) error

// WalkAfter is [Store.Walk] for the blobs behind a name, with its size.
func (s *Store) WalkAfter(ctx context.Context, after Ref, visit func(ref Ref, size int64) error) error {
	for first := int(after[0]); first < 256; first++ {
		err := s.walkDir(ctx, shard(byte(first)), func(ref Ref, size int64) error {
			if ref.String() <= after.String() {
				return nil
			}
			return visit(ref, size)
		})
		if err != nil {
			return fmt.Errorf("walk blobs: %w", err)
		}
	}
	return nil
}

// Scrub hashes a blob as it is on the disk, at a pace. One that is damaged, and
// still is when it is read once more, is moved to quarantine/, where it stays;
// its name is free for a good copy. One that the device can't read is left where
// it is. Errors: *[CorruptError], fs.ErrNotExist.
func (s *Store) Scrub(ctx context.Context, ref Ref, pace Pace) error {
	file, _, err := s.openFile(ref)
	if err == nil {
		defer file.Close()
		forgetPages(file)
		err = s.verify(ctx, ref, file, pace)
		forgetPages(file) // they would take the place of what others read
	}
	if bad, ok := errors.AsType[*CorruptError](err); ok && bad.Err == nil {
		err = s.condemnDamaged(ctx, ref, pace)
	}
	if err != nil {
		return fmt.Errorf("scrub blob %s: %w", ref, err)
	}
	return nil
}

// condemnDamaged looks once more, with nobody writing the blob, and quarantines
// it. What was healed meanwhile is no error.
func (s *Store) condemnDamaged(ctx context.Context, ref Ref, pace Pace) error {
	release, err := s.locks.take(ctx, ref)
	if err != nil {
		return err
	}
	defer release()
	file, _, err := s.openFile(ref)
	if err != nil {
		return err
	}
	forgetPages(file)
	err = errors.Join(s.verify(ctx, ref, file, pace), file.Close())
	if bad, ok := errors.AsType[*CorruptError](err); ok && bad.Err == nil {
		return errors.Join(err, s.quarantine(bad))
	}
	return err
}

// quarantine takes a bad blob's name away, once it has another. The blob's lock
// is held.
func (s *Store) quarantine(bad *CorruptError) error {
	if err := s.keepAside(bad); err != nil {
		return err
	}
	if err := s.root.Remove(bad.Ref.path()); err != nil {
		return err
	}
	return s.syncDir(shard(bad.Ref[0]))
}

// keepAside gives a bad blob a name in quarantine/, durably.
func (s *Store) keepAside(bad *CorruptError) error {
	kept := quarantineDir + "/" + bad.Ref.String() + "." + bad.Got.String()
	if err := s.root.Link(bad.Ref.path(), kept); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.syncDir(quarantineDir)
}
