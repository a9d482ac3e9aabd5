package metadb

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"licensekit/exporter/durable"
)

// renew goes on in a copy of the file, before the first write since it was
// opened. What the process before has kept for copies, this one doesn't know;
// a tool that is just reading the file reads on in the old one, which is never
// written to again and becomes a snapshot. A file that was not written to for a
// window needs no copy. Without room for one, a copy that is being taken across
// the restart may be torn. It has the turn.
func (db *DB) renew() error {
	if db.renewed {
		return nil
	}
	db.renewed = true
	defer func() { _ = db.tellReleased(db.tails.released) }()
	info, err := db.now.file.Stat()
	if err != nil {
		return err
	}
	if time.Since(info.ModTime()) > db.pins.window || db.number() <= firstTransaction {
		return nil
	}
	if err := db.goOnInCopy(); err != nil {
		if db.Err() != nil {
			return db.Err()
		}
		db.home.Log.Warn("can't go on in a copy of the database; a copy of the data directory that began before the start may be torn", "error", err)
	}
	return nil
}

// firstTransaction is the number of that of an empty file.
const firstTransaction = 1

// number is that of the newest transaction.
func (db *DB) number() (n int) {
	db.now.bolt.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil })
	return n
}

func (db *DB) goOnInCopy() error {
	f, err := os.CreateTemp(db.home.Tmp, File+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // another name by then, or no good
	transaction, err := db.copyTo(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	next, err := db.open(f.Name())
	if err != nil {
		return err
	}
	kept, err := db.keepAsSnapshot(transaction)
	if err == nil {
		err = os.Rename(f.Name(), db.path)
	}
	if err != nil {
		os.Remove(kept)
		return errors.Join(err, next.bolt.Close())
	}
	db.replace(next)
	db.tails.at = nil
	// From here on either file may have the name after a power cut, or be taken
	// for a copy; the next start can tell, this process can't.
	if err := errors.Join(durable.SyncDir(db.home.Dir), db.home.enter()); err != nil {
		return db.fail(err)
	}
	return errors.Join(os.Chmod(kept, 0o400), db.home.trim())
}

func (db *DB) copyTo(f *os.File) (transaction int64, err error) {
	err = db.now.bolt.View(func(tx *bbolt.Tx) error {
		transaction = int64(tx.ID())
		_, err := tx.WriteTo(f)
		return errors.Join(err, f.Sync())
	})
	return transaction, err
}

// keepAsSnapshot gives the file that is about to lose its name that of a
// snapshot.
func (db *DB) keepAsSnapshot(transaction int64) (path string, err error) {
	dir := db.home.snapshotsPath()
	if err := durable.MakeDir(dir); err != nil {
		return "", err
	}
	path = db.home.snapshotPath(transaction, time.Now())
	if err := os.Link(db.path, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return path, err
	}
	return path, durable.SyncDir(dir)
}

// unlink removes the snapshots that are the file itself: a crash came before it
// lost its name.
func (h *Home) unlink() error {
	live, err := os.Stat(h.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	list, err := h.snapshots()
	if err != nil {
		return err
	}
	for _, s := range list {
		if info, err := os.Stat(s.path); err == nil && os.SameFile(info, live) {
			if err := os.Remove(s.path); err != nil {
				return err
			}
		}
	}
	return nil
}
