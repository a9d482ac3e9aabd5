package metadb

import "go.etcd.io/bbolt"

// Usage is the room that the database takes, in bytes.
type Usage struct {
	File int64 // the file's length, which it has in part as holes
	Live int64 // pages of the newest tree
	Free int64 // pages to be used again
	Held int64 // pages of older trees, kept for copies that are being taken
}

// Usage tells how the file is used.
func (db *DB) Usage() (u Usage, err error) {
	h := db.enter()
	defer db.exit(h)
	err = h.bolt.View(func(tx *bbolt.Tx) error {
		u = h.usage(tx.Size())
		info, err := h.file.Stat()
		if err == nil {
			u.File = info.Size()
		}
		return err
	})
	return u, err
}

// usage is told how many bytes of the file have ever been used.
func (h *handle) usage(used int64) Usage {
	stats, page := h.bolt.Stats(), int64(h.bolt.Info().PageSize)
	u := Usage{Free: int64(stats.FreePageN) * page, Held: int64(stats.PendingPageN) * page}
	u.Live = used - u.Free - u.Held
	return u
}

// used is how many bytes of the file have ever been used.
func (h *handle) used() (bytes int64) {
	h.bolt.View(func(tx *bbolt.Tx) error { bytes = tx.Size(); return nil })
	return bytes
}
