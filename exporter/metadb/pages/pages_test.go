package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Whatever bbolt writes is sound, after each of many changes.
func TestWhatBoltWritesIsSound(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	db := openDB(t, path)
	defer func() { db.Close() }()
	random := rand.New(rand.NewPCG(1, 2))
	if err := checkFile(t, db, path); err != nil {
		t.Fatalf("nothing in it: got %v, want no error", err)
	}
	for n := range 300 {
		if err := db.Update(func(tx *bbolt.Tx) error { return change(tx, random) }); err != nil {
			t.Fatal(err)
		}
		if n%100 == 99 { // what is free is found anew
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = openDB(t, path)
		}
		if err := checkFile(t, db, path); err != nil {
			t.Fatalf("after %d changes: got %v, want no error", n+1, err)
		}
	}
}

func checkFile(t *testing.T, db *bbolt.DB, path string) (err error) {
	t.Helper()
	tree := newestTree(t, db)
	f, size := openFile(t, path)
	defer f.Close()
	return Check(f, size, tree)
}

// change puts and deletes a few things in some bucket, which may be gone after
// that, or have others in it.
func change(tx *bbolt.Tx, random *rand.Rand) error {
	n := random.IntN(12)
	name := fmt.Append(nil, "bucket ", n)
	if n > 0 && random.IntN(20) == 0 {
		err := tx.DeleteBucket(name)
		if errors.Is(err, bolterrors.ErrBucketNotFound) {
			err = nil
		}
		return err
	}
	b, err := tx.CreateBucketIfNotExists(name)
	for err == nil && random.IntN(4) == 0 {
		b, err = b.CreateBucketIfNotExists(fmt.Append(nil, "in ", random.IntN(3)))
	}
	if err != nil {
		return err
	}
	if random.IntN(10) == 0 {
		return deleteAll(b)
	}
	size := 1 << random.IntN(12)
	for range 1 + random.IntN(60) {
		key := fmt.Append(nil, "key ", strings.Repeat("0", random.IntN(40)), random.IntN(400))
		if random.IntN(3) == 0 {
			err = b.Delete(key)
		} else {
			err = b.Put(key, make([]byte, random.IntN(size)))
		}
		if err != nil {
			return err
		}
	}
	_, err = b.NextSequence()
	return err
}

func deleteAll(b *bbolt.Bucket) error {
	var keys [][]byte
	err := b.ForEach(func(key, value []byte) error {
		if value != nil {
			keys = append(keys, bytes.Clone(key))
		}
		return nil
	})
	for _, key := range keys {
		err = errors.Join(err, b.Delete(key))
	}
	return err
}

// A bit that flips in a number of any page is seen, and so is a file that ends
// too soon.
func TestDamage(t *testing.T) {
	t.Parallel()
	file, tree := newFile(t)
	if err := check(file, tree); err != nil {
		t.Fatalf("as it was written: got %v, want no error", err)
	}
	numbers := 0
	for id := int64(firstPage); id < tree.InUse; id++ {
		if id%5 > 0 && id < tree.InUse*2/3 { // most of these are alike
			continue
		}
		at := id * pageSize
		h, err := (&walk{file: bytes.NewReader(file)}).header(at)
		if err != nil || h.id != id || h.flags != branch && h.flags != leaf { // of no page of the tree
			continue
		}
		last := headerSize + (h.count-1)*elementSize
		for bit := range 8 * (headerSize + h.count*elementSize) {
			flag := h.flags == leaf && id != tree.Root && bit >= 8*headerSize && (bit-8*headerSize)%(8*elementSize) == 0
			if lengths := bit/8 >= last+4 && !(h.flags == branch && bit/8 >= last+8); lengths || flag { // see the package's doc
				continue
			}
			numbers++
			bad := bytes.Clone(file)
			bad[at+int64(bit/8)] ^= 1 << (bit % 8)
			if err := check(bad, tree); err == nil {
				t.Errorf("page %d, bit %d of byte %d: got no error, want one", id, bit%8, bit/8)
			}
		}
	}
	if numbers < 1_000 {
		t.Errorf("got %d bits of numbers, want many", numbers)
	}
	for size := 0; size < len(file); size += 1 + size%100 {
		if err := check(file[:size], tree); err == nil {
			t.Errorf("the first %d bytes: got no error, want one", size)
		}
	}
}

// What would have bbolt run for ever, or take all memory, is named.
func TestRefusals(t *testing.T) {
	t.Parallel()
	file, tree := newFile(t)
	root := file[tree.Root*pageSize:][:pageSize]
	for name, test := range map[string]struct {
		change func(page []byte)
		want   string
	}{
		"a branch that leads to itself": {func(page []byte) {
			binary.NativeEndian.PutUint16(page[8:], branch)
			binary.NativeEndian.PutUint64(page[headerSize+8:], uint64(tree.Root))
			fixed := headerSize + elementSize
			binary.NativeEndian.PutUint16(page[10:], 1)
			binary.NativeEndian.PutUint32(page[headerSize:], uint32(fixed-headerSize))
			binary.NativeEndian.PutUint32(page[headerSize+4:], 1)
		}, "reached twice"},
		"a page of four billion":     {func(page []byte) { binary.NativeEndian.PutUint32(page[12:], 1<<32-1) }, "not within bounds"},
		"another page":               {func(page []byte) { binary.NativeEndian.PutUint64(page, 1<<63) }, "it says that it is page"},
		"more elements than fit":     {func(page []byte) { binary.NativeEndian.PutUint16(page[10:], 1<<16-1) }, "do not fit"},
		"fewer elements":             {func(page []byte) { binary.NativeEndian.PutUint16(page[10:], 2) }, "element 0 is at"},
		"a top bucket that is none":  {func(page []byte) { page[headerSize] = 0 }, "it is no bucket, at the top"},
		"a bucket of no page at all": {func(page []byte) { page[bytes.Index(page, []byte("deep"))+4+7] = 0xff }, "not within bounds"},
	} {
		bad := bytes.Clone(file)
		test.change(bad[tree.Root*pageSize:][:pageSize])
		if err := check(bad, tree); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, test.want)
		}
	}
	if bytes.Count(root, []byte("deep")) != 1 {
		t.Errorf("got a root of %q, want the names of buckets in it", root)
	}
	for name, other := range map[string]Tree{
		"no pages":      {PageSize: pageSize, Root: tree.Root},
		"no size":       {InUse: tree.InUse, Root: tree.Root},
		"a meta page":   {PageSize: pageSize, InUse: tree.InUse, Root: 1},
		"a root beyond": {PageSize: pageSize, InUse: tree.InUse, Root: tree.InUse},
		"one page less": {PageSize: pageSize, InUse: tree.InUse - 1, Root: tree.Root},
	} {
		if err := check(file, other); err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
	broken := errors.New("the disk is broken")
	if err := Check(readerAt(func([]byte, int64) (int, error) { return 0, broken }), int64(len(file)), tree); !errors.Is(err, broken) {
		t.Errorf("a file that can't be read: got %v, want %v", err, broken)
	}
}

// A page that leads to more pages than there are is named before they are
// gathered: memory follows the pages, not what they say.
func TestWhatIsGatheredIsBounded(t *testing.T) {
	t.Parallel()
	const root, children = firstPage, 40
	file := make([]byte, 4*pageSize)
	page := file[root*pageSize:]
	binary.NativeEndian.PutUint64(page, root)
	binary.NativeEndian.PutUint16(page[8:], branch)
	binary.NativeEndian.PutUint16(page[10:], children)
	for i := range children {
		element := page[headerSize+i*elementSize:]
		binary.NativeEndian.PutUint32(element, uint32((children-i)*elementSize+i))
		binary.NativeEndian.PutUint32(element[4:], 1)
		binary.NativeEndian.PutUint64(element[8:], 3)
	}
	err := check(file, Tree{PageSize: pageSize, InUse: 4, Root: root})
	if err == nil || !strings.Contains(err.Error(), "more pages are led to") {
		t.Errorf("got %v, want that there are not so many pages", err)
	}
}

type readerAt func(b []byte, at int64) (int, error)

// ReadAt is the function.
func (f readerAt) ReadAt(b []byte, at int64) (int, error) { return f(b, at) }

var _ io.ReaderAt = readerAt(nil)
