package pages

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// pageSize is the smallest that bbolt can have, for files of a few KiB.
const pageSize = 1024

func openDB(t testing.TB, path string) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: pageSize, NoFreelistSync: true, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// newestTree is what the file of an open database says of itself.
func newestTree(t testing.TB, db *bbolt.DB) (tree Tree) {
	t.Helper()
	err := db.View(func(tx *bbolt.Tx) error {
		size := int64(db.Info().PageSize)
		tree = Tree{PageSize: size, InUse: tx.Size() / size, Root: int64(tx.Cursor().Bucket().Root())}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// newFile makes a database with pages and buckets of every kind, and gives its
// file, as far as it is in use.
func newFile(t testing.TB) ([]byte, Tree) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db := openDB(t, path)
	defer db.Close()
	err := db.Update(func(tx *bbolt.Tx) error {
		for _, name := range []string{"deep", "empty", "large", "small"} {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		deep, large, small := tx.Bucket([]byte("deep")), tx.Bucket([]byte("large")), tx.Bucket([]byte("small"))
		inner, err := deep.CreateBucket([]byte("inner"))
		for n := 0; n < 150 && err == nil; n++ {
			err = inner.Put(fmt.Appendf(nil, "%040d", n), []byte("value"))
		}
		for n := 0; n < 2 && err == nil; n++ {
			err = large.Put(fmt.Append(nil, n), bytes.Repeat([]byte{byte(n + 1)}, 3*pageSize))
		}
		for n := 0; n < 3 && err == nil; n++ {
			err = small.Put(fmt.Append(nil, n), []byte("value"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	tree := newestTree(t, db)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file = file[:tree.InUse*tree.PageSize]
	w := walk{file: bytes.NewReader(file), Tree: tree, seen: make([]uint64, tree.InUse)}
	if err := w.all(); err != nil {
		t.Fatal(err)
	}
	for id := int64(firstPage); id < tree.InUse; id++ {
		if !w.has(id) { // it is of an older tree
			clear(file[id*pageSize:][:pageSize])
		}
	}
	return file, tree
}

// has tells whether a page was reached.
func (w *walk) has(id int64) bool { return w.seen[id/64]&(1<<(id%64)) != 0 }

// openFile opens a file of which the size is known.
func openFile(t testing.TB, path string) (*os.File, int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return f, info.Size()
}

func check(file []byte, tree Tree) error {
	return Check(bytes.NewReader(file), int64(len(file)), tree)
}
