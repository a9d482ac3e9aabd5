// Package pages checks the tree of pages in the file of a bbolt database without
// trusting any of it. bbolt follows what its pages say; where they were damaged it
// crashes, takes all memory there is, or never comes to an end. A tree that is
// sound for this package is read by bbolt without any of that.
//
// # The format
//
// It is that of bbolt, which has no checksums but in its two meta pages. All
// numbers are in the machine's byte order. A page begins with
//
//	id        8 bytes   its place in the file
//	flags     2 bytes   1 a branch, 2 a leaf
//	count     2 bytes   of its elements
//	overflow  4 bytes   how many pages it is longer than one
//
// then its elements, 16 bytes each, then their keys and values:
//
//	branch    pos 4, ksize 4, page 8               leads to a page below
//	leaf      flags 4, pos 4, ksize 4, vsize 4     has a value, a bucket if flags is 1
//
// pos is where the key is, from the element's beginning on. The value is behind
// it. The value of a bucket is the page of its own tree's root and its sequence, 8
// bytes each. If that page is 0, the root follows, with the id 0: a leaf that holds
// no buckets.
//
// # What is checked
//
// bbolt writes a page in one way: keys and values lie behind the elements in their
// order, without a gap, the page is as long as they need, and none is empty but
// the one that a file begins with. The leaves of a bucket are equally far below its
// root. Each page of the tree must be where it says, within those in use and within
// the file, and be reached once. At the top there are buckets, one at least unless
// nothing was written yet, and nothing else.
//
// So a bit that flips in any of these numbers is seen, but for how long the last
// key and value of a page are, whether a value below the top is a bucket, and what
// leads to a page of an older tree in place of one.
//
// Keys and values are not looked at, and neither is what is in no page of the
// tree. The memory that a check takes is a bit for each page, and what the
// elements of one take, and 24 to 40 bytes for each that is known and was not looked
// at yet, of which there are no more than pages.
package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Tree is what the newest meta page says.
type Tree struct {
	PageSize int64
	InUse    int64 // pages that are in use; none of the tree is beyond them
	Root     int64 // the page where the tree begins
}

const (
	branch, leaf = 1, 2
	isBucket     = 1

	headerSize  = 16
	elementSize = 16
	bucketSize  = 16

	firstPage  = 2 // after the two meta pages
	firstRoot  = 3 // of a file that nothing was written to yet
	maxKeySize = 32768
)

// Check walks the tree in a file of so many bytes. An error says what is wrong
// with it, or is one of reading the file.
func Check(file io.ReaderAt, size int64, t Tree) error {
	if t.PageSize < headerSize {
		return fmt.Errorf("pages of %d bytes", t.PageSize)
	}
	t.InUse = min(t.InUse, size/t.PageSize)
	w := walk{file: file, Tree: t, seen: make([]uint64, t.InUse/64+1)}
	return w.all()
}

type walk struct {
	Tree
	file io.ReaderAt
	seen []uint64 // a bit for each page that was reached
	todo []reached
}

// reached is a page that another one leads to.
type reached struct {
	id    int64
	depth int // below its bucket's root
	of    *bucket
}

// bucket is one that has pages.
type bucket struct {
	top    bool // it is the one that holds the top buckets
	leaves int  // the depth of its leaves, -1 before one was reached
}

// all looks at each page of the tree.
func (w *walk) all() error {
	if err := w.reachRoot(w.Root, true); err != nil {
		return err
	}
	for len(w.todo) > 0 {
		next := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		if err := w.page(next); err != nil {
			return fmt.Errorf("page %d: %w", next.id, err)
		}
	}
	return nil
}

func (w *walk) reachRoot(id int64, top bool) error {
	return w.reach(reached{id, 0, &bucket{top, -1}})
}

// reach notes a page to look at. More than there are can't all be reached once.
func (w *walk) reach(p reached) error {
	if int64(len(w.todo)) >= w.InUse {
		return fmt.Errorf("more pages are led to than the %d that there are", w.InUse)
	}
	w.todo = append(w.todo, p)
	return nil
}

func (w *walk) page(p reached) error {
	if p.id < firstPage || p.id >= w.InUse {
		return fmt.Errorf("it is not within bounds, which are %d and %d", firstPage, w.InUse)
	}
	at := p.id * w.PageSize
	h, err := w.header(at)
	if err != nil {
		return err
	}
	length := h.overflow + 1
	switch {
	case h.id != p.id:
		return fmt.Errorf("it says that it is page %d", h.id)
	case h.flags != branch && h.flags != leaf:
		return fmt.Errorf("it is of type %d", h.flags)
	case p.id+length > w.InUse:
		return fmt.Errorf("with a length of %d pages it is not within bounds, which end at %d", length, w.InUse)
	}
	if err := w.claim(p.id, length); err != nil {
		return err
	}
	if h.flags == leaf {
		if p.of.leaves < 0 {
			p.of.leaves = p.depth
		}
		if p.depth != p.of.leaves {
			return fmt.Errorf("it is a leaf %d below the root, where others are %d", p.depth, p.of.leaves)
		}
	}
	end, err := w.elements(node{header: h, at: at, room: length * w.PageSize, page: &p})
	if err != nil {
		return err
	}
	if need := (end + w.PageSize - 1) / w.PageSize; need != length {
		return fmt.Errorf("it is %d pages long and needs %d", length, need)
	}
	return nil
}

// claim wants pages not to have been reached before.
func (w *walk) claim(id, length int64) error {
	for ; length > 0; id, length = id+1, length-1 {
		bit := uint64(1) << (id % 64)
		if w.seen[id/64]&bit != 0 {
			return fmt.Errorf("page %d is reached twice", id)
		}
		w.seen[id/64] |= bit
	}
	return nil
}

type header struct {
	id       int64
	flags    int
	count    int
	overflow int64
}

func (w *walk) header(at int64) (header, error) {
	var b [headerSize]byte
	if err := w.read(b[:], at); err != nil {
		return header{}, err
	}
	return header{
		id:       int64(binary.NativeEndian.Uint64(b[:])),
		flags:    int(binary.NativeEndian.Uint16(b[8:])),
		count:    int(binary.NativeEndian.Uint16(b[10:])),
		overflow: int64(binary.NativeEndian.Uint32(b[12:])),
	}, nil
}

// read fills a buffer from the file.
func (w *walk) read(b []byte, at int64) error {
	n, err := w.file.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the file ends within it")
	}
	return err
}
