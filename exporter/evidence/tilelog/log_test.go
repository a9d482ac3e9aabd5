package tilelog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func TestRootsAreThoseOfRFC6962(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	for _, size := range []int64{0, 1, 2, 3, 7, 8, 255, 256, 257, 512, 700} {
		grow(t, l, size)
		if got, want := l.Head().Root, rootOf(0, size); got != want {
			t.Errorf("size %d: got root %s, want %s", size, got, want)
		}
	}
	wantWhole(t, "700 leaves", l, 700)
	wantWhole(t, "opened again", openTest(t, l.disk.root.Name()), 700)
}

// The example of C2SP tlog-tiles.
func TestTilesOf70000(t *testing.T) {
	found := map[string]int{}
	for _, tile := range tlog.NewTiles(height, 0, 70_000) {
		found[tilePath(tile)] = tile.W
	}
	for name, want := range map[string]int{"tile/0/272": 256, "tile/0/273.p/112": 112, "tile/1/000": 256, "tile/1/001.p/17": 17, "tile/2/000.p/1": 1} {
		if got := found[name]; got != want {
			t.Errorf("%s: got width %d, want %d", name, got, want)
		}
	}
	if got, want := len(found), 272+1+1+1+1+1; got != want {
		t.Errorf("got %d tiles, want %d", got, want)
	}
	for _, name := range []string{"tile/0/x001/x234/067", "tile/entries/x001/234.p/255", "tile/63/000"} {
		if tile, err := parseTilePath(name); err != nil || tilePath(tile) != name {
			t.Errorf("%s: got %+v, %v; want it back", name, tile, err)
		}
	}
}

// A tree of 256 has a full tile and the beginning of one above it.
func TestFilesOf256(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 256)
	got := slices.Sorted(maps.Keys(files(t, l.disk.root.Name())))
	if want := []string{"checkpoint", "tile/0/000", "tile/1/000.p/1", "tile/entries/000"}; !slices.Equal(got, want) {
		t.Errorf("got files %q, want %q", got, want)
	}
	root := l.Head().Root
	if top := files(t, l.disk.root.Name())["tile/1/000.p/1"]; !bytes.Equal(top, root[:]) {
		t.Errorf("tile/1/000.p/1: got %x, want %x", top, root)
	}
}

func TestAppendTellsTheIndex(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	refusal := errors.New("not today")
	for i := range int64(5) {
		if _, err := l.Append(t.Context(), func(int64) ([]byte, error) { return nil, refusal }); !errors.Is(err, refusal) {
			t.Fatalf("refused leaf: got %v, want %v", err, refusal)
		}
		if _, err := l.Append(t.Context(), func(int64) ([]byte, error) { return make([]byte, MaxLeaf+1), nil }); err == nil {
			t.Fatal("long leaf: got no error, want one")
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.Append(cancelled, makeLeaf); !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled: got %v, want %v", err, context.Canceled)
		}
		if e := appendOne(t, l); e.Index != i || e.Size != i+1 || !bytes.Equal(e.Signed, l.Head().Signed) {
			t.Fatalf("got entry %+v, want index %d, size %d", e, i, i+1)
		}
	}
	wantWhole(t, "after refusals", l, 5)
	long := make([]byte, MaxLeaf)
	if _, err := l.Append(t.Context(), func(int64) ([]byte, error) { return long, nil }); err != nil {
		t.Errorf("longest leaf: got %v, want no error", err)
	}
	if got, err := l.Entry(5); err != nil || !bytes.Equal(got, long) {
		t.Errorf("longest leaf: got %d bytes, %v; want %d", len(got), err, len(long))
	}
}

func TestConcurrentAppends(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	const each, writers = 20, 8
	var group sync.WaitGroup
	entries := make([][]Entry, writers)
	for w := range writers {
		group.Go(func() {
			for range each {
				e, err := l.Append(context.Background(), makeLeaf)
				if err != nil || e.Size <= e.Index || l.Size() < e.Size {
					t.Errorf("got entry %+v, %v at size %d; want it covered", e, err, l.Size())
				}
				entries[w] = append(entries[w], e)
			}
		})
	}
	group.Wait()
	seen := map[int64]bool{}
	for _, e := range slices.Concat(entries...) {
		seen[e.Index] = true
	}
	if len(seen) != each*writers || l.Size() != each*writers {
		t.Errorf("got %d indexes at size %d, want %d", len(seen), l.Size(), each*writers)
	}
	wantWhole(t, "concurrent appends", l, each*writers)
}

// A panic in a leaf is the caller's; the others go on.
func TestAppendAfterPanic(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("got no panic, want that of the leaf")
			}
		}()
		_, _ = l.Append(context.Background(), func(int64) ([]byte, error) { panic("leaf") })
	}()
	appendOne(t, l)
	wantWhole(t, "after a panic", l, 1)
}

func TestPartialTilesArePruned(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	const size = width + keepPartial + 20
	grow(t, l, width-10)
	for l.Size() < size {
		appendOne(t, l)
	}
	var partial []string
	for name := range maps.Keys(files(t, l.disk.root.Name())) {
		if strings.Contains(name, "entries") && strings.Contains(name, ".p/") {
			partial = append(partial, name)
		}
	}
	if got := len(partial); got != keepPartial+1 { // the next append would remove one
		t.Errorf("got %d partial bundles, want %d: %q", got, keepPartial+1, partial)
	}
	if names, err := l.disk.list("tile/entries/000.p"); err != nil || len(names) > 0 {
		t.Errorf("tile/entries/000.p: got %q, %v; want nothing", names, err)
	}
	reopened := openTest(t, l.disk.root.Name())
	wantWhole(t, "pruned", reopened, size)
	grow(t, reopened, size+1)
	if names, err := reopened.disk.list("tile/entries/001.p"); err != nil || len(names) != keepPartial+1 {
		t.Errorf("opened again, with one leaf more: got %d partial bundles, %v; want %d", len(names), err, keepPartial+1)
	}
}

func TestOpenRefuses(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 300)
	old := l.Head()
	grow(t, l, 301)
	sound := files(t, l.disk.root.Name())
	for name, test := range map[string]struct {
		change func(map[string][]byte)
		want   error
	}{
		"no checkpoint":      {func(f map[string][]byte) { delete(f, "checkpoint") }, ErrMismatch},
		"no last bundle":     {func(f map[string][]byte) { drop(f, "tile/entries/001") }, ErrMismatch},
		"no last hashes":     {func(f map[string][]byte) { drop(f, "tile/0/001") }, ErrMismatch},
		"no upper hashes":    {func(f map[string][]byte) { drop(f, "tile/1/000") }, ErrMismatch},
		"changed hash":       {func(f map[string][]byte) { f["tile/0/001.p/45"][5] ^= 1 }, ErrMismatch},
		"changed upper hash": {func(f map[string][]byte) { f["tile/1/000.p/1"][5] ^= 1 }, ErrMismatch},
		"changed leaf":       {func(f map[string][]byte) { f["tile/entries/001.p/45"][5] ^= 1 }, ErrMismatch},
		"short bundle":       {func(f map[string][]byte) { f["tile/entries/001.p/45"] = f["tile/entries/001.p/45"][:100] }, ErrMismatch},
		"newer checkpoint":   {func(f map[string][]byte) { drop(f, "tile/entries/001.p/45", "tile/0/001.p/45") }, ErrMismatch},
		"another's checkpoint": {func(f map[string][]byte) {
			f["checkpoint"] = signedBy(t, keyNamed(t, l.Origin(), "theirs"), old.Checkpoint)
		}, ErrNotSigned},
		"another origin":      {func(f map[string][]byte) { f["checkpoint"] = otherOrigin(t, old.Checkpoint) }, ErrNotSigned},
		"an empty checkpoint": {func(f map[string][]byte) { f["checkpoint"] = nil }, nil},
	} {
		contents := map[string][]byte{}
		for file, content := range sound {
			contents[file] = bytes.Clone(content)
		}
		test.change(contents)
		if _, err := Open(lay(t, contents), ourKey(t)); err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
}

// drop removes the files whose names begin so.
func drop(contents map[string][]byte, prefixes ...string) {
	maps.DeleteFunc(contents, func(name string, _ []byte) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	})
}

func signedBy(t testing.TB, key testKey, c Checkpoint) []byte {
	t.Helper()
	signed, err := c.sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func otherOrigin(t testing.TB, c Checkpoint) []byte {
	c.Origin = "licensekit/lki_2"
	return signedBy(t, keyNamed(t, c.Origin, "ours"), c)
}

// A copy in which the checkpoint is older than the tiles opens at the
// checkpoint, also where only a wider tile is left of what it covers.
func TestCopyMadeDuringAppends(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 250)
	old := l.Head()
	for _, later := range []int64{253, 255, 256, 257, 400} {
		grow(t, l, later)
		contents := files(t, l.disk.root.Name())
		contents["checkpoint"] = old.Signed
		drop(contents, "tile/entries/000.p/250", "tile/0/000.p/250")
		copied := openTest(t, lay(t, contents))
		if copied.Size() != 250 {
			t.Errorf("tiles of %d: got size %d, want 250", later, copied.Size())
		}
		wantWhole(t, "copy", copied, 250)
		grow(t, copied, 600)
		wantWhole(t, "copy, grown", copied, 600)
		wantWhole(t, "copy, grown and opened again", openTest(t, copied.disk.root.Name()), 600)
	}
}

func TestFile(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 300)
	for name, want := range map[string]struct {
		size    int64
		entries bool
	}{
		"checkpoint":           {int64(len(l.Head().Signed)), false},
		"tile/0/000":           {8192, false},
		"tile/0/000.p/7":       {7 * 32, false}, // cut from the full tile
		"tile/0/001.p/44":      {44 * 32, false},
		"tile/1/000.p/1":       {32, false},
		"tile/entries/001.p/2": {2 * (2 + int64(len(leafOf(256)))), true},
	} {
		f, err := l.File(name)
		if err != nil {
			t.Errorf("%s: got %v, want a file", name, err)
			continue
		}
		content, err := io.ReadAll(f)
		if err != nil || int64(len(content)) != want.size || f.Size != want.size || f.Entries != want.entries || f.Mutable != (name == "checkpoint") {
			t.Errorf("%s: got %d bytes, %+v, %v; want %+v", name, len(content), f, err, want)
		}
		if err := f.Close(); err != nil {
			t.Errorf("%s: close: got %v, want no error", name, err)
		}
	}
	for _, name := range []string{
		"", ".", "tile", "tile/0", "tile/0/001", "tile/0/001.p/45", "tile/0/002.p/1", "tile/1/000.p/2", "tile/2/000.p/1", "tile/entries/001",
		"tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/07", "tile/0/x000/000", "tile/00/000", "tile/-1/000", "tile/data/000", "tile/8/0/000", "tile/63/000.p/1",
		"../checkpoint", "tile/../checkpoint", "/checkpoint", ".staged", "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
	} {
		if f, err := l.File(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: got %v, %v; want %v", name, f, err, fs.ErrNotExist)
		}
	}
}

func TestEntryBeyondTheEnd(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	appendOne(t, l)
	for _, index := range []int64{-1, 1, 1 << 62} {
		if leaf, err := l.Entry(index); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("leaf %d: got %q, %v; want %v", index, leaf, err, fs.ErrNotExist)
		}
	}
}

// Damage in an old tile is found by whoever reads it.
func TestDamageIsFound(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 600)
	for _, name := range []string{"tile/entries/000", "tile/0/001"} {
		contents := files(t, l.disk.root.Name())
		contents[name][3000] ^= 1
		damaged := openTest(t, lay(t, contents))
		if err := damaged.Walk(t.Context(), 0, func(int64, []byte) error { return nil }); err == nil {
			t.Errorf("%s damaged: walk: got no error, want one", name)
		}
	}
	contents := files(t, l.disk.root.Name())
	contents["tile/0/000"][3000] ^= 1
	if proof, err := proveIn(openTest(t, lay(t, contents)), 100, 600); err == nil {
		t.Errorf("damaged hashes: got proof %s, want an error", proof.Marshal())
	}
}
