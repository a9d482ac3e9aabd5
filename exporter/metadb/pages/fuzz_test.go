package pages

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"go.etcd.io/bbolt"
)

// Whatever the pages of a file say, looking at them comes to an end; and where
// they are found sound, bbolt reads all of the tree. The input is what is changed
// of a sound file: places, of two bytes, with a byte for each.
func FuzzCheck(f *testing.F) {
	f.Add([]byte{})
	sound, tree := newFile(f)
	path := filepath.Join(f.TempDir(), "changed")
	body := firstPage * pageSize // the meta pages have checksums
	f.Fuzz(func(t *testing.T, changes []byte) {
		file := bytes.Clone(sound)
		for ; len(changes) >= 3; changes = changes[3:] {
			file[body+int(binary.BigEndian.Uint16(changes))%(len(file)-body)] = changes[2]
		}
		err := check(file, tree)
		if err != nil {
			if bytes.Equal(file, sound) {
				t.Errorf("nothing changed: got %v, want no error", err)
			}
			return
		}
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		readAll(t, path)
	})
}

// readAll has bbolt read a database to its last value.
func readAll(t *testing.T, path string) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // or there would be no telling which it was
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	sum := 0
	var bucket func(b *bbolt.Bucket) error
	bucket = func(b *bbolt.Bucket) error {
		c := b.Cursor()
		for key, value := c.First(); key != nil; key, value = c.Next() {
			for _, b := range [][]byte{key, value} {
				for _, x := range b {
					sum += int(x)
				}
			}
			if value == nil {
				if inner := b.Bucket(key); inner != nil {
					if err := bucket(inner); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
	if err := db.View(func(tx *bbolt.Tx) error { return bucket(tx.Cursor().Bucket()) }); err != nil || sum == 0 {
		t.Errorf("got %v and a sum of %d, want all of it read", err, sum)
	}
}
