package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// node is a page or what a bucket has instead of one.
type node struct {
	header
	at   int64    // where it is in the file
	room int64    // how many bytes it may have
	page *reached // nil of what is within a value
}

// elements looks at all elements of a node, and gives how many bytes it has.
func (w *walk) elements(n node) (end int64, err error) {
	end = headerSize + int64(n.count)*elementSize
	if end > n.room {
		return 0, fmt.Errorf("%d elements do not fit into its %d bytes", n.count, n.room)
	}
	if n.count == 0 && n.page != nil && n.page.id != firstRoot {
		return 0, errors.New("it is empty")
	}
	list := make([]byte, n.count*elementSize)
	if err := w.read(list, n.at+headerSize); err != nil {
		return 0, err
	}
	for i := range n.count {
		e := n.element(list[i*elementSize:])
		if pos := end - headerSize - int64(i)*elementSize; e.pos != pos {
			return 0, fmt.Errorf("element %d is at %d, want %d", i, e.pos, pos)
		}
		if e.ksize < 1 || e.ksize > maxKeySize || e.ksize+e.vsize > n.room-end {
			return 0, fmt.Errorf("element %d has %d and %d bytes, of %d that there are", i, e.ksize, e.vsize, n.room-end)
		}
		if err := w.follow(n, e, n.at+end+e.ksize); err != nil {
			return 0, fmt.Errorf("element %d: %w", i, err)
		}
		end += e.ksize + e.vsize
	}
	return end, nil
}

// element is one of a branch or of a leaf.
type element struct {
	pos, ksize, vsize int64
	flags             uint32 // of a leaf's
	page              int64  // below a branch's
}

func (n node) element(b []byte) element {
	number := func(at int) int64 { return int64(binary.NativeEndian.Uint32(b[at:])) }
	if n.flags == branch {
		return element{pos: number(0), ksize: number(4), page: int64(binary.NativeEndian.Uint64(b[8:]))}
	}
	return element{flags: binary.NativeEndian.Uint32(b), pos: number(4), ksize: number(8), vsize: number(12)}
}

// follow notes the page that an element leads to, if it does. value is where its
// value is in the file.
func (w *walk) follow(n node, e element, value int64) error {
	switch {
	case n.flags == branch:
		return w.reach(reached{e.page, n.page.depth + 1, n.page.of})
	case e.flags == isBucket && n.page == nil:
		return errors.New("it is a bucket within a bucket that has no page")
	case e.flags == isBucket:
		return w.bucket(e, value)
	case e.flags != 0:
		return fmt.Errorf("it has the flags %d", e.flags)
	case n.page != nil && n.page.of.top:
		return errors.New("it is no bucket, at the top")
	}
	return nil
}

func (w *walk) bucket(e element, value int64) error {
	var b [bucketSize]byte
	if e.vsize < bucketSize {
		return fmt.Errorf("a bucket has %d bytes", e.vsize)
	}
	if err := w.read(b[:], value); err != nil {
		return err
	}
	root, rest := int64(binary.NativeEndian.Uint64(b[:])), e.vsize-bucketSize
	if root != 0 {
		if rest != 0 {
			return fmt.Errorf("a bucket of page %d has %d bytes more", root, rest)
		}
		return w.reachRoot(root, false)
	}
	return w.inline(value+bucketSize, rest)
}

// inline looks at the root of a bucket that is too small for a page.
func (w *walk) inline(at, size int64) error {
	if size < headerSize {
		return fmt.Errorf("a bucket without a page has %d bytes", size)
	}
	h, err := w.header(at)
	if err != nil {
		return err
	}
	if h.id != 0 || h.flags != leaf || h.overflow != 0 {
		return fmt.Errorf("a bucket without a page says that it is page %d, of type %d, with %d more", h.id, h.flags, h.overflow)
	}
	end, err := w.elements(node{header: h, at: at, room: size})
	if err == nil && end != size {
		err = fmt.Errorf("a bucket without a page has %d bytes and needs %d", size, end)
	}
	return err
}
