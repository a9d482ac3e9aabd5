package exporter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"licensekit/exporter/durable"
)

// A directory is made in this order: keys/ and tmp/, the format file, the
// database, blobs/. Each step is whole or not there, and none replaces a file,
// so after a crash anywhere, or beside another process that does the same, the
// next open goes on from what it finds.

// make lays out a new directory. The format file is its last step: a directory
// without it was never in use.
func (d *Directory) make(create bool) error {
	if err := d.survey(); err != nil {
		if d.readFormat() == nil { // another process was quicker, and what was found is its
			return nil
		}
		return err
	}
	if !create {
		return ErrNoDirectory
	}
	for _, dir := range []string{d.Path, d.Keys(), d.Tmp()} {
		if err := durable.MakeDir(dir); err != nil {
			return err
		}
	}
	// It may have been made by a start that ended early.
	if err := durable.SyncDir(filepath.Join(d.Path, "..")); err != nil {
		return err
	}
	text, err := json.Marshal(format{FormatVersion, "lki_" + string(newID()[len(idPrefix):])})
	if err != nil {
		return err
	}
	err = durable.Create(filepath.Join(d.Path, formatFile), d.Tmp(), durable.Content(append(text, '\n')))
	if err != nil && !overtaken(err) {
		return err
	}
	return d.readFormat()
}

// overtaken tells whether another process that makes the same directory was
// quicker: the file is there, or that process already emptied tmp/.
func overtaken(err error) bool {
	return errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist)
}

// survey refuses what is no place for a new data directory.
func (d *Directory) survey() error {
	entries, err := os.ReadDir(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		switch entry.Name() {
		case databaseFile:
			return fmt.Errorf("%s is there but %s is missing: restore it from a backup", databaseFile, formatFile)
		case keysDir, tmpDir, blobsDir, logDir, lockFile: // laid in beforehand, or left by a start that ended early
		default:
			return fmt.Errorf("%w: it holds %s", ErrForeign, entry.Name())
		}
	}
	return err
}

// makeDatabase makes meta.db where there is none yet. A store of blobs without
// a database has lost it: an empty one would hide that.
func (d *Directory) makeDatabase() error {
	home := d.home()
	if exists, err := home.Exists(); exists || err != nil {
		return err
	}
	if blobs, _ := os.ReadDir(filepath.Join(d.Path, blobsDir)); len(blobs) > 0 {
		return fmt.Errorf("%w: %s is there but %s is missing", ErrLostDatabase, blobsDir, databaseFile)
	}
	return home.Create()
}

// RebuildDatabase makes an empty database in a data directory that has lost
// its own, or whose own is damaged and has no snapshot that isn't. It tells
// whether it did; what was damaged is kept aside. What the log and the blobs
// hold, which is all exports, is entered when the directory is opened; API keys
// and reporting data are gone.
func RebuildDatabase(path string, log *slog.Logger) (made bool, err error) {
	d := &Directory{Path: path, log: log}
	err = d.readFormat()
	if err == nil {
		err = d.takeLock()
	}
	if err == nil {
		err = d.emptyTmp()
	}
	if err == nil {
		made, err = d.home().CreateAnew(context.Background())
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return made, fmt.Errorf("rebuild the database of %s: %w", path, err)
	}
	return made, nil
}
