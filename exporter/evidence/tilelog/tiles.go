package tilelog

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	height = 8 // of a tile, in levels of the tree
	width  = 1 << height
	// entries is the level of tiles that hold leaves instead of hashes.
	entries = -1
)

// tilePath is the name of a tile's file: "tile/0/x001/067.p/7".
func tilePath(t tlog.Tile) string {
	rest := strings.TrimPrefix(t.Path(), "tile/8/") // that package writes the height too,
	if after, ok := strings.CutPrefix(rest, "data/"); ok {
		rest = "entries/" + after // and names the leaves differently
	}
	return "tile/" + rest
}

// parseTilePath reads what [tilePath] writes.
func parseTilePath(name string) (tlog.Tile, error) {
	rest, ok := strings.CutPrefix(name, "tile/")
	if after, leaves := strings.CutPrefix(rest, "entries/"); leaves {
		rest = "data/" + after
	}
	t, err := tlog.ParseTilePath("tile/8/" + rest)
	if !ok || err != nil || tilePath(t) != name {
		return tlog.Tile{}, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return t, nil
}

// full is the tile once it is complete.
func full(t tlog.Tile) tlog.Tile { t.W = width; return t }

// count is how many hashes, or leaves, the tiles of a level hold in a tree.
func count(level int, size int64) int64 { return size >> (height * max(level, 0)) }

// edge is the last tile of a level in a tree, with 0 to 255 hashes or leaves.
func edge(level int, size int64) tlog.Tile {
	n := count(level, size)
	return tlog.Tile{H: height, L: level, N: n / width, W: int(n % width)}
}

// entryTile is the tile of leaves that holds one of a tree of so many.
func entryTile(index, size int64) tlog.Tile {
	n := index / width
	return tlog.Tile{H: height, L: entries, N: n, W: int(min(size-n*width, width))}
}

// openTile opens a tile, or a wider one, of which it is the beginning.
func (d *disk) openTile(t tlog.Tile) (*os.File, error) {
	for _, name := range []string{tilePath(t), tilePath(full(t))} {
		if f, err := d.root.Open(name); !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	widths, err := d.partials(t)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(widths, func(w int) bool { return w > t.W }); i >= 0 {
		t.W = widths[i]
	}
	return d.root.Open(tilePath(t))
}

// copyTile writes a tile as it is on the disk, there maybe as a wider one.
func (d *disk) copyTile(w io.Writer, t tlog.Tile) error {
	f, err := d.openTile(t)
	if err != nil {
		return err
	}
	defer f.Close()
	return copyPart(w, f, t)
}

// copyPart writes a tile that a wider one begins with.
func copyPart(w io.Writer, wider io.Reader, t tlog.Tile) error {
	if t.L == entries {
		return readEntries(wider, t.W, func(_ int, leaf []byte) error { return writeEntry(w, leaf) })
	}
	_, err := io.CopyN(w, wider, int64(t.W*tlog.HashSize))
	return noEOF(err)
}

// partialDir is the directory of the partial tiles that become a tile.
func partialDir(t tlog.Tile) string { return tilePath(full(t)) + ".p" }

// partials gives the widths of the partial tiles there are, from narrow to wide.
func (d *disk) partials(t tlog.Tile) (widths []int, err error) {
	names, err := d.list(partialDir(t))
	for _, name := range names {
		if w, err := strconv.Atoi(name); err == nil && w > 0 && w < width {
			widths = append(widths, w)
		}
	}
	slices.Sort(widths)
	return widths, err
}

// tileReader reads tiles of hashes for [tlog.TileHashReader], which checks them.
type tileReader struct {
	disk *disk
	over overlay // comes first
}

func (tileReader) Height() int                     { return height }
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	all := make([][]byte, len(tiles))
	for i, t := range tiles {
		var err error
		if all[i], err = r.tile(t); err != nil {
			return nil, fmt.Errorf("read %s: %w", tilePath(t), err)
		}
	}
	return all, nil
}

// tile reads one.
func (r tileReader) tile(t tlog.Tile) ([]byte, error) {
	hashes := make([]byte, t.W*tlog.HashSize)
	return hashes, r.read(t, hashes)
}

func (r tileReader) read(t tlog.Tile, hashes []byte) error {
	if made := r.over[slot(t)]; len(made) >= len(hashes) {
		copy(hashes, made)
		return nil
	}
	f, err := r.disk.openTile(t)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.ReadFull(f, hashes)
	return err
}

// hashes reads the hashes of a tree, each checked against its root.
func (d *disk) hashes(c Checkpoint) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, tileReader{d, d.over})
}

// writeEntry writes a leaf as it stands in a tile.
func writeEntry(w io.Writer, leaf []byte) error {
	if _, err := w.Write(binary.BigEndian.AppendUint16(nil, uint16(len(leaf)))); err != nil {
		return err
	}
	_, err := w.Write(leaf)
	return err
}

// readEntries reads the first leaves of a tile, one after the other into the
// same memory.
func readEntries(r io.Reader, leaves int, each func(i int, leaf []byte) error) error {
	buffered := readers.Get().(*bufio.Reader)
	defer readers.Put(buffered)
	buffered.Reset(r)
	var leaf []byte
	for i := range leaves {
		var size [2]byte
		if _, err := io.ReadFull(buffered, size[:]); err != nil {
			return noEOF(err)
		}
		n := int(binary.BigEndian.Uint16(size[:]))
		leaf = slices.Grow(leaf[:0], n)[:n]
		if _, err := io.ReadFull(buffered, leaf); err != nil {
			return noEOF(err)
		}
		if err := each(i, leaf); err != nil {
			return err
		}
	}
	return nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
