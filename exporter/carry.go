package exporter

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"licensekit/exporter/durable"
	"licensekit/exporter/evidence"
	"licensekit/exporter/metadb"
)

func (t *Transfer) staging() string { return filepath.Join(t.To, tmpDir) }

// carry copies and verifies all but the format file. Without that nobody takes
// the directory for one.
func (t *Transfer) carry(ctx context.Context, from *Directory) (*Backup, error) {
	b := &Backup{Instance: from.Instance}
	for _, dir := range []string{t.To, t.staging(), filepath.Join(t.To, keysDir)} {
		if err := durable.MakeDir(dir); err != nil {
			return nil, err
		}
	}
	database, err := t.stageDatabase(ctx, b)
	if err != nil {
		return nil, err
	}
	defer os.Remove(database) // it has another name by then
	keys := cmp.Or(t.Keys, from.Keys())
	l, record, err := evidence.OpenClosedLog(from.Log(), keys)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	b.LogOrigin, b.Entries = l.Origin(), l.Size()
	if err := t.copyBlobs(ctx, b); err != nil {
		return nil, err
	}
	placeLogs, err := t.copyLogs(ctx, from, keys, &Log{Log: l, Key: record}, b)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(t.waitingKeys())
	placeKeys := func() error { return nil }
	if b.NoKeys = keys != from.Keys(); !b.NoKeys {
		if placeKeys, err = t.copyKeys(from.Keys()); err != nil {
			return nil, err
		}
	}
	if err := from.stillGrows(b.LogOrigin); err != nil { // the keys may be those of the next log
		return nil, err
	}
	if err := placeLogs(); err != nil {
		return nil, err
	}
	if err := placeKeys(); err != nil {
		return nil, err
	}
	if err := t.copyWitnesses(from, b); err != nil {
		return nil, err
	}
	if err := durable.Rename(database, filepath.Join(t.To, databaseFile)); err != nil {
		return nil, err
	}
	return b, nil
}

// stageTries is how often the database is copied until it is whole: a copy that
// takes too long is not.
const stageTries = 3

// stageDatabase copies the database and has every value of it read.
func (t *Transfer) stageDatabase(ctx context.Context, b *Backup) (staged string, err error) {
	for range stageTries {
		if staged, err = t.stage(filepath.Join(t.From, databaseFile)); err != nil {
			return "", err
		}
		if b.Contents, err = inspectApart(ctx, staged, true); !errors.Is(err, metadb.ErrDamaged) {
			break
		}
		os.Remove(staged)
	}
	return staged, err
}

// stage copies a file that is mostly holes.
func (t *Transfer) stage(path string) (staged string, err error) {
	source, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer source.Close()
	f, err := os.CreateTemp(t.staging(), databaseFile+".*")
	if err != nil {
		return "", err
	}
	chunk, zero, at := make([]byte, 256<<10), make([]byte, 256<<10), int64(0)
	for err == nil {
		var n int
		if n, err = io.ReadFull(source, chunk); n > 0 && !bytes.Equal(chunk[:n], zero[:n]) {
			if _, writeErr := f.WriteAt(chunk[:n], at); writeErr != nil {
				err = writeErr
			}
		}
		at += int64(n)
		t.Progress(int64(n))
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = f.Truncate(at)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// copyWitnesses copies their keys. A damaged file takes no other's place.
func (t *Transfer) copyWitnesses(from *Directory, b *Backup) error {
	if _, err := evidence.ReadWitnesses(from.Witnesses()); err != nil {
		b.note(witnessesFile, err)
		if _, err := os.Lstat(filepath.Join(t.To, witnessesFile)); err == nil {
			return nil
		}
	}
	if err := t.copyFile(witnessesFile, witnessesFile, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// copyFile replaces a file by another one, unless they are the same.
func (t *Transfer) copyFile(name, as string, mode fs.FileMode) error {
	source, err := os.Open(filepath.Join(t.From, name))
	if err != nil {
		return err
	}
	defer source.Close()
	return durable.Replace(filepath.Join(t.To, as), t.staging(), func(f *os.File) error {
		_, err := io.Copy(&reporting{f, t.Progress}, source)
		return errors.Join(err, f.Chmod(mode))
	})
}

// copyKeys copies the signing keys and the records of those before; place puts
// them in the place of those that are there.
func (t *Transfer) copyKeys(keys string) (place func() error, err error) {
	if err := os.RemoveAll(t.waitingKeys()); err != nil { // left by one that was cut short
		return nil, err
	}
	var names []string
	err = filepath.WalkDir(keys, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(keys, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return errors.Join(durable.MakeDir(filepath.Join(t.To, keysDir, rel)), durable.MakeDir(filepath.Join(t.waitingKeys(), rel)))
		}
		if !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), ".") { // what is being written
			return nil
		}
		err = t.copyFile(filepath.Join(keysDir, rel), filepath.Join(tmpDir, keysDir, rel), 0o600)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err == nil:
			names = append(names, rel)
		}
		return err
	})
	return func() error {
		for _, name := range names {
			if err := durable.Rename(filepath.Join(t.waitingKeys(), name), filepath.Join(t.To, keysDir, name)); err != nil {
				return err
			}
		}
		return nil
	}, err
}

// waitingKeys is where keys wait for their place.
func (t *Transfer) waitingKeys() string { return filepath.Join(t.staging(), keysDir) }

// reporting tells of the bytes that are written.
type reporting struct {
	w    io.Writer
	each func(int64)
}

// Write passes p on.
func (r *reporting) Write(p []byte) (int, error) {
	n, err := r.w.Write(p)
	r.each(int64(n))
	return n, err
}
