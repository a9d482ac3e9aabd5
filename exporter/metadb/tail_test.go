package metadb

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// reader is a tool that reads the file of a database from front to end, up to
// the size that it had at the beginning.
type reader struct {
	db   *DB
	size int64
	read []byte
}

func newReader(t *testing.T, db *DB) *reader {
	t.Helper()
	info, err := db.now.file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return &reader{db: db, size: info.Size()}
}

func (r *reader) upTo(t *testing.T, end int64) {
	t.Helper()
	part := make([]byte, end-int64(len(r.read)))
	if _, err := r.db.now.file.ReadAt(part, int64(len(r.read))); err != nil {
		t.Fatal(err)
	}
	r.read = append(r.read, part...)
}

// inTime opens what was read.
func (r *reader) inTime(t *testing.T) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), File)
	if err := os.WriteFile(path, r.read, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return db.View(ReadInTime)
}

var metaPages = int64(2 * os.Getpagesize())

// A file that was read for longer than the window says so, and one that was
// read within it doesn't, also across the file's growth.
func TestTailTellsHowLongAFileWasRead(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		window := time.Hour
		if late {
			window = time.Millisecond
		}
		for _, grows := range []bool{false, true} {
			db := newDB(t, Options{NoSync: true, Window: window})
			random := rand.New(rand.NewPCG(1, 2))
			churn(t, db, random, 30)
			r := newReader(t, db)
			r.upTo(t, metaPages)
			for range 20 {
				churn(t, db, random, 1)
				if late {
					time.Sleep(2 * window)
				}
			}
			if grows {
				grow(t, db)
			}
			r.upTo(t, r.size)
			if err := r.inTime(t); errors.Is(err, ErrLate) != late || err != nil && !late {
				t.Errorf("late %t, the file grew %t: got %v", late, grows, err)
			}
		}
	}
}

// A tool that looked at the file's size before it grew is told too, whoever made
// it longer, and though nothing had been let go of at that size.
func TestTailIsAtEarlierEnds(t *testing.T) {
	t.Parallel()
	db := newDB(t, Options{NoSync: true, Window: time.Hour})
	r := newReader(t, db) // of the size that bbolt has made it
	r.upTo(t, metaPages)
	grow(t, db)
	if used := db.now.used(); r.size <= used {
		t.Fatalf("the tree takes %d bytes; want less than the %d that the tool reads", used, r.size)
	}
	db.pins.window = time.Millisecond
	time.Sleep(2 * db.pins.window)
	if err := db.Update(put(1)); err != nil {
		t.Fatal(err)
	}
	r.upTo(t, r.size)
	if err := r.inTime(t); !errors.Is(err, ErrLate) {
		t.Errorf("got %v, want %v", err, ErrLate)
	}
}

// grow makes the file longer.
func grow(t *testing.T, db *DB) {
	t.Helper()
	before := newReader(t, db).size
	for n := 0; newReader(t, db).size == before; n++ {
		if n == 100 {
			t.Fatalf("the file still has %d bytes", before)
		}
		if err := db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("b")).Put(fmt.Appendf(nil, "large %d", n), bytes.Repeat([]byte{1}, 1<<20))
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// Only what we have written is taken for a tail.
func TestParseTail(t *testing.T) {
	t.Parallel()
	sound := makeTail(1 << 40)
	if got, ok := parseTail(sound); !ok || got != 1<<40 {
		t.Errorf("got %d, %t; want %d", got, ok, 1<<40)
	}
	for i := range sound {
		bad := bytes.Clone(sound)
		bad[i] ^= 1
		if got, ok := parseTail(bad); ok {
			t.Errorf("byte %d changed: got %d, want no tail", i, got)
		}
		if got, ok := parseTail(sound[:i]); ok {
			t.Errorf("%d bytes: got %d, want no tail", i, got)
		}
	}
	if _, ok := parseTail(append(sound, 0)); ok {
		t.Error("a byte more: got a tail")
	}
}

// A tail that can't be written is no reason to say that nothing was let go of.
func TestNothingIsReleasedUntold(t *testing.T) {
	t.Parallel()
	db := newDB(t, Options{NoSync: true, Window: time.Millisecond})
	random := rand.New(rand.NewPCG(1, 2))
	churn(t, db, random, 3)
	time.Sleep(5 * time.Millisecond)
	held, file := len(db.pins.held), db.now.file
	closed, err := os.Open(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	db.now.file = closed
	db.expire(time.Now())
	if got := len(db.pins.held); got != held {
		t.Errorf("without a tail: got %d trees held, want all %d", got, held)
	}
	db.now.file = file
	db.expire(time.Now())
	if got := len(db.pins.held); got >= held {
		t.Errorf("with a tail: got %d trees held, want fewer than %d", got, held)
	}
}
