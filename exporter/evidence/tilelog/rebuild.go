package tilelog

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// rebuilt are the tiles of a tree that were missing, and the last of each
// level, made again from leaves.
type rebuilt struct {
	entries []tlog.Tile
	hashes  []tlog.Tile
	data    overlay // of hashes
}

// overlay holds tiles of hashes that come before those on the disk, by the tile
// without its width.
type overlay map[tlog.Tile][]byte

func slot(t tlog.Tile) tlog.Tile { t.W = 0; return t }

func (r *rebuilt) add(t tlog.Tile, data []byte) {
	r.hashes = append(r.hashes, t)
	r.data[slot(t)] = data
}

// rebuild makes the tiles of a tree of so many leaves.
func (s *leaves) rebuild(size int64) (*rebuilt, error) {
	r := &rebuilt{data: overlay{}}
	for start := int64(0); start < size; start += width {
		t := entryTile(start, size)
		hashes := t
		hashes.L = 0
		if start+width < size && s.log.disk.has(t) && s.log.disk.has(hashes) {
			continue
		}
		data, err := s.hash(t)
		if err != nil {
			return nil, err
		}
		r.entries = append(r.entries, t)
		r.add(hashes, data)
	}
	for level := 1; count(level, size) > 0; level++ {
		if err := s.log.disk.rebuildLevel(r, level, count(level, size)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// hash makes the tile of hashes over a tile of leaves.
func (s *leaves) hash(t tlog.Tile) (data []byte, err error) {
	for i := range int64(t.W) {
		leaf, err := s.leaf(t.N*width + i)
		if err != nil {
			return nil, fmt.Errorf("leaf %d: %w", t.N*width+i, err)
		}
		hash := tlog.RecordHash(leaf)
		data = append(data, hash[:]...)
	}
	return data, nil
}

// rebuildLevel makes the tiles of a level that are missing, and the last, of
// the tiles below.
func (d *disk) rebuildLevel(r *rebuilt, level int, hashes int64) error {
	for start := int64(0); start < hashes; start += width {
		t := tlog.Tile{H: height, L: level, N: start / width, W: int(min(hashes-start, width))}
		if start+width < hashes && d.has(t) {
			continue
		}
		var data []byte
		for i := range int64(t.W) {
			below := tlog.Tile{H: height, L: level - 1, N: start + i, W: width}
			content, err := tileReader{d, r.data}.tile(below)
			if err != nil {
				return fmt.Errorf("read %s: %w", tilePath(below), err)
			}
			top := treeOver(content)
			data = append(data, top[:]...)
		}
		r.add(t, data)
	}
	return nil
}

// treeOver is the root over a full tile.
func treeOver(tile []byte) tlog.Hash {
	var level []tlog.Hash
	for hash := range slices.Chunk(tile, tlog.HashSize) {
		level = append(level, tlog.Hash(hash))
	}
	for len(level) > 1 {
		for i := range len(level) / 2 {
			level[i] = tlog.NodeHash(level[2*i], level[2*i+1])
		}
		level = level[:len(level)/2]
	}
	return level[0]
}

// fits tells whether the tiles are those of a checkpoint, together with the
// ones that were left as they are.
func (d *disk) fits(r *rebuilt, head Checkpoint) error {
	if head.Size == 0 {
		return nil
	}
	indexes := []int64{tlog.StoredHashIndex(0, head.Size-1)}
	for _, t := range r.entries {
		indexes = append(indexes, tlog.StoredHashIndex(0, t.N*width))
	}
	_, err := tlog.TileHashReader(tlog.Tree{N: head.Size, Hash: head.Root}, tileReader{d, r.data}).ReadHashes(indexes)
	return err
}

// keep writes the tiles, but for those that are there already.
func (s *leaves) keep(r *rebuilt) (wrote bool, err error) {
	for _, t := range r.entries {
		var tile bytes.Buffer
		for i := range int64(t.W) {
			leaf, err := s.leaf(t.N*width + i)
			if err == nil && tlog.RecordHash(leaf) != tlog.Hash(r.data[tlog.Tile{H: height, N: t.N}][i*tlog.HashSize:]) {
				err = fmt.Errorf("%w: leaf %d is another one now", ErrMismatch, t.N*width+i)
			}
			if err == nil {
				err = writeEntry(&tile, leaf)
			}
			if err != nil {
				return wrote, err
			}
		}
		if wrote, err = s.log.disk.keepTile(t, tile.Bytes(), wrote); err != nil {
			return wrote, err
		}
	}
	for _, t := range r.hashes {
		if wrote, err = s.log.disk.keepTile(t, r.data[slot(t)], wrote); err != nil {
			return wrote, err
		}
	}
	return wrote, nil
}

func (d *disk) keepTile(t tlog.Tile, content []byte, wrote bool) (bool, error) {
	if there, err := d.root.ReadFile(tilePath(t)); err == nil && bytes.Equal(there, content) {
		return wrote, nil
	}
	return true, d.publish(tilePath(t), func(w io.Writer) error { _, err := w.Write(content); return err })
}
