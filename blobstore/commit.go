package blobstore

import (
	"errors"
	"fmt"
	"io/fs"
)

// Ref is the name that what was written so far would get by Commit.
func (w *Writer) Ref() Ref { return Ref(w.hash.Sum(nil)) }

// Commit makes what was written a durable blob and gives its name and size in
// bytes. If the blob is there already and its bytes are right, that one stays
// and a mark of collection on it is lifted; if they are wrong, it is replaced.
// Commit ends the writer either way: after an error nothing is promised, but a
// blob may have been left that nobody refers to.
func (w *Writer) Commit() (Ref, int64, error) {
	if err := w.ready(); err != nil {
		return Ref{}, 0, errors.Join(err, w.Abort())
	}
	ref := w.Ref()
	err := w.seal()
	if err == nil {
		err = w.publish(ref)
	}
	if err = errors.Join(err, w.Abort()); err != nil {
		return Ref{}, 0, fmt.Errorf("commit blob %s: %w", ref, err)
	}
	return ref, w.size, nil
}

// seal makes the bytes durable and read-only. A failed fsync is final: the
// kernel may have dropped the pages, and a second one would not tell.
func (w *Writer) seal() error {
	if err := w.flush.wait(); err != nil {
		return err
	}
	if err := w.file.Chmod(0o400); err != nil {
		return err
	}
	return w.file.Sync()
}

// publish gives the sealed file its name, under the lock that it shares with
// other writers of the same bytes and with collection.
func (w *Writer) publish(ref Ref) error {
	release, err := w.store.locks.take(w.ctx, ref)
	if err != nil {
		return err
	}
	defer release()
	if err := w.store.pardon(ref); err != nil {
		return err
	}
	err = w.file.link(ref.path())
	if errors.Is(err, fs.ErrExist) {
		err = w.meet(ref)
	}
	if err != nil {
		return err
	}
	// Also for a blob that was there: whoever linked it may have died before this.
	return w.store.syncDir(shard(ref[0]))
}

// meet deals with a blob that already has the name: hashed again, and healed
// if it is bad.
func (w *Writer) meet(ref Ref) error {
	err := w.store.adopt(w.ctx, ref)
	if corrupt, ok := errors.AsType[*CorruptError](err); ok {
		return w.heal(corrupt)
	}
	return err
}

// heal puts the staged file in the place of a bad one, which stays readable in
// quarantine/. The name is never missing and never half-written.
func (w *Writer) heal(bad *CorruptError) error {
	s, path := w.store, bad.Ref.path()
	if err := s.keepAside(bad); err != nil {
		return err
	}
	spare := tmpDir + "/heal-" + bad.Ref.String()
	if err := s.root.Remove(spare); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := w.file.link(spare); err != nil {
		return err
	}
	return s.root.Rename(spare, path)
}
