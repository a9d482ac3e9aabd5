package exporter

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"licensekit/blobstore"
	"licensekit/exporter/durable"
	"licensekit/exporter/evidence"
	"licensekit/exporter/metadb"
)

// The errors of backups that callers give a hint for.
var (
	ErrNoBackup      = errors.New("it is no whole backup")
	ErrNotEmpty      = errors.New("the directory is not empty")
	ErrInUse         = errors.New("it has been used as a data directory")
	ErrOtherInstance = errors.New("it is a backup of another instance")
	ErrRestarted     = errors.New("the log was restarted meanwhile")
)

// backupFile says what a backup holds. It is written last: what has none is no
// whole backup.
const backupFile = "backup.json"

// Backup is a copy of a data directory that was made by [MakeBackup]. It holds
// one state of the database and a log that is no older, with all that both name.
type Backup struct {
	Instance string    `json:"instance"`
	Finished time.Time `json:"finished"`
	metadb.Contents
	LogOrigin string   `json:"log_origin"`
	Entries   int64    `json:"log_entries"`
	Blobs     int64    `json:"blobs"`
	Bytes     int64    `json:"blob_bytes"`
	Copied    int64    `json:"copied"`            // blobs that were not there before
	NoKeys    bool     `json:"no_keys,omitempty"` // the signing keys are kept elsewhere, and are not in it
	Damaged   []string `json:"damaged,omitempty"` // what is damaged or missing in the original, each a name and maybe a colon and how
}

func (b *Backup) note(name string, how error) {
	b.Damaged = append(b.Damaged, fmt.Sprintf("%s: %v", name, how))
}

// lacksMore is what a backup lacks, as reading it has shown, and not because the
// original did.
func (b *Backup) lacksMore(read *Backup) (lost []string) {
	for _, damage := range read.Damaged {
		name, _, _ := strings.Cut(damage, ":")
		known := func(d string) bool { before, _, _ := strings.Cut(d, ":"); return before == name }
		if !slices.ContainsFunc(b.Damaged, known) {
			lost = append(lost, damage)
		}
	}
	return lost
}

// Transfer says what to copy from where.
type Transfer struct {
	From, To string
	Keys     string      // of the directory From, where they are not in it
	Progress func(int64) // is told of bytes as they are copied or verified
	Now      func() time.Time
}

// MakeBackup copies a data directory, which may be in use, to a directory that
// is new, or a backup of the same instance. In this order: the database, in a
// staged file (see package metadb for why it is whole), then the log's checkpoint
// is read, then blobs are copied, so that all that both name is there; then the
// logs and keys. Blobs and full tiles that are there stay. Everything is verified
// in its new place: blobs are hashed, the log's leaves and the database's values
// are read. Blobs, cosigned checkpoints and witnesses that are damaged in the
// original are named in the result, and take the place of nothing.
//
// A first backup that is cut short has no [backupFile] and no format file, and
// is taken for a data directory by nobody. A later one adds files that never
// change until it replaces the database and the checkpoint, so that one that is
// cut short is as good as the one before. The first one after a restart of the
// log also gives the logs their places, and the keys, at its end: cut short
// within that, it must be made again.
func MakeBackup(ctx context.Context, t Transfer) (*Backup, error) {
	b, err := t.backup(ctx)
	if err != nil {
		return nil, fmt.Errorf("back up %s to %s: %w", t.From, t.To, err)
	}
	return b, nil
}

func (t *Transfer) backup(ctx context.Context) (*Backup, error) {
	from := &Directory{Path: t.From}
	if err := from.readFormat(); err != nil {
		return nil, err
	}
	if err := t.surveyBackup(from.Instance); err != nil {
		return nil, err
	}
	b, err := t.carry(ctx, from)
	if err != nil {
		return nil, err
	}
	if err := t.copyFile(formatFile, formatFile, 0o600); err != nil {
		return nil, err
	}
	b.Finished = t.Now().UTC().Truncate(time.Second)
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return nil, err
	}
	return b, durable.Replace(filepath.Join(t.To, backupFile), t.staging(), durable.Content(append(text, '\n')))
}

// surveyBackup refuses what is no place for a backup of an instance.
func (t *Transfer) surveyBackup(instance string) error {
	inside, err := isInside(t.To, t.From)
	if err != nil {
		return err
	}
	if inside {
		return fmt.Errorf("%s is inside the data directory", t.To)
	}
	entries, err := os.ReadDir(t.To)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		switch name := entry.Name(); name {
		case formatFile, databaseFile, blobsDir, logDir, keysDir, tmpDir, witnessesFile, backupFile:
		case lockFile, databaseFile + ".place", copiedFile:
			return ErrInUse
		default:
			if !strings.HasPrefix(name, logDir+".") {
				return fmt.Errorf("%w: it holds %s", ErrForeign, name)
			}
		}
	}
	if err != nil {
		return err
	}
	there := &Directory{Path: t.To}
	if err := there.readFormat(); err == nil && there.Instance != instance {
		return fmt.Errorf("%w: %s", ErrOtherInstance, there.Instance)
	}
	return nil
}

// isInside tells whether a path, whose last part may not be there yet, is a
// directory or in it.
func isInside(path, dir string) (bool, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return false, err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	} else if parent, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(parent, filepath.Base(path))
	}
	if dir, err = filepath.Abs(dir); err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return false, err
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel), nil
}

// Restore makes a data directory, which must be new or empty, of a backup, and
// verifies all of it. It gives what the backup said of itself. Whether the
// original went on after that the directory can't know: see [RestartLog].
func Restore(ctx context.Context, t Transfer) (*Backup, error) {
	b, err := t.restore(ctx)
	if err != nil {
		return nil, fmt.Errorf("restore %s to %s: %w", t.From, t.To, err)
	}
	return b, nil
}

func (t *Transfer) restore(ctx context.Context) (*Backup, error) {
	b := &Backup{}
	text, err := os.ReadFile(filepath.Join(t.From, backupFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(t.From); err != nil {
			return nil, err
		}
		return nil, ErrNoBackup
	}
	if err == nil {
		err = json.Unmarshal(text, b)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNoBackup, backupFile, err)
	}
	from := &Directory{Path: t.From}
	if err := from.readFormat(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoBackup, err)
	}
	if from.Instance != b.Instance {
		return nil, fmt.Errorf("%w: %s says %s, %s says %s", ErrNoBackup, backupFile, b.Instance, formatFile, from.Instance)
	}
	entries, err := os.ReadDir(t.To)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, ErrNotEmpty
	}
	got, err := t.carry(ctx, from)
	if err != nil {
		return nil, err
	}
	if lost := b.lacksMore(got); len(lost) > 0 || got.Entries < b.Entries {
		return nil, fmt.Errorf("%w: it has %d log entries of %d; damaged: %s", ErrNoBackup, got.Entries, b.Entries, cmp.Or(strings.Join(lost, "; "), "nothing"))
	}
	return b, t.copyFile(formatFile, formatFile, 0o600)
}

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

// copyBlobs adds the blobs that are not there, and hashes all.
func (t *Transfer) copyBlobs(ctx context.Context, b *Backup) error {
	to, err := blobstore.Open(filepath.Join(t.To, blobsDir))
	if err != nil {
		return err
	}
	defer to.Close()
	root := filepath.Join(t.From, blobsDir, "sha256")
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != root { // it was collected meanwhile
			return nil
		}
		if err != nil || entry.IsDir() {
			return err
		}
		ref, err := blobstore.ParseRef(entry.Name())
		if err != nil {
			return nil
		}
		return t.copyBlob(ctx, to, path, ref, b)
	})
}

func (t *Transfer) copyBlob(ctx context.Context, to *blobstore.Store, path string, ref blobstore.Ref, b *Backup) error {
	there, err := to.Has(ref)
	if err != nil {
		return err
	}
	if there && to.Verify(ctx, ref) == nil {
		return t.count(path, b)
	}
	source, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer source.Close()
	w, err := to.Create(ctx, 1<<62)
	if err != nil {
		return err
	}
	defer w.Abort()
	hash := sha256.New()
	if _, err := io.CopyBuffer(io.MultiWriter(&reporting{w, t.Progress}, hash), source, make([]byte, 256<<10)); err != nil {
		return err
	}
	if got := blobstore.Ref(hash.Sum(nil)); got != ref {
		b.note("blob "+ref.String(), fmt.Errorf("its content has the digest %s", got))
		return nil
	}
	if _, _, err := w.Commit(); err != nil {
		return err
	}
	b.Copied++
	return t.count(path, b)
}

func (t *Transfer) count(path string, b *Backup) error {
	info, err := os.Stat(path)
	if err == nil {
		b.Blobs++
		b.Bytes += info.Size()
	}
	return nil
}

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
