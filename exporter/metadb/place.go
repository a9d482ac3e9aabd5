package metadb

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"licensekit/exporter/durable"
)

// place says which files meta.db and the directory's stable file are. A copy of
// the directory carries it along, and is other files.
type place struct {
	Database file `json:"database"`
	Stable   file `json:"stable"`
}

// file tells a file from its copies.
type file struct {
	Identity string `json:"identity"` // inode and birth, or what else the system has; "" if it has nothing
	Changed  int64  `json:"changed"`  // by the system's clock, which no tool sets; of the database 0 while it is open
	Size     int64  `json:"size"`     // 0 likewise
}

// state is what the place says of meta.db.
type state int

const (
	moved     state = iota // it is a copy, or the place is missing
	unclosed               // it is the same file, and the last process came to no end
	untouched              // nobody has written to it since the last process closed it
)

// find compares the files with what is noted of them, and tells whether that
// was noted by a process which came to no end. What can't be read is no error:
// the database is inspected then.
func (h *Home) find() (found state, inUse bool) {
	var noted place
	text, err := os.ReadFile(filepath.Join(h.Dir, placeFile))
	if err == nil {
		err = json.Unmarshal(text, &noted)
	}
	database, databaseErr := identify(h.path())
	stable, stableErr := identify(h.Stable)
	inUse = err == nil && noted.Database.Size == 0
	if errors.Join(err, databaseErr, stableErr) != nil || noted.Stable != stable || noted.Database.Identity != database.Identity {
		return moved, inUse
	}
	if noted.Database == database {
		return untouched, false
	}
	if database.Identity == "" {
		return moved, inUse
	}
	return unclosed, inUse
}

// enter notes the place of a database that is good, before it is written to.
func (h *Home) enter() error { return h.note(true) }

// leave notes how the database is left.
func (h *Home) leave() error { return h.note(false) }

func (h *Home) note(open bool) error {
	database, err := identify(h.path())
	if err != nil {
		return err
	}
	stable, err := identify(h.Stable)
	if err != nil {
		return err
	}
	if open {
		database.Changed, database.Size = 0, 0
	}
	text, err := json.Marshal(place{database, stable})
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(h.Dir, placeFile), h.Tmp, durable.Content(append(text, '\n')))
}
