package metadb

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// A tool reads the meta pages, and the rest of the file only after many more
// commits. What its tree needs must still be as it was.
func TestTreeThatACopierReadsIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, unprotected := range []bool{false, true} {
		db := newDB(t, Options{NoSync: true, Unprotected: unprotected})
		random, spoilt := rand.New(rand.NewPCG(1, 2)), 0
		for range 10 {
			churn(t, db, random, 30)
			began := read(t, db)
			churn(t, db, random, 1+random.IntN(100))
			if changedPages(t, began, read(t, db)) > 0 {
				spoilt++
			}
		}
		if (spoilt > 0) != unprotected {
			t.Errorf("copies whose tree was written over, protection off %v: got %d of 10", unprotected, spoilt)
		}
	}
}

// churn makes commits that replace, add and remove.
func churn(t *testing.T, db *DB, random *rand.Rand, commits int) {
	t.Helper()
	for range commits {
		err := db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte("b"))
			for range 5 {
				key := fmt.Appendf(nil, "key %d", random.IntN(5000))
				if random.IntN(4) == 0 {
					if err := b.Delete(key); err != nil {
						return err
					}
				}
				if err := b.Put(key, bytes.Repeat([]byte{byte(random.Int())}, random.IntN(400))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, db *DB) []byte {
	t.Helper()
	content := make([]byte, db.now.used()) // behind it there are holes
	if _, err := db.now.file.ReadAt(content, 0); err != nil {
		t.Fatal(err)
	}
	return content
}

// changedPages counts the pages of the newest tree of a file's earlier content
// that are not the same in its later content.
func changedPages(t *testing.T, earlier, later []byte) (changed int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "earlier.db")
	if err := os.WriteFile(path, earlier, 0o600); err != nil {
		t.Fatal(err)
	}
	// Read-only, so that the free list is what the tree leaves over.
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		size := db.Info().PageSize
		for id := 2; ; id++ {
			page, err := tx.Page(id)
			if page == nil || err != nil {
				return err
			}
			if page.Type != "free" && !bytes.Equal(earlier[id*size:(id+1)*size], later[id*size:(id+1)*size]) {
				changed++
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// What was replaced longer ago than the window is used again, so that the file
// stops growing.
func TestPagesAreUsedAgainAfterTheWindow(t *testing.T) {
	t.Parallel()
	db := newDB(t, Options{NoSync: true, Window: time.Millisecond})
	random := rand.New(rand.NewPCG(3, 4))
	var early Usage
	for i := range 30 {
		churn(t, db, random, 100)
		time.Sleep(2 * time.Millisecond)
		if i == 9 {
			early = usageOf(t, db)
		}
	}
	late := usageOf(t, db)
	if used := func(u Usage) int64 { return u.Live + u.Free + u.Held }; used(late) > 2*used(early) {
		t.Errorf("used after 3,000 commits: got %+v, want at most twice what it was after 1,000: %+v", late, early)
	}
}

func usageOf(t *testing.T, db *DB) Usage {
	t.Helper()
	u, err := db.Usage()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// The file is as long as its tree needs before the tree is written.
func TestFileIsLongEnoughBeforehand(t *testing.T) {
	t.Parallel()
	db := newDB(t, Options{NoSync: true})
	for i := range 24 {
		before, err := os.Stat(db.now.file.Name())
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("b")).Put(fmt.Append(nil, i), make([]byte, 2<<20))
		})
		if err != nil {
			t.Fatal(err)
		}
		if used := db.now.used(); used > before.Size() {
			t.Errorf("commit %d: the tree takes %d bytes, and the file had %d before it", i, used, before.Size())
		}
	}
}

func TestGap(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		held, live int64
		want       time.Duration
	}{
		{0, 0, 0}, {burst, 0, 0}, {burst + (budget-burst)/2, 0, longest / 2}, {budget, 0, longest},
		{budget + (budget - burst), 0, 2 * longest}, {budget, 4 * budget, longest * (budget - burst) / (4*budget - burst)},
	} {
		if got := gap(Usage{Held: test.held, Live: test.live}); got.Round(time.Millisecond) != test.want.Round(time.Millisecond) {
			t.Errorf("gap with %d held and %d live: got %v, want %v", test.held, test.live, got, test.want)
		}
	}
}
