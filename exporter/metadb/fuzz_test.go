package metadb

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// What is taken for a tail is one that was written so.
func FuzzParseTail(f *testing.F) {
	f.Add([]byte{})
	f.Add(makeTail(0))
	f.Add(makeTail(1 << 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		if released, ok := parseTail(data); ok && !bytes.Equal(makeTail(released), data) {
			t.Errorf("%x is a tail of %d, which is %x", data, released, makeTail(released))
		}
	})
}

// A name of a snapshot is the one that it would be given.
func FuzzParseSnapshot(f *testing.F) {
	f.Add("meta-0000000000000012-20260102T030405Z.db")
	f.Add("meta-+000000000000012-20260102T030405Z.db.db")
	h := &Home{Dir: "data"}
	f.Fuzz(func(t *testing.T, name string) {
		s, ok := h.parseSnapshot(name)
		if want := filepath.Join(h.snapshotsPath(), name); ok && (s.path != want || s.path != h.snapshotPath(s.transaction, s.taken)) {
			t.Errorf("%q is that of %+v; want path %q", name, s, want)
		}
	})
}

// Whatever a file holds where its meta pages should be, the newest of them is
// taken away and nothing else, or there is none. The process that does it is not
// one that may crash.
func FuzzWithoutNewest(f *testing.F) {
	path := filepath.Join(f.TempDir(), File)
	if err := Create(path); err != nil {
		f.Fatal(err)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	page := os.Getpagesize()
	f.Add(sound[:100], sound[page:page+100], len(sound))
	f.Add([]byte{}, []byte{}, 0)
	f.Add([]byte{1}, sound[page:page+100], 2*page)
	f.Add(sound[:100], []byte{1}, page)
	f.Fuzz(func(t *testing.T, first, second []byte, size int) {
		before := bytes.Clone(sound)
		copy(before[:page], first)
		copy(before[page:2*page], second)
		before = before[:max(0, min(size, len(before)))]
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
		newest := numberOf(path)
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		err = withoutNewest(file)
		if errors.Is(err, ErrDamaged) != (newest < 0) || err != nil && newest >= 0 {
			t.Fatalf("of a file whose newest transaction is %d: got %v", newest, err)
		}
		after, readErr := os.ReadFile(path)
		if readErr != nil {
			t.Fatal(readErr)
		}
		want := bytes.Clone(before)
		if err == nil {
			clear(want[newest%2*page:][:page])
		}
		if !bytes.Equal(after, want) {
			t.Errorf("transaction %d taken away: got another file than without its page", newest)
		}
	})
}

// numberOf is the newest transaction of a file, -1 if it can't be opened.
func numberOf(path string) (number int) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockWait})
	if err != nil {
		return -1
	}
	defer db.Close()
	_ = db.View(func(tx *bbolt.Tx) error { number = tx.ID(); return nil })
	return number
}
