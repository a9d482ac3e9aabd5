//go:build linux

package faults

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// replay does on a medium what traces say that was done below a directory. What
// a call changes is there from its beginning on, and is subject to the syncs
// that begin after its end.
type replay struct {
	medium  *medium
	base    string                                 // the directory that is the medium's root
	ignores func(path string, directory bool) bool // syncs that do nothing, for controls
	moment  int                                    // how many there were

	process *trace
	files   map[int]*openFile // of the process, by descriptor; below base
	doing   map[*call]*effect
	leaving map[name]*inode           // names that are just being taken away
	answers map[string]int            // the moments at which answers were begun, by their request
	placed  map[string]*inode         // what a meta.db.place calls by which identity
	moments map[kind]map[string][]int // at which something of interest happened, by the sort of file
}

// openFile is what a descriptor stands for.
type openFile struct {
	*inode
	offset int64
}

// effect is what a call that has begun does.
type effect struct {
	began   int
	changes []*change
	opens   *inode
	syncs   *inode
	leaves  []name
}

type name struct {
	dir  *inode
	name string
}

// kind is a kind of moment.
type kind string

const (
	ofAnswers kind = "an answer"
	ofSyncs   kind = "a sync"
	ofNames   kind = "a change of a name"
	ofContent kind = "a write"
)

func newReplay(base string) *replay {
	return &replay{
		medium: newMedium(), base: base, files: map[int]*openFile{}, doing: map[*call]*effect{}, leaving: map[name]*inode{},
		answers: map[string]int{}, placed: map[string]*inode{}, moments: map[kind]map[string][]int{}, ignores: func(string, bool) bool { return false },
	}
}

// next goes on by a moment.
func (r *replay) next(m moment) error {
	r.moment++
	if m.of != r.process { // of before has ended
		r.process, r.files = m.of, map[int]*openFile{}
	}
	var err error
	switch own := r.process.threads[m.thread]; {
	case m.failed && !m.ended && slices.Contains([]string{"fsync", "fdatasync"}, m.name):
		err = fmt.Errorf("it failed")
	case m.failed:
	case !own:
		err = r.mustNotChange(m.call)
	case m.ended:
		err = r.end(m.call)
	default:
		err = r.begin(m.call)
	}
	if err != nil {
		return fmt.Errorf("moment %d: %s(%.300s): %w", r.moment, m.name, strings.Join(m.args, ", "), err)
	}
	return nil
}

// mustNotChange is for children of the program, which only read.
func (r *replay) mustNotChange(c *call) error {
	reads := slices.Contains([]string{"close", "close_range", "dup", "dup2", "dup3", "fcntl", "lseek", "execve", "clone", "clone3", "mmap"}, c.name) ||
		c.name == "openat" && len(c.args) > 2 && strings.HasPrefix(c.args[2], "O_RDONLY")
	if reads {
		return nil
	}
	for _, arg := range c.args {
		if d, err := parseDescriptor(arg); err == nil && r.within(d.path) {
			return fmt.Errorf("a child does this: %w", errTrace)
		}
		if text, err := unquote(arg); err == nil && r.within(string(text)) {
			return fmt.Errorf("a child does this: %w", errTrace)
		}
	}
	return nil
}

func (r *replay) within(path string) bool {
	return path == r.base || strings.HasPrefix(path, r.base+"/")
}

// begin does what a call does.
func (r *replay) begin(c *call) error {
	e := &effect{began: r.moment}
	r.doing[c] = e
	switch c.name {
	case "openat":
		return r.open(c, e)
	case "close":
		return r.close(c)
	case "write", "pwrite64":
		return r.write(c, e)
	case "copy_file_range":
		return r.copy(c, e)
	case "sendfile":
		return r.send(c)
	case "lseek":
		return r.seek(c)
	case "ftruncate":
		return r.truncate(c, e)
	case "fsync", "fdatasync":
		file, err := r.file(c.args[0])
		if file != nil && err == nil {
			e.syncs = file.inode
			r.noteSync(c)
		}
		return err
	case "fchmod":
		file, err := r.file(c.args[0])
		if file == nil || err != nil {
			return err
		}
		return chmod(file.inode, c.args[1])
	case "fchmodat":
		at, err := r.locate(c.args[0], c.args[1])
		if at.dir == nil || err != nil {
			return err
		}
		return chmod(at.dir.names.now[at.name], c.args[2])
	case "mkdirat":
		return r.add(c, e, newDir(), c.args[0], c.args[1])
	case "bind":
		return r.bind(c, e)
	case "linkat":
		return r.link(c, e)
	case "renameat", "renameat2":
		return r.rename(c, e)
	case "unlinkat":
		return r.unlink(c, e)
	case "fcntl":
		if strings.HasPrefix(c.args[1], "F_DUPFD") {
			return r.refuse(c)
		}
	case "mmap":
		if strings.Contains(c.args[2], "PROT_WRITE") && strings.Contains(c.args[3], "MAP_SHARED") {
			return r.refuse(c)
		}
	case "sync_file_range", "ioctl": // neither promises nor changes anything here
	case "clone", "clone3", "execve", "vfork", "fork":
	default:
		return r.refuse(c)
	}
	return nil
}

// refuse ends the replay if a call that is not known to it is about the medium.
func (r *replay) refuse(c *call) error {
	if c.name == "sync" || c.name == "io_uring_setup" || strings.HasPrefix(c.name, "ch") {
		return errTrace
	}
	for _, arg := range c.args {
		if d, err := parseDescriptor(arg); err == nil && (r.within(d.path) || r.files[d.number] != nil) {
			return errTrace
		}
		if text, err := unquote(arg); err == nil && (!filepath.IsAbs(string(text)) || r.within(string(text))) {
			return errTrace
		}
	}
	return nil
}

// end notes that a call has done it.
func (r *replay) end(c *call) error {
	e := r.doing[c]
	delete(r.doing, c)
	for _, change := range e.changes {
		change.done = r.moment
	}
	for _, left := range e.leaves {
		delete(r.leaving, left)
	}
	if e.syncs != nil {
		d, err := parseDescriptor(c.args[0])
		if err != nil {
			return err
		}
		r.noteSync(c)
		if !r.ignores(d.path, e.syncs.kind == os.ModeDir) {
			r.medium.sync(e.syncs, e.began)
		}
	}
	if c.name == "openat" {
		d, err := parseDescriptor(c.result)
		if err != nil {
			return err
		}
		delete(r.files, d.number)
		if e.opens != nil {
			r.files[d.number] = &openFile{inode: e.opens}
		} else if r.within(d.path) {
			return fmt.Errorf("it gave %s, which is unknown", d.path)
		}
	}
	return nil
}

// note keeps the moment. What is rare must not be lost among the rest, so files
// are told apart by their names, but for what is random or counted in them.
func (r *replay) note(k kind, of string) {
	sort := randomPart.ReplaceAllString(path.Base(of), "#")
	if r.moments[k] == nil {
		r.moments[k] = map[string][]int{}
	}
	r.moments[k][sort] = append(r.moments[k][sort], r.moment)
}

var randomPart = regexp.MustCompile(`^[0-9a-f]{2}$|[0-9a-f]{16,}|[A-Z2-7]{20,}|[0-9TZ-]*\d`)

func (r *replay) noteSync(c *call) {
	d, _ := parseDescriptor(c.args[0])
	r.note(ofSyncs, d.path)
}

// file gives what a descriptor stands for, nil if that is elsewhere.
func (r *replay) file(arg string) (*openFile, error) {
	d, err := parseDescriptor(arg)
	if err != nil {
		return nil, err
	}
	file := r.files[d.number]
	if (file != nil) != r.within(d.path) {
		return nil, fmt.Errorf("descriptor %d of %s: got %v", d.number, d.path, file)
	}
	return file, nil
}

// locate gives the directory and the name that a path means, from a directory
// on; no directory if that is elsewhere.
func (r *replay) locate(from, quoted string) (at name, err error) {
	text, err := unquote(quoted)
	if err != nil {
		return at, err
	}
	return r.place(from, string(text))
}

func (r *replay) place(from, below string) (at name, err error) {
	if !path.IsAbs(below) {
		d, err := parseDescriptor(from)
		if err != nil {
			return at, err
		}
		if dir := r.files[d.number]; dir != nil {
			return under(dir.inode, below)
		}
		below = path.Join(d.path, below)
	}
	if below = path.Clean(below); below == r.base {
		return name{}, nil
	}
	if !r.within(below) {
		return name{}, nil
	}
	return under(r.medium.root, strings.TrimPrefix(below, r.base+"/"))
}

func under(dir *inode, below string) (at name, err error) {
	if below = path.Clean(below); below == "." {
		return name{dir, "."}, nil
	}
	if strings.HasPrefix(below, "..") {
		return at, errTrace
	}
	at = name{dir.find(path.Dir(below)), path.Base(below)}
	if at.dir == nil {
		return at, fmt.Errorf("%s: its directory is unknown", below)
	}
	return at, nil
}

func (at name) inode() *inode {
	if at.name == "." {
		return at.dir
	}
	return at.dir.names.now[at.name]
}

func (r *replay) open(c *call, e *effect) error {
	flags := strings.Split(c.args[2], "|")
	has := func(flag string) bool { return slices.Contains(flags, flag) }
	text, err := unquote(c.args[1])
	if err != nil {
		return err
	}
	if string(text) == r.base || string(text) == "." && r.isBase(c.args[0]) {
		e.opens = r.medium.root
		return nil
	}
	at, err := r.locate(c.args[0], c.args[1])
	if at.dir == nil || err != nil {
		return err
	}
	if has("O_SYNC") || has("O_DSYNC") || has("O_APPEND") {
		return errTrace
	}
	if has("O_TMPFILE") {
		mode, err := parseMode(c.args[3])
		e.opens = newFile(mode)
		return err
	}
	if e.opens = at.inode(); e.opens == nil && has("O_CREAT") {
		mode, err := parseMode(c.args[3])
		if err != nil {
			return err
		}
		e.opens = newFile(mode)
		return r.named(e, at, e.opens, "create "+at.name)
	}
	if e.opens == nil {
		e.opens = r.leaving[at]
	}
	switch {
	case e.opens == nil:
		return fmt.Errorf("%s is unknown", at.name)
	case has("O_CREAT") && has("O_EXCL"):
		return fmt.Errorf("%s is there", at.name)
	case has("O_TRUNC") && e.opens.content.now.size > 0:
		return errTrace
	}
	return nil
}

func (r *replay) isBase(from string) bool {
	d, err := parseDescriptor(from)
	return err == nil && d.path == r.base
}

// named gives a name as a part of a call.
func (r *replay) named(e *effect, at name, to *inode, what string) error {
	r.note(ofNames, at.name)
	e.changes = append(e.changes, &r.medium.name(at.dir, at.name, to, what).change)
	return nil
}

func (r *replay) close(c *call) error {
	d, err := parseDescriptor(c.args[0])
	delete(r.files, d.number) // which another thread may be given before this call ends
	return err
}

var requestLine = regexp.MustCompile(`\r\nX-Request-Id: (\S+)\r\n`)

func (r *replay) write(c *call, e *effect) error {
	file, err := r.file(c.args[0])
	if err != nil {
		return err
	}
	if c.data == nil {
		if c.data, err = unquote(c.args[1]); err != nil {
			return err
		}
	}
	if file == nil {
		r.hear(c.data)
		return nil
	}
	count := int64(len(c.data))
	if c.result != "" { // it has returned
		if count, err = strconv.ParseInt(c.result, 10, 64); err != nil {
			return err
		}
	}
	offset := file.offset
	if c.name == "pwrite64" {
		if offset, err = strconv.ParseInt(c.args[3], 10, 64); err != nil {
			return err
		}
	} else {
		file.offset += count
	}
	r.wrote(e, file.inode, offset, c.data[:count], c.args[0])
	return nil
}

func (r *replay) wrote(e *effect, file *inode, offset int64, data []byte, arg string) {
	d, _ := parseDescriptor(arg)
	r.note(ofContent, d.path)
	if strings.Contains(filepath.Base(d.path), placeName) {
		r.meet(data, path.Dir(path.Dir(strings.TrimPrefix(d.path, r.base+"/"))))
	}
	what := fmt.Sprintf("%d bytes at %d of %s", len(data), offset, strings.TrimPrefix(d.path, r.base+"/"))
	e.changes = append(e.changes, &r.medium.write(file, offset, data, what).change)
}

// hear notes an answer of the server, or the token that a command prints.
func (r *replay) hear(said []byte) {
	heard := ""
	if found := requestLine.FindSubmatch(said); found != nil && bytes.HasPrefix(said, []byte("HTTP/1.1 2")) {
		heard = string(found[1])
	} else if bytes.HasPrefix(said, []byte("lkm_")) {
		heard = strings.TrimSpace(string(said))
	}
	if _, again := r.answers[heard]; heard != "" && !again {
		r.answers[heard] = r.moment
		r.note(ofAnswers, "")
	}
}

func (r *replay) copy(c *call, e *effect) error {
	from, err := r.file(c.args[0])
	if err != nil {
		return err
	}
	to, err := r.file(c.args[2])
	if err != nil {
		return err
	}
	if to == nil {
		return nil
	}
	if from == nil || c.args[1] != "NULL" || c.args[3] != "NULL" {
		return errTrace
	}
	count, err := strconv.ParseInt(c.result, 10, 64)
	if err != nil {
		return err
	}
	r.wrote(e, to.inode, to.offset, from.content.now.read(from.offset, count), c.args[2])
	from.offset += count
	to.offset += count
	return nil
}

// send is for downloads.
func (r *replay) send(c *call) error {
	to, err := r.file(c.args[0])
	if to != nil || err != nil {
		return errTrace
	}
	from, err := r.file(c.args[1])
	if from == nil || c.args[2] != "NULL" || err != nil {
		return err
	}
	count, err := strconv.ParseInt(c.result, 10, 64)
	from.offset += count
	return err
}

func (r *replay) seek(c *call) error {
	file, err := r.file(c.args[0])
	if file == nil || err != nil || file.kind == os.ModeDir {
		return err
	}
	file.offset, err = strconv.ParseInt(c.result, 10, 64)
	return err
}

func (r *replay) truncate(c *call, e *effect) error {
	file, err := r.file(c.args[0])
	if file == nil || err != nil {
		return err
	}
	size, err := strconv.ParseInt(c.args[1], 10, 64)
	if err != nil || size < file.content.now.size {
		return errTrace
	}
	d, err := parseDescriptor(c.args[0])
	r.note(ofContent, d.path)
	e.changes = append(e.changes, &r.medium.grow(file.inode, size, fmt.Sprintf("%s grows to %d", d.path, size)).change)
	return err
}

func parseMode(text string) (os.FileMode, error) {
	mode, err := strconv.ParseUint(text, 8, 32)
	return os.FileMode(mode), err
}

func chmod(n *inode, text string) (err error) {
	n.mode.now, err = parseMode(text)
	return err
}

// add makes something that was not there.
func (r *replay) add(c *call, e *effect, n *inode, from, quoted string) error {
	at, err := r.locate(from, quoted)
	if at.dir == nil || err != nil {
		return err
	}
	if at.dir.names.now[at.name] != nil {
		return fmt.Errorf("%s is there", at.name)
	}
	return r.named(e, at, n, c.name+" "+at.name)
}

var socketPath = regexp.MustCompile(`^\{sa_family=AF_UNIX, sun_path=("[^"]*")\}$`)

func (r *replay) bind(c *call, e *effect) error {
	found := socketPath.FindStringSubmatch(c.args[1])
	if found == nil {
		return nil
	}
	return r.add(c, e, &inode{kind: os.ModeSocket}, "AT_FDCWD<>", found[1])
}

// link gives a file another name, or one that had none, by way of /proc.
func (r *replay) link(c *call, e *effect) error {
	at, err := r.locate(c.args[2], c.args[3])
	if at.dir == nil || err != nil {
		return err
	}
	from, err := unquote(c.args[1])
	if err != nil {
		return err
	}
	var n *inode
	if number, ok := strings.CutPrefix(string(from), "/proc/self/fd/"); ok {
		fd, err := strconv.Atoi(number)
		if err != nil || r.files[fd] == nil {
			return errTrace
		}
		n = r.files[fd].inode
	} else if was, err := r.locate(c.args[0], c.args[1]); err != nil || was.dir == nil {
		return fmt.Errorf("link %s: %w", from, errTrace)
	} else {
		n = was.inode()
	}
	if n == nil || at.inode() != nil {
		return fmt.Errorf("link %s to %s: %w", from, at.name, errTrace)
	}
	return r.named(e, at, n, "link "+at.name)
}

func (r *replay) rename(c *call, e *effect) error {
	from, err := r.locate(c.args[0], c.args[1])
	if err != nil {
		return err
	}
	to, err := r.locate(c.args[2], c.args[3])
	if from.dir == nil && to.dir == nil || err != nil {
		return err
	}
	if from.dir == nil || to.dir == nil || from.inode() == nil || len(c.args) > 4 {
		return errTrace
	}
	r.note(ofNames, to.name)
	e.leave(r, from)
	added, removed := r.medium.rename(from.dir, from.name, to.dir, to.name, fmt.Sprintf("rename %s to %s", from.name, to.name))
	e.changes = append(e.changes, &added.change, &removed.change)
	return nil
}

func (r *replay) unlink(c *call, e *effect) error {
	at, err := r.locate(c.args[0], c.args[1])
	if at.dir == nil || err != nil {
		return err
	}
	if at.inode() == nil {
		return fmt.Errorf("%s is unknown", at.name)
	}
	e.leave(r, at)
	return r.named(e, at, nil, "remove "+at.name)
}

// leave keeps what a name meant for those who open it before the call is done.
func (e *effect) leave(r *replay, at name) {
	r.leaving[at] = at.inode()
	e.leaves = append(e.leaves, at)
}

// compare tells how the medium, as programs see it, differs from a directory.
func (n *inode) compare(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) != len(n.names.now) {
		return fmt.Errorf("%s: got %d names, want %v", dir, len(n.names.now), entries)
	}
	for _, entry := range entries {
		there, path := n.names.now[entry.Name()], filepath.Join(dir, entry.Name())
		if there == nil {
			return fmt.Errorf("%s is unknown", path)
		}
		var err error
		switch there.kind {
		case os.ModeDir:
			err = there.compare(path)
		case 0:
			err = there.content.now.compare(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *content) compare(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() != c.size {
		return fmt.Errorf("%s: got %d bytes, want %d: %w", path, c.size, info.Size(), err)
	}
	page, empty := make([]byte, pageSize), [pageSize]byte{}
	for at := int64(0); at < c.size; at += pageSize {
		got := &empty
		if c.pages[at] != nil {
			got = c.pages[at]
		}
		count := min(pageSize, c.size-at)
		if _, err := f.ReadAt(page[:count], at); err != nil {
			return err
		}
		if !bytes.Equal(page[:count], got[:count]) {
			return fmt.Errorf("%s: its content from %d on is another", path, at)
		}
	}
	return nil
}
