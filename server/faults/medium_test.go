//go:build linux

package faults

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// medium is a disk and what the system holds of it in memory. It promises what
// POSIX does and no more:
//
//   - What was written to a file, and its size and mode, are on the disk once an
//     fsync of the file that began after that has ended. Until then any sector
//     of it is as it was after any of the writes to it, or before them; the same
//     goes for the size, on its own; and where the file has grown, there may be
//     anything.
//   - That a directory has a name, or has it no more, is on the disk once an
//     fsync of that directory has ended; that of the file does not do it. Until
//     then any of the changes may be there or not, each on its own. Only a rename
//     never takes the old name away before the new one is there, and a directory
//     never has two.
type medium struct {
	root    *inode
	names   []*renaming // not known to be on the disk, in their order
	changes int         // so far
}

const (
	sectorSize = 512 // is written whole or not at all
	pageSize   = 4096
)

// inode is a file or directory, and maybe the one or the other name of it.
type inode struct {
	kind  os.FileMode // os.ModeDir, os.ModeSocket or 0
	mode  onDisk[os.FileMode]
	names onDisk[map[string]*inode] // of a directory; synced has what is on the disk

	content onDisk[*content] // of a file
	writes  []*writing       // not known to be on the disk, in their order
}

// onDisk is something as programs see it, and as it is on the disk for sure.
type onDisk[T any] struct{ now, synced T }

// change is what a call did.
type change struct {
	order int
	what  string
	done  int // the moment at which the call had ended, 0 while it has not
}

// before tells whether a call had ended when another one began.
func (c *change) before(began int) bool { return c.done > 0 && c.done < began }

// renaming is a change of a name in a directory.
type renaming struct {
	change
	dir  *inode
	name string
	to   *inode    // nil if the name is gone
	with *renaming // that this one is never without
	and  *renaming // that is never without this one either
}

// isDir tells whether a directory gets a name. Its names come one after the
// other.
func (r *renaming) isDir() bool { return r.to != nil && r.to.kind == os.ModeDir }

// writing is a change of a file's content: data at an offset, or a new size.
type writing struct {
	change
	offset int64
	data   []byte
	size   int64 // that the file had after it
	resize bool
}

func newMedium() *medium { return &medium{root: newDir()} }

func newDir() *inode {
	return &inode{
		kind: os.ModeDir, mode: onDisk[os.FileMode]{0o700, 0o700},
		names: onDisk[map[string]*inode]{map[string]*inode{}, map[string]*inode{}},
	}
}

func newFile(mode os.FileMode) *inode {
	return &inode{mode: onDisk[os.FileMode]{mode, mode}, content: onDisk[*content]{newContent(), newContent()}}
}

// find gives what has a path below a directory, nil if nothing has.
func (n *inode) find(below string) *inode {
	for _, name := range pathParts(below) {
		if n == nil || n.kind != os.ModeDir {
			return nil
		}
		n = n.names.now[name]
	}
	return n
}

func (m *medium) changed(what string, arguments ...any) change {
	m.changes++
	return change{order: m.changes, what: fmt.Sprintf(what, arguments...)}
}

// name gives a name to a file, or with nil takes it away.
func (m *medium) name(dir *inode, name string, to *inode, what string) *renaming {
	r := &renaming{change: m.changed("%s", what), dir: dir, name: name, to: to}
	if dir.names.now[name] = to; to == nil {
		delete(dir.names.now, name)
	}
	m.names = append(m.names, r)
	return r
}

// rename gives a file another name.
func (m *medium) rename(fromDir *inode, from string, toDir *inode, to string, what string) (added, removed *renaming) {
	added = m.name(toDir, to, fromDir.names.now[from], what)
	removed = m.name(fromDir, from, nil, what+" (the old name)")
	if removed.with = added; added.isDir() {
		added.and = removed
	}
	return added, removed
}

func (m *medium) write(file *inode, offset int64, data []byte, what string) *writing {
	file.content.now.write(offset, data)
	w := &writing{change: m.changed("%s", what), offset: offset, data: data, size: file.content.now.size}
	file.writes = append(file.writes, w)
	return w
}

// grow makes a file longer.
func (m *medium) grow(file *inode, size int64, what string) *writing {
	file.content.now.size = size
	w := &writing{change: m.changed("%s", what), size: size, resize: true}
	file.writes = append(file.writes, w)
	return w
}

// sync puts on the disk what had been changed when it began.
func (m *medium) sync(n *inode, began int) {
	n.mode.synced = n.mode.now
	n.writes = slices.DeleteFunc(n.writes, func(w *writing) bool {
		if !w.before(began) {
			return false
		}
		n.content.synced.write(w.offset, w.data)
		n.content.synced.size = max(n.content.synced.size, w.size)
		return true
	})
	if n.kind != os.ModeDir {
		return
	}
	for _, r := range slices.Clone(m.names) {
		if r.dir == n && r.before(began) {
			m.settle(r)
		}
	}
}

// settle puts a name on the disk, with what must be there with it.
func (m *medium) settle(r *renaming) {
	at := slices.Index(m.names, r)
	if at < 0 { // an earlier one, which was overtaken
		return
	}
	if r.isDir() {
		for _, earlier := range slices.Clone(m.names[:at]) {
			if earlier.to == r.to {
				m.settle(earlier)
			}
		}
		at = slices.Index(m.names, r)
	}
	if r.dir.names.synced[r.name] = r.to; r.to == nil {
		delete(r.dir.names.synced, r.name)
	}
	done := 0
	m.names = slices.DeleteFunc(m.names, func(other *renaming) bool {
		done++
		return done <= at+1 && other.dir == r.dir && other.name == r.name
	})
	for _, other := range []*renaming{r.with, r.and} {
		if other != nil {
			m.settle(other)
		}
	}
}

// after makes what the disk holds after a power cut a directory, and tells what
// of the changes that were not synced is not there. Its files have several names
// where they had, and those that nobody named are gone; made is where they are.
func (m *medium) after(l *luck, dir string) (made map[*inode]string, lost []string, err error) {
	names, lost := m.namesAfter(l)
	made = map[*inode]string{}
	var lay func(n *inode, path string) error
	lay = func(n *inode, path string) error {
		if first, again := made[n]; again {
			return os.Link(first, path)
		}
		made[n] = path
		switch n.kind {
		case os.ModeSocket:
			return syscall.Mknod(path, syscall.S_IFSOCK|0o600, 0)
		case 0:
			notWritten, err := n.layFile(l, path)
			lost = append(lost, notWritten...)
			return err
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(names(n))) {
			if err := lay(names(n)[name], filepath.Join(path, name)); err != nil {
				return err
			}
		}
		return nil
	}
	err = lay(m.root, dir)
	return made, lost, err
}

// namesAfter decides which names are there.
func (m *medium) namesAfter(l *luck) (of func(*inode) map[string]*inode, lost []string) {
	changed, there, old := map[*inode]map[string]*inode{}, map[*renaming]bool{}, map[*inode]bool{}
	for _, r := range m.names {
		kept := l.keeps(l.names, &r.change) && !old[r.to]
		if r.with != nil && slices.Contains(m.names, r.with) {
			kept = there[r.with] && (kept || r.with.and == r)
		}
		if there[r] = kept; !kept {
			old[r.to] = r.isDir()
			lost = append(lost, r.what)
			continue
		}
		if changed[r.dir] == nil {
			changed[r.dir] = maps.Clone(r.dir.names.synced)
		}
		if changed[r.dir][r.name] = r.to; r.to == nil {
			delete(changed[r.dir], r.name)
		}
	}
	return func(dir *inode) map[string]*inode {
		if names, ok := changed[dir]; ok {
			return names
		}
		return dir.names.synced
	}, lost
}

// layFile makes a file that the disk holds.
func (n *inode) layFile(l *luck, path string) (lost []string, err error) {
	mode := n.mode.synced
	if l.random.IntN(2) == 0 {
		mode = n.mode.now
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode|0o200)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := n.content.synced.writeTo(f); err != nil {
		return nil, err
	}
	sectors, lost := n.sectorsAfter(l)
	for at, sector := range sectors {
		if _, err := f.WriteAt(sector[:], at); err != nil {
			return nil, err
		}
	}
	if err := f.Truncate(n.sizeAfter(l)); err != nil {
		return nil, err
	}
	return lost, f.Chmod(mode)
}

func (n *inode) sizeAfter(l *luck) (size int64) {
	size = n.content.synced.size
	for _, w := range n.writes {
		if w.size <= size {
			continue
		}
		if !l.keeps(l.sizes, &w.change) {
			break
		}
		size = w.size
	}
	return size
}

// sectorsAfter gives those that are not as they were synced, by their offsets.
func (n *inode) sectorsAfter(l *luck) (sectors map[int64]*[sectorSize]byte, lost []string) {
	sectors = map[int64]*[sectorSize]byte{}
	ended := map[int64]bool{} // those that hold nothing of later writes
	for _, w := range n.writes {
		torn, kept := 0, false
		first := w.offset / sectorSize * sectorSize
		for at := first; at < w.offset+int64(len(w.data)); at += sectorSize {
			if at == first || at%l.torn == 0 { // the pieces that get to the disk together
				kept = l.keeps(l.data, &w.change)
			}
			switch {
			case kept && !ended[at]:
				if sectors[at] == nil {
					sectors[at] = &[sectorSize]byte{}
					copy(sectors[at][:], n.content.synced.read(at, sectorSize))
				}
				from, to := max(at, w.offset), min(at+sectorSize, w.offset+int64(len(w.data)))
				copy(sectors[at][from-at:], w.data[from-w.offset:to-w.offset])
				continue
			case l.junk && !ended[at] && at >= n.content.synced.size:
				sectors[at] = junk(l)
			}
			torn, ended[at] = torn+1, true
		}
		if torn > 0 {
			lost = append(lost, fmt.Sprintf("%s: %d sectors", w.what, torn))
		}
	}
	return sectors, lost
}

func junk(l *luck) *[sectorSize]byte {
	var sector [sectorSize]byte
	for i := range sector {
		sector[i] = byte(l.random.Int())
	}
	return &sector
}

// content is that of a file, with holes.
type content struct {
	size  int64
	pages map[int64]*[pageSize]byte // by their offset
}

func newContent() *content { return &content{pages: map[int64]*[pageSize]byte{}} }

func (c *content) write(offset int64, data []byte) {
	if len(data) == 0 {
		return
	}
	c.size = max(c.size, offset+int64(len(data)))
	for len(data) > 0 {
		at := offset / pageSize * pageSize
		if c.pages[at] == nil {
			c.pages[at] = &[pageSize]byte{}
		}
		n := copy(c.pages[at][offset-at:], data)
		offset, data = offset+int64(n), data[n:]
	}
}

// writeTo writes it to an empty file, all but its end if there are only zeros.
func (c *content) writeTo(f *os.File) error {
	var run []byte // of pages that follow each other
	var begin int64
	flush := func() error {
		_, err := f.WriteAt(run, begin)
		run = run[:0]
		return err
	}
	for _, at := range slices.Sorted(maps.Keys(c.pages)) {
		if at != begin+int64(len(run)) || len(run) >= 1<<20 {
			if err := flush(); err != nil {
				return err
			}
			begin = at
		}
		run = append(run, c.pages[at][:]...)
	}
	return flush()
}

func (c *content) read(offset, count int64) []byte {
	data := make([]byte, max(0, min(count, c.size-offset)))
	for n := 0; n < len(data); {
		at := (offset + int64(n)) / pageSize * pageSize
		in := offset + int64(n) - at
		if page := c.pages[at]; page != nil {
			n += copy(data[n:], page[in:])
		} else {
			n += int(pageSize - in)
		}
	}
	return data
}

func pathParts(below string) (parts []string) {
	for below = path.Clean(below); below != "." && below != "/" && below != ""; below = path.Dir(below) {
		parts = append(parts, path.Base(below))
	}
	slices.Reverse(parts)
	return parts
}

// TestMedium looks at a disk after many power cuts: what was synced is there,
// and each state of the rest that there may be comes up.
func TestMedium(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	names, contents := map[string]bool{}, map[string]bool{}
	for range 300 {
		m, dir, file := newMedium(), newDir(), newFile(0o600)
		moment := 0
		did := func(changes ...*change) {
			moment += 2
			for _, c := range changes {
				c.done = moment
			}
		}
		sync := func(n *inode) { moment += 2; m.sync(n, moment-1) }
		did(&m.name(m.root, "dir", dir, "").change)
		sync(m.root)
		did(&m.name(dir, "draft", file, "").change)
		did(&m.write(file, 0, bytes.Repeat([]byte("a"), 1000), "").change)
		sync(dir)
		began := moment + 1
		did(&m.write(file, 600, bytes.Repeat([]byte("b"), 1000), "").change)
		m.sync(file, began) // which the second write came too late for
		added, removed := m.rename(dir, "draft", dir, "final", "")
		did(&added.change, &removed.change)
		did(&m.name(m.root, "lost", newFile(0o600), "").change)

		to := filepath.Join(t.TempDir(), "disk")
		if _, _, err := m.after(newLuck(random, m), to); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(filepath.Join(to, "dir"))
		if err != nil || len(entries) == 0 {
			t.Fatalf("got %v, %v; want the old name, the new one or both", entries, err)
		}
		list := ""
		for _, entry := range entries {
			list += entry.Name() + " "
		}
		names[list] = true
		content, err := os.ReadFile(filepath.Join(to, "dir", entries[0].Name()))
		if err != nil || len(content) != 1000 && len(content) != 1600 || strings.Trim(string(content[:600]), "a") != "" {
			t.Fatalf("got %q, %v; want 600 times a and then something", content, err)
		}
		contents[sectorsOf(content)] = true
	}
	if want := []string{"draft ", "draft final ", "final "}; !slices.Equal(slices.Sorted(maps.Keys(names)), want) {
		t.Errorf("names: got %v, want each of %q", names, want)
	}
	for _, want := range []string{"aa", "ab", "abbb", "ab..", "a...", "a..b"} {
		if !contents[want] {
			t.Errorf("sectors: got %v, want %s among them", slices.Sorted(maps.Keys(contents)), want)
		}
	}
}

// sectorsOf shows how each sector ends, a dot for neither a nor b.
func sectorsOf(content []byte) (shown string) {
	for sector := range slices.Chunk(content, sectorSize) {
		last := sector[len(sector)-1]
		if last != 'a' && last != 'b' {
			last = '.'
		}
		shown += string(last)
	}
	return shown
}
