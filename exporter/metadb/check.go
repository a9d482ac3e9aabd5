package metadb

import (
	"os"

	"go.etcd.io/bbolt"

	"licensekit/exporter/metadb/pages"
)

// CheckPages looks at the tree of a transaction in the database's file itself, and
// so finds what bbolt's own check stumbles over or passes by: see package pages.
func CheckPages(tx *bbolt.Tx, path string) error {
	f, size, err := openSized(path)
	if err != nil {
		return err
	}
	defer f.Close()
	page := int64(tx.DB().Info().PageSize)
	return pages.Check(f, size, pages.Tree{PageSize: page, InUse: tx.Size() / page, Root: int64(tx.Cursor().Bucket().Root())})
}

// openSized opens a file and gives its size, in bytes.
func openSized(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}
