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
	"time"

	"github.com/gofrs/flock"

	"licensekit/blobstore"
	"licensekit/exporter/metadb"
)

// FormatVersion is the version of the data directory that this program writes
// and reads. It changes when an older program could no longer read it.
const FormatVersion = 1

// The entries of a data directory.
const (
	formatFile   = "licensekit.json" // format version and instance id; never changes
	lockFile     = "lock"
	databaseFile = metadb.File
	blobsDir     = "blobs"
	logDir       = "log"
	keysDir      = "keys"

	witnessesFile = "witnesses"
	copiedFile    = "copied" // see [Copied]
	tmpDir        = "tmp"
)

// The errors of opening a directory that callers give a hint for.
var (
	ErrNewerFormat  = errors.New("the data directory was written by a newer version of the program")
	ErrLocked       = errors.New("another process holds the data directory")
	ErrNoDirectory  = errors.New("there is no data directory")
	ErrLostDatabase = errors.New("the data directory has lost its database")
	ErrForeign      = errors.New("the directory is not empty and is no data directory")
)

// Directory is an opened data directory:
//
//	licensekit.json      format version and instance id
//	lock                 held by the process that has the directory open
//	meta.db*             bbolt: API keys, reporting data, export metadata; see
//	                     package metadb, as of
//	snapshots/           its earlier states
//	blobs/               artifacts and manifests, see package blobstore
//	log/                 the log of exports, see package evidence/tilelog
//	witnesses            the keys of those that cosigned checkpoints; may be missing
//	log.<n>/             logs that were closed by a restart, oldest first
//	keys/                signing keys, 0600
//	copied               what was amiss with this copy of a directory, see [Copied]; may be missing
//	tmp/                 whatever is not finished; emptied when it is opened
//
// One process has it open at a time.
type Directory struct {
	Path     string
	Instance string // "lki_" and 26 characters: which installation this is
	DB       *metadb.DB
	Blobs    *blobstore.Store

	lock   *flock.Flock
	log    *slog.Logger
	copied *Copied // until an exporter has seen to it; nil if the directory is no copy that was just made
}

// lockWait is how long an open waits for another process to let go: long
// enough for a command that is just ending.
const lockWait = time.Second

// OpenDirectory opens a data directory, making it if create says so. The log is
// told what is amiss later on. Errors: [ErrNewerFormat], [ErrLocked],
// [ErrNoDirectory], [ErrForeign], [ErrLostDatabase], [metadb.ErrDamaged].
func OpenDirectory(path string, create bool, log *slog.Logger) (*Directory, error) {
	d := &Directory{Path: path, log: log}
	if err := d.open(create); err != nil {
		return nil, errors.Join(fmt.Errorf("open data directory %s: %w", path, err), d.Close())
	}
	return d, nil
}

func (d *Directory) open(create bool) error {
	err := d.readFormat()
	if errors.Is(err, fs.ErrNotExist) {
		err = d.make(create)
	}
	if err != nil {
		return err
	}
	if err := d.takeLock(); err != nil {
		return err
	}
	if err := d.emptyTmp(); err != nil {
		return err
	}
	if err := d.makeDatabase(); err != nil {
		return err
	}
	d.DB, err = d.home().Open(context.Background(), metadb.Options{})
	if errors.Is(err, metadb.ErrLocked) { // an older version of the program, which knows no other lock
		return ErrLocked
	}
	if err != nil {
		return err
	}
	if d.copied, err = d.readCopied(); err != nil {
		return err
	}
	d.Blobs, err = blobstore.Open(filepath.Join(d.Path, blobsDir))
	return err
}

// Close lets go of the directory.
func (d *Directory) Close() error {
	var errs []error
	if d.DB != nil {
		errs = append(errs, d.DB.Close())
	}
	if d.Blobs != nil {
		errs = append(errs, d.Blobs.Close())
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
	}
	return errors.Join(errs...)
}

// takeLock waits a moment for another process to let go.
func (d *Directory) takeLock() error {
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	d.lock = flock.New(filepath.Join(d.Path, lockFile), flock.SetPermissions(0o600))
	_, err := d.lock.TryLockContext(ctx, lockWait/50)
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrLocked
	}
	return err
}

// home is where the database is.
func (d *Directory) home() *metadb.Home {
	return &metadb.Home{
		Dir: d.Path, Tmp: d.Tmp(), Stable: filepath.Join(d.Path, formatFile), Inspect: inspectApart, Log: d.log,
		Moved: d.noteCopy,
	}
}

// Keys is where the signing keys are, unless they are kept elsewhere.
func (d *Directory) Keys() string { return filepath.Join(d.Path, keysDir) }

// Log is where the log of exports is.
func (d *Directory) Log() string { return filepath.Join(d.Path, logDir) }

// Witnesses is the file of the keys that may cosign the log's checkpoints.
func (d *Directory) Witnesses() string { return filepath.Join(d.Path, witnessesFile) }

// Tmp is where unfinished files go.
func (d *Directory) Tmp() string { return filepath.Join(d.Path, tmpDir) }

// Spool makes a file without a name: nothing is left of it once it is closed.
func (d *Directory) Spool(pattern string) (*os.File, error) { return spool(d.Tmp(), pattern) }

func spool(dir, pattern string) (*os.File, error) {
	file, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

type format struct {
	Version  int    `json:"format_version"`
	Instance string `json:"instance"`
}

func (d *Directory) readFormat() error {
	path := filepath.Join(d.Path, formatFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var f format
	var members map[string]json.RawMessage // by their very names, where format takes others too
	if err := errors.Join(json.Unmarshal(text, &f), json.Unmarshal(text, &members)); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if f.Version > FormatVersion {
		return fmt.Errorf("%w: its format is %d, this program reads up to %d", ErrNewerFormat, f.Version, FormatVersion)
	}
	if f.Version < 1 || f.Instance == "" || members["format_version"] == nil || members["instance"] == nil {
		return fmt.Errorf("read %s: format_version and instance are missing", path)
	}
	d.Instance = f.Instance
	return nil
}

// emptyTmp takes away what was not finished. The directory itself stays: it
// may be a mount of its own.
func (d *Directory) emptyTmp() error {
	if err := os.MkdirAll(d.Tmp(), 0o700); err != nil {
		return err
	}
	leftovers, err := os.ReadDir(d.Tmp())
	for _, leftover := range leftovers {
		err = errors.Join(err, os.RemoveAll(filepath.Join(d.Tmp(), leftover.Name())))
	}
	return err
}
