package exporter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"licensekit/exporter/metadb"
	"licensekit/exporter/report"
)

// Whoever stores sealed values in a bucket, in whichever package, has a check
// read them.
func TestAllSealedBucketsAreChecked(t *testing.T) {
	t.Parallel()
	names, used := map[string]string{}, map[string]bool{} // by directory and identifier
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.ValueSpec:
				for i, value := range n.Values {
					if text, ok := value.(*ast.BasicLit); ok && i < len(n.Names) {
						names[filepath.Dir(path)+" "+n.Names[i].Name], _ = strconv.Unquote(text.Value)
					}
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Put" && len(n.Args) == 4 {
					if of, ok := f.X.(*ast.Ident); ok && of.Name == "sealed" {
						bucket, ok := n.Args[1].(*ast.Ident)
						if !ok {
							t.Errorf("%s: sealed.Put takes its bucket from %T, want a constant", path, n.Args[1])
							return true
						}
						used[filepath.Dir(path)+" "+bucket.Name] = true
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil || len(used) < 10 {
		t.Fatalf("got %d buckets, %v; want ten at least", len(used), err)
	}
	for identifier := range used {
		if name := names[identifier]; !slices.Contains(sealedBuckets, name) {
			t.Errorf("bucket %q (%s) holds sealed values and is not in sealedBuckets", name, identifier)
		}
	}
}

// A tree that reaches beyond the pages in use, if only by one, is no good: the
// next write would write over it.
func TestTreeBeyondItsBounds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), databaseFile)
	if err := metadb.Create(path); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true})
	if err == nil {
		err = db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte("b"))
			if err == nil {
				err = b.Put([]byte("large"), make([]byte, 5*os.Getpagesize()))
			}
			return err
		})
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inspect(path, true); err != nil {
		t.Fatalf("as it was written: got %v", err)
	}
	pages := inUse(t, path, 0)
	if inUse(t, path, pages-1); pages < 8 {
		t.Fatalf("got %d pages, want a long one among them", pages)
	}
	if _, err := inspect(path, false); err == nil || !strings.Contains(err.Error(), "within bounds") {
		t.Errorf("of %d pages the last is out of bounds: got %v", pages, err)
	}
}

// A bit that flips where a page says what it holds: a bucket is none any more,
// further ones are passed over, a page is as long as a million others. The process
// that inspects says so, and says it at once.
func TestDamagedPage(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(3)
	h.freeze(report.UsageLedger, "csv")
	h.stop()
	path := filepath.Join(h.path, databaseFile)
	content := read(t, path)
	root := 0
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err == nil {
		err = db.View(func(tx *bbolt.Tx) error { root = int(tx.Cursor().Bucket().Root()) * db.Info().PageSize; return nil })
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	const count, overflow, flags = 10, 12, 16
	for at, bit := range map[int]byte{count: content[root+count] & -content[root+count], overflow + 2: 1 << 4, flags: 1} {
		bad := filepath.Join(t.TempDir(), databaseFile)
		changed := bytes.Clone(content)
		changed[root+at] ^= bit
		if err := os.WriteFile(bad, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := inspectApart(t.Context(), bad, false); !errors.Is(err, metadb.ErrDamaged) || !strings.Contains(err.Error(), ": page ") || strings.Contains(err.Error(), "crashed") {
			t.Errorf("byte %d of the root: got %v, want %v that names the page", at, err, metadb.ErrDamaged)
		}
	}
}

// A check of a database that is in use finds such a page too.
func TestCheckFindsDamagedPage(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Options{Workers: 1})
	h.fill(300)
	var page int64 // the root of a bucket that nothing is written to meanwhile
	err := h.dir.DB.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
			page = max(page, int64(b.Root())*int64(tx.DB().Info().PageSize))
			return nil
		})
	})
	f, openErr := os.OpenFile(filepath.Join(h.path, databaseFile), os.O_RDWR, 0)
	if err = errors.Join(err, openErr); err != nil || page == 0 {
		t.Fatalf("got a page at %d, %v; want one", page, err)
	}
	defer f.Close()
	const overflow = 12 // which is read by those only who replace the page
	for _, length := range []byte{1, 0} {
		if _, err := f.WriteAt([]byte{0, 0, length}, page+overflow); err != nil {
			t.Fatal(err)
		}
		r, err := h.Check(t.Context())
		if err != nil || r.OK != (length == 0) {
			t.Errorf("a page that is longer by %d times 65536 pages: got %+v, %v; want it found if it is", length, r, err)
		}
		if length > 0 && (len(r.Problems) != 1 || r.Problems[0].What != "database" || !strings.Contains(r.Problems[0].Problem, "not within bounds")) {
			t.Errorf("got %+v, want the page alone", r.Problems)
		}
	}
}

// inUse sets how many pages bbolt's meta pages say are in use, if not 0, and
// gives what they said.
func inUse(t *testing.T, path string, set uint64) (pages uint64) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const meta, atPages, atSum = 16, 16 + 40, 16 + 56
	size := os.Getpagesize()
	for _, page := range [][]byte{content[:size], content[size : 2*size]} {
		pages = max(pages, binary.NativeEndian.Uint64(page[atPages:]))
		if set > 0 {
			binary.NativeEndian.PutUint64(page[atPages:], set)
			sum := fnv.New64a()
			sum.Write(page[meta:atSum])
			binary.NativeEndian.PutUint64(page[atSum:], sum.Sum64())
		}
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return pages
}
