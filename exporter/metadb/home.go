package metadb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"licensekit/exporter/durable"
)

// The entries of a data directory that belong to this package.
const (
	File         = "meta.db"
	Snapshots    = "snapshots"         // earlier states to fall back on
	placeFile    = "meta.db.place"     // which file meta.db is; see [place]
	damaged      = "meta.db.damaged-"  // and a time: what was no good, kept aside
	recoveryFile = "meta.db.recovered" // the last [Recovery]
)

// Home is where a data directory keeps its database. Whoever opens it holds the
// directory's lock.
type Home struct {
	Dir    string // the data directory
	Tmp    string // for what is unfinished, in the same file system
	Stable string // a file of the directory that never changes; it is told from a copy too
	Log    *slog.Logger
	// Moved, if not nil, is called once for a database that was not left in this
	// place: a copy, most likely, and before it is taken for anything else. inUse
	// tells whether a process had it open when it was copied.
	Moved func(inUse bool) error

	// Inspect looks through the database in a file that may be damaged in any
	// way, so that reading it may crash or never end; it must do so in another
	// process. thorough asks for every value. An error that wraps [ErrDamaged]
	// says that the file is no good, any other that it could not be told.
	Inspect func(ctx context.Context, path string, thorough bool) (Contents, error)
}

// ErrDamaged says that a file is no database that can be used.
var ErrDamaged = errors.New("the database is damaged")

// Contents are what was found in a good database.
type Contents struct {
	Transaction int64 `json:"transaction"` // the number of the newest one
	Activities  int64 `json:"activities"`  // the ledger's highest sequence
	Exports     int64 `json:"exports"`
}

func (h *Home) path() string { return filepath.Join(h.Dir, File) }

// Exists tells whether there is a database, or at least a snapshot of one.
func (h *Home) Exists() (bool, error) {
	if _, err := os.Stat(h.path()); !errors.Is(err, fs.ErrNotExist) {
		return err == nil, err
	}
	list, err := h.snapshots()
	return len(list) > 0, err
}

// Create makes an empty database where there is none.
func (h *Home) Create() error {
	err := durable.Create(h.path(), h.Tmp, func(f *os.File) error { return Create(f.Name()) })
	if err != nil {
		return err
	}
	return h.leave()
}

// CreateAnew makes an empty database in the place of one that is no good, which
// is kept aside, and tells whether it had to. What can be recovered is.
func (h *Home) CreateAnew(ctx context.Context) (made bool, err error) {
	if _, err := h.examine(ctx); !errors.Is(err, ErrDamaged) {
		return false, err
	}
	r := newRecovery(ErrDamaged)
	if err := h.keepAside(r); err != nil {
		return false, err
	}
	if err := os.Remove(h.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, h.Create()
}

// Open opens the database. A file that is not as the last process left it is
// inspected before anything reads it, and one that is no good is replaced by
// the best that the directory holds, see [DB.Recovery]. Errors: [ErrDamaged]
// where there is nothing good.
func (h *Home) Open(ctx context.Context, options Options) (*DB, error) {
	if err := h.unlink(); err != nil {
		return nil, err
	}
	recovery, err := h.examine(ctx)
	if err != nil {
		return nil, err
	}
	db, err := Open(h.path(), options)
	if err != nil {
		return nil, err
	}
	db.home, db.recovery, db.renewed = h, recovery, db.pins == nil
	return db, nil
}

// examine decides whether the file is to be trusted, and sees to it that one is
// there that can be.
func (h *Home) examine(ctx context.Context) (*Recovery, error) {
	found, inUse := h.find()
	if found == untouched {
		return nil, h.enter()
	}
	if found == moved && h.Moved != nil {
		if err := h.Moved(inUse); err != nil {
			return nil, err
		}
	}
	recovery, err := h.orRecover(ctx, found)
	if err != nil {
		return nil, err
	}
	return recovery, h.enter()
}

// orRecover inspects the file, a copy of another one to its last value: what a
// crash leaves hangs together, while a copy may be of several states.
func (h *Home) orRecover(ctx context.Context, found state) (*Recovery, error) {
	_, err := os.Stat(h.path())
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: it is missing", ErrDamaged)
	}
	if err == nil {
		_, err = h.Inspect(ctx, h.path(), found == moved)
	}
	if err == nil || !errors.Is(err, ErrDamaged) {
		return nil, err
	}
	return h.recover(ctx, err)
}
