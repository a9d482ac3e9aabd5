package sealed

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

const bucket = "things"

type thing struct {
	Name  string
	Count int64
}

// newDB opens a database with the bucket in it.
func newDB(t *testing.T) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	update(t, db, func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte(bucket)); return err })
	return db
}

func update(t *testing.T, db *bbolt.DB, fn func(*bbolt.Tx) error) {
	t.Helper()
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func get(db *bbolt.DB, key string) (got thing, err error) {
	err = db.View(func(tx *bbolt.Tx) error {
		got, err = Get[thing](tx, bucket, key)
		return err
	})
	return got, err
}

func TestPutAndGet(t *testing.T) {
	db := newDB(t)
	for _, want := range []thing{{"", 0}, {"é😀\x00\"", -1}, {strings.Repeat("x", 10_000), 1 << 53}} {
		update(t, db, func(tx *bbolt.Tx) error { return Put(tx, bucket, "k", want) })
		if got, err := get(db, "k"); err != nil || got != want {
			t.Errorf("get: got %+v, %v; want %+v", got, err, want)
		}
	}
}

func TestGetErrors(t *testing.T) {
	db := newDB(t)
	if _, err := get(db, "nobody"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key that is not there: got %v, want fs.ErrNotExist", err)
	}
	update(t, db, func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		return errors.Join(b.Put([]byte("short"), []byte{1, 2, 3}), b.Put([]byte("raw"), []byte(`{"Name":"x"}`)),
			b.Put([]byte("list"), Seal([]byte(`[1]`))))
	})
	for _, key := range []string{"short", "raw"} {
		if _, err := get(db, key); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), bucket) {
			t.Errorf("%s: got %v, want ErrDamaged that names key and bucket", key, err)
		}
	}
	if _, err := get(db, "list"); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("a whole value of another type: got %v, want an error that is not ErrDamaged", err)
	}
}

// A bucket is listed by number; what is damaged has a key all the same.
func TestListAndKeys(t *testing.T) {
	db := newDB(t)
	list := func() ([]thing, error) {
		read := func(tx *bbolt.Tx, key string) (thing, error) { return Get[thing](tx, bucket, key) }
		return List(db, bucket, read, func(x thing) int64 { return x.Count })
	}
	if got, err := list(); err != nil || len(got) > 0 {
		t.Errorf("an empty bucket: got %v, %v; want nothing", got, err)
	}
	update(t, db, func(tx *bbolt.Tx) error {
		return errors.Join(Put(tx, bucket, "a", thing{"second", 2}), Put(tx, bucket, "b", thing{"first", 1}), Put(tx, bucket, "c", thing{"third", 3}))
	})
	if got, err := list(); err != nil || !slices.Equal(got, []thing{{"first", 1}, {"second", 2}, {"third", 3}}) {
		t.Errorf("got %v, %v; want the three by number", got, err)
	}
	update(t, db, func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put([]byte("b"), []byte("rotten")) })
	if got, err := list(); !errors.Is(err, ErrDamaged) {
		t.Errorf("with a damaged one: got %v, %v; want %v", got, err, ErrDamaged)
	}
	update(t, db, func(tx *bbolt.Tx) error {
		if got := Keys(tx, bucket); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("keys: got %q, want all three", got)
		}
		return nil
	})
}

func TestPutErrors(t *testing.T) {
	db := newDB(t)
	err := db.Update(func(tx *bbolt.Tx) error { return Put(tx, bucket, "func", func() {}) })
	if err == nil || !strings.Contains(err.Error(), "func") {
		t.Errorf("what JSON can't hold: got %v, want an error", err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return Put(tx, bucket, "", thing{}) })
	if err == nil || !strings.Contains(err.Error(), bucket) {
		t.Errorf("an empty key: got %v, want an error that names the bucket", err)
	}
}

// Every bit counts, and so does every byte that is missing or added.
func TestDamageIsSeen(t *testing.T) {
	text := []byte(`{"Name":"a right","Count":7}`)
	whole := Seal(text)
	if got, err := Open(whole); err != nil || !bytes.Equal(got, text) {
		t.Fatalf("open what was sealed: got %q, %v; want %q", got, err, text)
	}
	for bit := range 8 * len(whole) {
		bad := bytes.Clone(whole)
		bad[bit/8] ^= 1 << (bit % 8)
		if got, err := Open(bad); !errors.Is(err, ErrDamaged) {
			t.Errorf("bit %d flipped: got %q, %v; want ErrDamaged", bit, got, err)
		}
	}
	for size := range len(whole) {
		if got, err := Open(whole[:size]); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d bytes: got %q, %v; want ErrDamaged", size, got, err)
		}
	}
	if got, err := Open(append(bytes.Clone(whole), ' ')); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte more: got %q, %v; want ErrDamaged", got, err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte{})
	f.Add(Seal([]byte("text")))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := Open(data)
		if err == nil && !bytes.Equal(Seal(text), data) {
			t.Errorf("%x opens as %q, which is sealed as %x", data, text, Seal(text))
		}
	})
}
