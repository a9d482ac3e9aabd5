package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Collected counts what one [Store.Collect] did.
type Collected struct {
	Condemned int // found unneeded for the first time
	Trashed   int // still unneeded after the grace, moved to trash/
	Restored  int // needed after all, moved back from trash/
	Removed   int // deleted for good
}

// collection is one run of Collect.
type collection struct {
	*Store
	keep  func(Ref) (bool, error)
	now   time.Time
	grace time.Duration
	done  Collected
}

// Collect takes one step towards deleting each blob that keep does not want:
// first it is condemned; a full grace later, if it is still unwanted, it moves
// to trash/; another grace later it is deleted. So a blob is never deleted by
// a single run, and a backup that takes less than the grace finds every blob
// that was wanted when it began, in its place.
//
// The references that keep looks up must be dropped durably before, and a
// reference to a blob may only be added after a Commit of that blob, which
// lifts the mark. keep is called with the blob's lock held and must not use
// the store. now is the present; a clock that went back delays deletion.
func (s *Store) Collect(ctx context.Context, keep func(Ref) (bool, error), now time.Time, grace time.Duration) (Collected, error) {
	c := &collection{Store: s, keep: keep, now: now, grace: grace}
	// Trash first, so that what comes there in this run stays a grace.
	err := s.walkDir(ctx, trashDir, c.locked(ctx, c.empty))
	if err == nil {
		err = s.Walk(ctx, c.locked(ctx, c.judge))
	}
	if err != nil {
		return c.done, fmt.Errorf("collect blobs: %w", err)
	}
	return c.done, nil
}

// locked makes a visit of one step: under the blob's lock, told whether the
// blob is wanted.
func (c *collection) locked(ctx context.Context, step func(ref Ref, kept bool) error) func(Ref, int64) error {
	return func(ref Ref, _ int64) error {
		release, err := c.locks.take(ctx, ref)
		if err != nil {
			return err
		}
		defer release()
		kept, err := c.keep(ref)
		if err != nil {
			return err
		}
		return step(ref, kept)
	}
}

// judge condemns a blob, pardons it, or moves it to the trash.
func (c *collection) judge(ref Ref, kept bool) error {
	if kept {
		return c.pardon(ref)
	}
	over, err := c.graceOver(condemned(ref))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c.condemn(ref)
	case err != nil || !over:
		return err
	}
	return c.trash(ref)
}

// condemn marks a blob with the time from which its first grace counts.
func (c *collection) condemn(ref Ref) error {
	if err := c.root.WriteFile(condemned(ref), nil, 0o600); err != nil {
		return err
	}
	c.done.Condemned++
	return c.root.Chtimes(condemned(ref), c.now, c.now)
}

// trash moves a blob where no reader finds it. Its second grace counts from
// the mtime that it gets first; a crash between the two leaves a blob in its
// place with a new mtime, which costs a reader one more hash.
func (c *collection) trash(ref Ref) error {
	if err := c.root.Chtimes(ref.path(), c.now, c.now); err != nil {
		return err
	}
	if err := c.move(ref.path(), trashed(ref), trashDir, shard(ref[0])); err != nil {
		return err
	}
	c.done.Trashed++
	c.verified.forget(ref)
	return c.pardon(ref)
}

// empty deletes a blob from the trash when its grace is over, or puts it back
// if it is wanted again and no writer has brought it since.
func (c *collection) empty(ref Ref, kept bool) error {
	if _, err := c.root.Lstat(ref.path()); kept && errors.Is(err, fs.ErrNotExist) {
		c.done.Restored++
		return c.move(trashed(ref), ref.path(), shard(ref[0]), trashDir)
	}
	over, err := c.graceOver(trashed(ref))
	if err != nil || !over {
		return err
	}
	c.done.Removed++
	return c.root.Remove(trashed(ref))
}

// move renames durably; the new name's directory first, so that a power cut
// leaves two names rather than none.
func (c *collection) move(from, to, toDir, fromDir string) error {
	if err := c.root.Rename(from, to); err != nil {
		return err
	}
	return errors.Join(c.syncDir(toDir), c.syncDir(fromDir))
}

// graceOver tells whether a file's mtime is a full grace ago.
func (c *collection) graceOver(name string) (bool, error) {
	info, err := c.root.Lstat(name)
	if err != nil {
		return false, err
	}
	return c.now.Sub(info.ModTime()) >= c.grace, nil
}

func condemned(ref Ref) string { return condemnedDir + "/" + ref.String() }

func trashed(ref Ref) string { return trashDir + "/" + ref.String() }

// pardon takes the mark off a blob, durably: one that came back after a power
// cut would cut the grace of the next sentence short. The blob's lock is held.
func (s *Store) pardon(ref Ref) error {
	err := s.root.Remove(condemned(ref))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.syncDir(condemnedDir)
}
