package tilelog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
)

// history is a log as it was at each of its sizes.
type history struct {
	t     *testing.T
	sizes []int64
	heads map[int64]Head
	files map[int64]map[string][]byte
}

// newHistory grows a log by irregular batches.
func newHistory(t *testing.T, random *rand.Rand, size int64) *history {
	t.Helper()
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	h := &history{t: t, heads: map[int64]Head{}, files: map[int64]map[string][]byte{}}
	for l.Size() < size {
		h.sizes = append(h.sizes, l.Size())
		h.heads[l.Size()], h.files[l.Size()] = l.Head(), files(t, l.disk.root.Name())
		grow(t, l, l.Size()+1+random.Int64N(70))
	}
	return h
}

// at picks a size.
func (h *history) at(random *rand.Rand) int64 { return h.sizes[random.IntN(len(h.sizes))] }

// mixed is a copy of the directory whose checkpoint, tiles and hash tiles are
// of different moments.
func (h *history) mixed(checkpoint, entries, hashes int64) map[string][]byte {
	mixed := map[string][]byte{checkpointName: h.files[checkpoint][checkpointName]}
	for name, content := range h.files[entries] {
		if _, err := filepath.Match("tile/entries/*", name); err == nil && isEntries(name) {
			mixed[name] = content
		}
	}
	for name, content := range h.files[hashes] {
		if name != checkpointName && !isEntries(name) {
			mixed[name] = content
		}
	}
	return mixed
}

func isEntries(name string) bool { return len(name) > 13 && name[:13] == "tile/entries/" }

// recall is what a database knows that has the leaves of a size, and blobs of
// those before another one.
func (h *history) recall(size, blobs int64, copied bool) *Recall {
	r := &Recall{
		Size: size,
		Heads: iter.Seq[[]byte](func(yield func([]byte) bool) {
			for _, s := range slices.Backward(h.sizes) {
				if s > 0 && s <= size && !yield(h.heads[s].Signed) {
					return
				}
			}
		}),
		Leaf: func(index int64) ([]byte, error) {
			if index >= size || index >= blobs {
				return nil, fs.ErrNotExist
			}
			return leafOf(index), nil
		},
	}
	if copied {
		r.Ours = func(index int64, leaf []byte) bool { return bytes.Equal(leaf, leafOf(index)) }
	}
	return r
}

func openRecalled(t *testing.T, dir string, r *Recall) (*Log, error) {
	t.Helper()
	l, err := OpenRecalled(dir, ourKey(t), nil, r)
	if err == nil {
		t.Cleanup(func() { l.Close() })
	}
	return l, err
}

// Whatever moments the parts of a copy are of: what the database and the blobs
// have is in the log, every leaf is the one that was there, and no index is
// given again that is known to have been given.
func TestCopyOfManyMoments(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	h := newHistory(t, random, 600)
	behind, whole := 0, 0
	for range 60 {
		checkpoint, tiles, hashes, recalled, blobs := h.at(random), h.at(random), h.at(random), h.at(random), h.at(random)
		what := fmt.Sprintf("checkpoint %d, leaves %d, hashes %d, database %d, blobs %d", checkpoint, tiles, hashes, recalled, blobs)
		dir := lay(t, h.mixed(checkpoint, tiles, hashes))
		l, err := openRecalled(t, dir, h.recall(recalled, blobs, true))
		if err != nil {
			t.Fatalf("%s: got %v, want a log", what, err)
		}
		acknowledged := min(recalled, max(blobs, tiles))
		wantWhole(t, what, l, acknowledged)
		if head, known := h.heads[l.Size()]; known && !bytes.Equal(l.Head().Signed, head.Signed) {
			t.Fatalf("%s: got another checkpoint at size %d than the original's", what, l.Size())
		}
		known := max(checkpoint, recalled, tiles)
		_, err = l.Append(t.Context(), makeLeaf)
		if lacking := l.Size() < known; lacking {
			behind++
			if !errors.Is(err, ErrBehind) || !errors.Is(l.Behind(), ErrBehind) {
				t.Fatalf("%s: append to a log of %d: got %v, and %v; want %v", what, l.Size(), err, l.Behind(), ErrBehind)
			}
			wantStaysBehind(t, what, dir, h.recall(recalled, blobs, false))
			continue
		}
		whole++
		if err != nil || l.Behind() != nil {
			t.Fatalf("%s: append to a log of %d: got %v, and %v; want no error", what, l.Size(), err, l.Behind())
		}
		wantWhole(t, what+", opened again", openTest(t, dir), known+1)
	}
	if behind == 0 || whole == 0 {
		t.Errorf("got %d that lack leaves and %d that don't, want some of each", behind, whole)
	}
}

// wantStaysBehind opens a mended log again, no longer as a fresh copy.
func wantStaysBehind(t *testing.T, what, dir string, r *Recall) {
	t.Helper()
	before := files(t, dir)
	l, err := openRecalled(t, dir, r)
	if err != nil || !errors.Is(l.Behind(), ErrBehind) || l.Mended() != nil {
		t.Fatalf("%s, opened again: got %v, mended %+v; want it behind", what, err, l.Mended())
	}
	if after := files(t, dir); !maps.EqualFunc(before, after, bytes.Equal) {
		t.Errorf("%s, opened again: the files changed", what)
	}
}

// What is damaged or lost in a directory that is no copy is made good wholly,
// or left as it is.
func TestDamageIsMendedFromWhatIsRecalled(t *testing.T) {
	t.Parallel()
	h := newHistory(t, rand.New(rand.NewPCG(3, 4)), 600)
	size := h.sizes[len(h.sizes)-1]
	last := fmt.Sprintf("%03d.p/%d", size/width, size%width)
	for name, damage := range map[string]func(map[string][]byte){
		"no checkpoint":      func(f map[string][]byte) { delete(f, checkpointName) },
		"an empty one":       func(f map[string][]byte) { f[checkpointName] = nil },
		"changed checkpoint": func(f map[string][]byte) { f[checkpointName][90] ^= 1 },
		"older checkpoint":   func(f map[string][]byte) { f[checkpointName] = h.heads[h.sizes[3]].Signed },
		"no entries":         func(f map[string][]byte) { drop(f, "tile/entries") },
		"no hashes":          func(f map[string][]byte) { drop(f, "tile/0", "tile/1") },
		"all lost":           func(f map[string][]byte) { clear(f) },
		"changed leaf":       func(f map[string][]byte) { f["tile/entries/"+last][5] ^= 1 },
		"changed hash":       func(f map[string][]byte) { f["tile/0/"+last][5] ^= 1 },
		"short bundle":       func(f map[string][]byte) { f["tile/entries/"+last] = f["tile/entries/"+last][:100] },
	} {
		contents := map[string][]byte{}
		for file, content := range h.files[size] {
			contents[file] = bytes.Clone(content)
		}
		damage(contents)
		dir := lay(t, contents)
		l, err := openRecalled(t, dir, h.recall(size, size, false))
		if err != nil || l.Size() != size || l.Behind() != nil || l.Mended() == nil || l.Mended().Signed {
			t.Fatalf("%s: got %v, want it mended at %d", name, err, size)
		}
		wantWhole(t, name, l, size)
		if !bytes.Equal(l.Head().Signed, h.heads[size].Signed) {
			t.Errorf("%s: got another checkpoint than the original's", name)
		}
		appendOne(t, l)
		wantWhole(t, name+", opened again", openTest(t, dir), size+1)

		dir = lay(t, contents)
		_, err = openRecalled(t, dir, h.recall(size, 100, false))
		lost := name == "no entries" || name == "all lost" || name == "changed leaf" || name == "short bundle"
		switch {
		case lost && (!errors.Is(err, ErrMismatch) && !errors.Is(err, fs.ErrNotExist)):
			t.Errorf("%s, without the leaves: got %v, want %v", name, err, ErrMismatch)
		case lost && !maps.EqualFunc(contents, files(t, dir), bytes.Equal):
			t.Errorf("%s, without the leaves: the files changed", name)
		case !lost && err != nil:
			t.Errorf("%s, without the leaves: got %v, want it mended from the tiles", name, err)
		}
	}
}

// An older log in the place of a newer one is read, and does not go on.
func TestLogThatWasRolledBackInItsPlace(t *testing.T) {
	t.Parallel()
	h := newHistory(t, rand.New(rand.NewPCG(5, 6)), 300)
	older, newer := h.sizes[4], h.sizes[6]
	dir := lay(t, h.files[older])
	l, err := openRecalled(t, dir, h.recall(newer, 0, false))
	if err != nil || l.Size() != older || !errors.Is(l.Behind(), ErrBehind) {
		t.Fatalf("got %v, want a log of %d that is behind", err, older)
	}
	if ahead, err := l.Ahead(); err != nil || ahead.Size != newer {
		t.Errorf("ahead: got %+v, %v; want the checkpoint of %d", ahead, err, newer)
	}
	wantStaysBehind(t, "rolled back", dir, h.recall(newer, 0, false))
	// What was lost is back: as when a copy was completed later.
	l, err = openRecalled(t, dir, h.recall(newer, newer, false))
	if err != nil || l.Size() != newer || l.Behind() != nil {
		t.Fatalf("completed: got %v, want a log of %d", err, newer)
	}
	if _, err := l.disk.root.Stat(aheadName); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat %s: got %v, want it removed", aheadName, err)
	}
	appendOne(t, l)
}

// An anchor that knows more than a copy can have is as strict as ever; one that
// knows what stands in the tiles lets the copy have it.
func TestAnchoredCopy(t *testing.T) {
	t.Parallel()
	h := newHistory(t, rand.New(rand.NewPCG(7, 8)), 500)
	old, middle, newest := h.sizes[3], h.sizes[7], h.sizes[10]
	for _, test := range []struct {
		anchor, checkpoint, tiles int64
		want                      error
	}{{newest, old, middle, ErrRolledBack}, {middle, old, middle, nil}, {old, middle, middle, nil}, {old, newest, middle, nil}} {
		dir := lay(t, h.mixed(test.checkpoint, test.tiles, test.tiles))
		before := files(t, dir)
		a, err := OpenAnchor(filepath.Join(t.TempDir(), "anchor"))
		if err == nil {
			err = a.Hold(h.heads[test.anchor])
		}
		if err != nil {
			t.Fatal(err)
		}
		l, err := OpenRecalled(dir, ourKey(t), a, h.recall(old, old, true))
		if !errors.Is(err, test.want) {
			t.Fatalf("%+v: got %v", test, err)
		}
		if err != nil {
			if !maps.EqualFunc(before, files(t, dir), bytes.Equal) {
				t.Errorf("%+v: refused, and the files changed", test)
			}
			continue
		}
		lacking, want := test.checkpoint > test.tiles, middle
		if lacking { // the newest that is known to have been signed, and whose leaves are there
			want = old
		}
		wantWhole(t, fmt.Sprint(test), l, want)
		if got := l.Behind() != nil; got != lacking || l.Size() != want {
			t.Errorf("%+v: got size %d, behind: %v; want %d, %t", test, l.Size(), l.Behind(), want, lacking)
		}
		l.Close()
	}
}

// Tiles of another log, or left over, are no leaves of this one.
func TestStrangersBeyondTheCheckpoint(t *testing.T) {
	t.Parallel()
	h := newHistory(t, rand.New(rand.NewPCG(9, 10)), 700)
	size, beyond := h.sizes[2], h.sizes[len(h.sizes)-1]
	r := h.recall(size, size, true)
	r.Ours = func(index int64, leaf []byte) bool { return index < size }
	l, err := openRecalled(t, lay(t, h.mixed(size, beyond, beyond)), r)
	if err != nil || l.Size() != size || l.Behind() != nil {
		t.Fatalf("got %v, want a log of %d", err, size)
	}
	for name := range files(t, l.disk.root.Name()) {
		if tile, err := parseTilePath(name); err == nil && tile.N*width+int64(tile.W) > count(tile.L, size) {
			t.Errorf("%s: got it left over, want it removed", name)
		}
	}
	appendOne(t, l)
}

// A crash while a copy is mended leaves it to be mended again, and what was
// known to be lacking is not forgotten.
func TestCrashWhileMending(t *testing.T) {
	t.Parallel()
	h := newHistory(t, rand.New(rand.NewPCG(11, 12)), 300)
	n := len(h.sizes)
	for _, test := range []struct{ checkpoint, tiles, hashes, recalled int64 }{
		{h.sizes[n-1], h.sizes[n-4], h.sizes[n-2], h.sizes[n-3]},
		{h.sizes[2], h.sizes[n-1], h.sizes[4], h.sizes[5]},
		{h.sizes[n-1], h.sizes[2], h.sizes[2], h.sizes[n-3]},
	} {
		contents, r := h.mixed(test.checkpoint, test.tiles, test.hashes), h.recall(test.recalled, test.recalled, true)
		want, err := openRecalled(t, lay(t, contents), r)
		if err != nil {
			t.Fatal(err)
		}
		crashed := 0
		root, err := openRoot(lay(t, contents))
		if err != nil {
			t.Fatal(err)
		}
		l := &Log{disk: disk{root: root}, verifier: ourKey(t), key: ourKey(t), recall: r, turn: make(chan struct{}, 1)}
		watch(t, l, func(op string, contents map[string][]byte) {
			crashed++
			again, err := openRecalled(t, lay(t, contents), r)
			if err != nil || !bytes.Equal(again.Head().Signed, want.Head().Signed) || (again.Behind() == nil) != (want.Behind() == nil) {
				t.Errorf("%+v, %s: got %v, want what comes of it without a crash", test, op, err)
			}
		})
		if err := l.reconcile(); err != nil || crashed == 0 {
			t.Errorf("%+v: got %v, looked at %d moments", test, err, crashed)
		}
	}
}
