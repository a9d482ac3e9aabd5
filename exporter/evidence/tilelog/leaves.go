package tilelog

import (
	"io/fs"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

// leaves gives what can be had of a log's leaves, from its tiles and from what
// is recalled. What it gives is not verified.
type leaves struct {
	log         *Log
	recallFirst bool // where both have a leaf, that of the tile is in doubt

	n     int64    // the tile that was read last, -1 before
	tile  [][]byte // its leaves
	taken map[int64]bool
}

func (l *Log) newLeaves() *leaves { return &leaves{log: l, n: -1, taken: map[int64]bool{}} }

// leaf gives a leaf.
func (s *leaves) leaf(index int64) (leaf []byte, err error) {
	order := []func(int64) ([]byte, error){s.fromTile, s.fromRecall}
	if s.recallFirst {
		order[0], order[1] = order[1], order[0]
	}
	if leaf, err = order[0](index); err != nil {
		leaf, err = order[1](index)
	}
	return leaf, err
}

func (s *leaves) fromRecall(index int64) ([]byte, error) {
	leaf, err := s.log.recall.Leaf(index)
	if err == nil {
		s.taken[index] = true
	}
	return leaf, err
}

func (s *leaves) fromTile(index int64) ([]byte, error) {
	delete(s.taken, index)
	if n := index / width; n != s.n {
		s.n, s.tile = n, s.log.disk.readAll(n)
	}
	if i := index % width; i < int64(len(s.tile)) {
		return s.tile[i], nil
	}
	return nil, fs.ErrNotExist
}

// readAll reads as many leaves of a tile as there are, in its widest file. What
// is cut off or can't be read is not there.
func (d *disk) readAll(n int64) (all [][]byte) {
	t := tlog.Tile{H: height, L: entries, N: n, W: width}
	f, err := d.root.Open(tilePath(t))
	if err != nil {
		widths, _ := d.partials(t)
		if len(widths) == 0 {
			return nil
		}
		t.W = widths[len(widths)-1]
		if f, err = d.root.Open(tilePath(t)); err != nil {
			return nil
		}
	}
	defer f.Close()
	readEntries(f, t.W, func(_ int, leaf []byte) error {
		all = append(all, append([]byte{}, leaf...))
		return nil
	})
	return all
}

// FirstLeaf gives the first leaf that the tiles of a log's directory hold. It is
// not verified. Errors: fs.ErrNotExist.
func FirstLeaf(dir string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	all := (&disk{root: root}).readAll(0)
	if len(all) == 0 {
		return nil, fs.ErrNotExist
	}
	return all[0], nil
}

// reach counts the leaves that can be had without a gap: wanted ones from
// anywhere, those beyond from tiles. A full tile that is there is taken to hold
// its leaves.
func (s *leaves) reach(wanted int64) (n int64) {
	for n < MaxSize {
		if n%width == 0 && s.log.disk.has(tlog.Tile{H: height, L: entries, N: n / width, W: width}) {
			n += width
			continue
		}
		get := s.leaf
		if n >= wanted {
			get = s.fromTile
		}
		if _, err := get(n); err != nil {
			break
		}
		n++
	}
	return n
}

func (d *disk) has(t tlog.Tile) bool {
	_, err := d.root.Lstat(tilePath(t))
	return err == nil
}
