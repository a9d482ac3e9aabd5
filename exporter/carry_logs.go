package exporter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"licensekit/blobstore"
	"licensekit/exporter/durable"
	"licensekit/exporter/evidence"
)

// stillGrows wants a log to have its place.
func (d *Directory) stillGrows(origin string) error {
	now, err := originIn(d.Log(), d.Instance)
	if err == nil && now != origin || errors.Is(err, fs.ErrNotExist) {
		return ErrRestarted
	}
	return err
}

// copyLogs copies the log that grows and those that were closed, and makes sure
// that what they name is there. Where another one grows in the backup, the new
// one waits, and place gives each its own: one that was closed since is brought
// up to date before. A directory that holds any other log is emptied.
func (t *Transfer) copyLogs(ctx context.Context, from *Directory, keys string, growing *Log, b *Backup) (place func() error, err error) {
	blobs, err := blobstore.Open(filepath.Join(t.To, blobsDir))
	if err != nil {
		return nil, err
	}
	defer blobs.Close()
	closed, err := closedLogs(from.Path)
	if err != nil {
		return nil, err
	}
	at := filepath.Join(t.To, logDir)
	had, err := originIn(at, b.Instance)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	closedSince := ""
	for n := range closed {
		l, record, err := evidence.OpenClosedLog(closedLogDir(from.Path, n+1), keys)
		if err != nil {
			return nil, err
		}
		to := closedLogDir(t.To, n+1)
		if had == l.Origin() {
			closedSince, to = to, at
		}
		err = t.copyLog(ctx, from, to, &Log{Log: l, Key: record}, blobs, b)
		if err = errors.Join(err, l.Close()); err != nil {
			return nil, err
		}
	}
	place = func() error { return nil }
	to := at
	if had != "" && had != growing.Origin() {
		to = filepath.Join(t.staging(), nextLogDir)
		place = func() error { return replaceLog(at, closedSince, to) }
	}
	return place, t.copyLog(ctx, from, to, growing, blobs, b)
}

// replaceLog gives the log at a path another name, or removes it if that is "",
// and the next one its place.
func replaceLog(path, closed, next string) error {
	if closed == "" {
		closed = next + ".removed"
		defer os.RemoveAll(closed)
	}
	err := os.RemoveAll(closed)
	if err == nil {
		err = durable.Rename(path, closed)
	}
	if err == nil {
		err = durable.Rename(next, path)
	}
	return err
}

func (t *Transfer) copyLog(ctx context.Context, from *Directory, to string, l *Log, blobs *blobstore.Store, b *Backup) error {
	if origin, err := originIn(to, b.Instance); err == nil && origin != l.Origin() { // the log was restarted since
		if err := os.RemoveAll(to); err != nil {
			return err
		}
	}
	damaged, err := damagedCosigned(l, from, b)
	if err != nil {
		return err
	}
	return l.CopyTo(ctx, to, damaged, func(index int64, leaf []byte) error {
		t.Progress(int64(len(leaf)))
		kind, err := evidence.LeafType(leaf)
		if err != nil || kind != evidence.PredicateType {
			return err
		}
		m, err := evidence.ParseManifest(leaf)
		if err != nil {
			return err
		}
		there, err := blobs.Has(blobstore.Ref(m.Artifact.Digest))
		if err == nil && !there {
			b.Damaged = append(b.Damaged, fmt.Sprintf("artifact of %s is missing", m.ExportID))
		}
		return err
	})
}

// damagedCosigned gives the sizes of those kept checkpoints of a log that are not
// whole. One that the log does not continue is no damage: others have seen it.
func damagedCosigned(l *Log, from *Directory, b *Backup) (damaged []int64, err error) {
	sizes, err := l.CosignedSizes()
	if err != nil {
		return nil, err
	}
	if _, err := evidence.ReadWitnesses(from.Witnesses()); err != nil { // noted when they are copied
		return sizes, nil
	}
	for _, size := range sizes {
		err := l.checkKept(size, from.Witnesses())
		if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrRolledBack) {
			continue
		}
		b.note(fmt.Sprintf("log %s cosigned %d", l.Origin(), size), err)
		damaged = append(damaged, size)
	}
	return damaged, nil
}
