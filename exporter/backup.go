package exporter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"licensekit/exporter/durable"
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
