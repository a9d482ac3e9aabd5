package metadb

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// handle is an open file of the database. There may be older ones than the
// newest, for as long as they are read.
type handle struct {
	bolt *bbolt.DB
	file *os.File // bbolt's own

	readers int  // guarded by DB.handles, as is
	retired bool // whether the last reader is to close it
}

func (db *DB) open(path string) (*handle, error) {
	h := &handle{}
	options := &bbolt.Options{
		Timeout: lockWait, FreelistType: bbolt.FreelistMapType, NoFreelistSync: true, NoSync: db.options.NoSync,
		OpenFile: func(name string, flag int, mode os.FileMode) (file *os.File, err error) {
			h.file, err = os.OpenFile(name, flag, mode)
			return h.file, err
		},
	}
	if runtime.GOOS != "windows" { // where the file would get that long at once
		options.InitialMmapSize, options.MaxSize = mapSize, maxSize
	}
	var err error
	if h.bolt, err = bbolt.Open(path, 0o600, options); errors.Is(err, bolterrors.ErrTimeout) {
		err = ErrLocked
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	h.bolt.AllocSize = growth
	return h, nil
}

// enter gives the newest handle to a reader, who gives it back by exit.
func (db *DB) enter() *handle {
	db.handles.Lock()
	defer db.handles.Unlock()
	db.now.readers++
	return db.now
}

func (db *DB) exit(h *handle) {
	db.handles.Lock()
	h.readers--
	last := h.retired && h.readers == 0
	db.handles.Unlock()
	if last {
		h.bolt.Close()
	}
}

// replace puts a handle in the place of the newest one, whose readers read on.
// It has the turn.
func (db *DB) replace(next *handle) {
	db.handles.Lock()
	old := db.now
	db.now, old.retired = next, true
	last := old.readers == 0
	db.handles.Unlock()
	if last {
		old.bolt.Close()
	}
}
